//! Definitions, expressions and the life of a run, as pure values and functions.
//!
//! Nothing here reads a clock, draws a random number, touches a disk or opens a socket: time, ids
//! and jitter come in with the input. That is what makes recovery after a crash a replay, and a
//! simulation of a whole server a loop on one thread.
//!
//! [`definition`] reads and checks what users write, [`expr`] is the language inside it, [`kinds`]
//! lists what a node can be, and [`run`] decides and remembers what happens in a run. [`template`] is
//! about the other sort of workflow: roles that take units of work past guardians.
//!
//! Not here: how events are stored (`windlass-store`), when they are written and who performs an
//! effect (`windlass-engine`), what a node does to the world (`windlass-nodes`).

#![warn(missing_docs)]

mod budget;
pub mod definition;
mod digest;
pub mod duration;
pub mod expr;
mod failure;
mod finding;
pub mod json;
pub mod kinds;
pub mod limits;
pub mod run;
pub mod schema;
pub mod source;
pub mod template;
mod time;

pub use budget::{Budget, Budgets, OnSpent, Per};
pub use digest::digest;
pub use duration::HumanDuration;
pub use failure::Failure;
pub use finding::{Finding, Severity, nearest};
pub use time::Time;
