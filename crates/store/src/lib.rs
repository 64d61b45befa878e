//! What Windlass keeps: journals, the rows that list them, timers, definitions, logs.
//!
//! [`Store`] is a list of business verbs with one promise each, [`Access`] those about who may call,
//! [`Tokens`] those about units of work;
//! [`MemoryStore`] is the reference model, [`SqliteOptions::open`] the embedded database. One conformance suite holds both to the promises,
//! and a differential test drives the same random operations through both.
//!
//! Every method blocks. The engine calls `commit` from one thread at a time (its committer, or a
//! shard that has a small batch and nobody to wait for) and reads from a pool of threads; the
//! simulation calls everything from one.
//!
//! Not here: when something is committed and what follows from it (`windlass-engine`).

#![warn(missing_docs)]

mod access;
mod analytics;
mod audit;
mod blobs;
mod error;
mod expiry;
mod io;
mod lock;
mod logs;
mod memory;
mod message;
mod place;
mod postgres;
mod rows;
mod sql;
mod sqlite;
mod store;
pub mod text;
mod tokens;
mod words;
mod write;

pub use access::{Access, ApiKeyRow, SecretRow};
pub use analytics::{KindSum, RunGlance, ScanFilter};
pub use audit::{AuditEntry, AuditRow, AuditVerdict};
pub use blobs::{BlobPlace, S3Folder, S3Options};
pub use error::StoreError;
pub use expiry::{Expiry, REASON_DELETING};
pub use lock::DirectoryLock;
pub use logs::*;
pub use memory::MemoryStore;
pub use message::{Message, MessageKey};
pub use place::{Inspection, Place, SCHEMA, TableCount};
pub use postgres::{PostgresOptions, masked};
pub use rows::*;
pub use sqlite::SqliteOptions;
pub use store::Store;
pub use tokens::*;
pub use write::*;
