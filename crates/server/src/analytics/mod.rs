//! How workflows have fared: counts, rates, durations, waits, errors, over a stretch of time.
//!
//! It is read from the rows of runs, one pass over those that were created in that time, the newest
//! first. What retention has deleted is not counted.

pub mod errors;
pub mod jobs;
pub mod series;
pub mod span;
pub mod spread;
pub mod workflows;

/// Runs that one answer looks at. Of more, the newest are counted, and the answer says so.
pub const RUNS_MAX: usize = 1_000_000;
