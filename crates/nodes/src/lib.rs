//! What nodes do to the world, one file per kind.
//!
//! A node gets its rendered config and a [`NodeContext`]: who it is, where its log lines go, when
//! to stop, and a guarded HTTP client. It gets no store, no engine and no environment.
//!
//! To add a kind: one file in `kinds/` with its config struct, `impl Node`, tests and an example,
//! and one line in [`Registry::builtin`].
//!
//! Not here: when an attempt is made, how often, and what follows (`windlass-core`), who calls it
//! (`windlass-engine`), kinds that only compute (`windlass-core::kinds`).

#![warn(missing_docs)]

mod child;
mod context;
mod journal;
mod kept;
pub mod kinds;
pub mod llm;
mod mcp;
mod node;
pub mod prompt;
mod registry;
mod reports;
pub mod sandbox;
pub mod worker;
mod workflows;

pub use context::{LogLine, LogSink, LogStream, NodeContext, Notes, Stop, StopReason, Terms};
pub use journal::{Journal, Keeper};
pub use kept::Kept;
pub use kinds::http::{AllowList, HttpClient};
pub use kinds::shell::{ChildGuard, Mark, NoGuard, ShellSettings};
pub use node::{AskingNode, InlineNode, Node, Outcome, fail, retry};
pub use prompt::PromptSettings;
pub use registry::{Attempt, Executor, Registry};
pub use reports::{LiveEvent, LiveSink};
pub use sandbox::{Sandbox, SandboxSettings};
pub use workflows::{KnownWorkflow, WantedRun, Workflows, no_workflows};
