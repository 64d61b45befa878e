//! The life of one run, as a pure state machine.
//!
//! [`RunState::decide`] thinks: given an input, which small step follows. It evaluates expressions
//! and changes nothing. [`RunState::evolve`] remembers: it folds one event and never evaluates an
//! expression or looks at a definition. [`RunState::outstanding`] says what the world still owes.
//!
//! ```text
//!            Input ──► decide(&state, &plan) ──► events ──► evolve(&mut state) ─┐
//!              ▲                                   │                            │
//!              └────────── Advance, until ─────────┼────────────────────────────┘
//!                          nothing follows         ▼
//!                                               journal ──► replay: evolve only
//! ```
//!
//! Because a node's and an expression's results are in the events, an old journal folds to the same
//! state under every later version.
//!
//! Not here: how events are stored (`windlass-store`), who performs what is outstanding
//! (`windlass-engine`).

mod counts;
mod decide;
mod derived;
mod event;
mod evolve;
mod input;
mod names;
pub mod observed;
mod outstanding;
pub mod path;
mod state;
mod status;
#[cfg(test)]
mod tests;
pub mod token;
mod why;

pub use counts::Counts;
pub use decide::{CreateRun, create};
pub use derived::derived_id;
pub use event::{
    Again, CacheUse, Cause, Concurrency, Decision, EdgeDecision, Event, Fact, FlowName, FlowSeen,
    FlowWord, Holder, Inferred, ObservedTerms, Parent, ParkedFor, Resume, Reused, RunCreated,
    SeenEnd, TaskSeen, TaskTerms, TaskWord, Then, Undo, UnitChanged, UnitCreated, UnitNoted,
    UnitTerms, Verdict,
};
pub use input::{
    AttemptError, Hold, Input, Mark, Outcome, PilotAct, Refused, Seen, TaskAct, UnitDone, Vote,
    What,
};
pub use outstanding::Effect;
pub use state::{Ask, Child, Pause, Record, RunState, Signal, Step, StepTask};
pub use status::{RunStatus, StepStatus};
pub use token::Offer;
pub use why::{Because, RunWhy, StepWhy, WHY_STEP_COUNT_MAX};

/// The version of [`RunState`] as it is written to snapshots. A snapshot of another version is
/// ignored, and the run is folded from its events.
pub const STATE_VERSION: u32 = 2;
