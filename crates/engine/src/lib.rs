//! When things happen: which run is in memory, what is committed together, who makes an attempt,
//! when a timer fires, what is taken up again after a crash.
//!
//! [`shard`], [`committer`], [`timers`], [`sweeper`] and [`gate`] are plain state machines. [`Engine`] puts
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
//!   dispatcher        feed          timers, sweeper: wake runs up; gate: admits them
//! ```
//!
//! Not here: what follows from an event (`windlass-core`), what a node does (`windlass-nodes`),
//! HTTP (`windlass-server`).

#![warn(missing_docs)]

pub mod clock;
pub mod committer;
mod definitions;
mod deliver;
pub mod desk;
mod dispatch;
mod engine;
mod feed;
pub mod gate;
mod halt;
pub mod ids;
mod live;
mod load;
mod observe;
pub mod order;
mod replay;
mod retention;
pub mod shard;
pub mod sweeper;
mod tasks;
mod threads;
pub mod timers;
pub mod triggers;
mod usage;
mod view;
mod why;
mod workflows;

pub use definitions::{DefinitionError, Definitions, Workflow, content_hash};
pub use deliver::Delivered;
pub use dispatch::{DispatchConfig, Mask, Queue, SecretSource, fill_secrets};
pub use engine::{Engine, EngineConfig, Health, NewRun, Spent, Submitted};
pub use feed::{Feed, News, Subscription};
pub use halt::Halt;
pub use live::{LLM_TOKEN, LiveFeed, LiveNote, LiveSubscription, Said};
pub use observe::{FlowError, Observation};
pub use replay::Replay;
pub use retention::{Archive, RetentionRules, Rule};
pub use tasks::{Claimed, Told, Unheard};
pub use usage::day_of;
pub use view::{AskView, RunView, StepView, TaskOf, TaskView, UnitView};
pub use why::Why;
