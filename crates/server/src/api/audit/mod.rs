//! What was done, by whom.

pub mod list;
pub mod verify;
