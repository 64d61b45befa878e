//! When things happen: which run is in memory, what is committed together, who makes an attempt,
//! when a timer fires, what is taken up again after a crash.
//!
//! [`shard`], [`committer`], [`timers`] and [`sweeper`] are plain state machines. [`Engine`] puts
//! threads, a clock and a store around them; the simulation in `tests/` puts chance around them.
//!
//! ```text
//!            Engine (handle)
//!               │ inputs                         ┌────────────┐
//!    ┌──────────▼──────────┐  batches   ┌────────▼─────────┐  │ Store
//!    │ shard 0 │ shard 1 │…├───────────►│    committer     ├──►
//!    └─▲────┬──────────┬───┘◄───────────┤ (one transaction │
//!      │    │ Start    │ Publish        │   at a time)     │
//!      │    ▼          ▼   durable      └──────────────────┘
//!   dispatcher        feed          timers, sweeper: wake runs up
//! ```
//!
//! Not here: what follows from an event (`windlass-core`), what a node does (`windlass-nodes`),
//! HTTP (`windlass-server`).

#![warn(missing_docs)]

pub mod clock;
pub mod committer;
pub mod ids;
pub mod shard;
pub mod sweeper;
pub mod timers;
mod view;

pub use view::RunView;
