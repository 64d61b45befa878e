//! `/api/v1/runs`.

pub mod cancel;
pub mod compare;
pub mod events;
pub mod export;
pub mod get;
pub mod list;
pub mod logs;
pub mod mark;
pub mod pause;
pub mod rerun;
pub mod resume;
pub mod signal;
pub mod steps;
pub mod stream;
pub mod terminate;
pub mod usage;
pub mod why;
