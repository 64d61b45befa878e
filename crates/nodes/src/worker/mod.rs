//! Kinds whose attempts are made by workers: programs of their own, that ask for tasks, hold each for
//! as long as they give a sign of life, and say what has come of it.
//!
//! The executor of such a kind puts its attempt on the [`Board`] and waits. Who asks in whose name,
//! and in which words, is the server's business; here are the leases.
//!
//! The board is in memory and holds nothing that would be missed: an attempt that is under way when
//! the server dies is made again by the next one, like every other attempt.

mod attempt;
mod board;
mod manifest;
mod place;
mod seen;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod views;

pub(crate) use attempt::run;
pub use board::Board;
pub use manifest::{KIND_COUNT_MAX, MANIFEST_BYTES_MAX, Manifest};
pub use seen::SEEN_RECENTLY;
pub use task::{
    Beat, Demand, Handed, Held, Hold, LEASE_DEFAULT, LEASE_MAX, LEASE_MIN, Origin, Over,
    POLL_COUNT_MAX, Refused, Scope, TaskWait, WorkerView,
};
