//! Tables and laws of a run.

mod blocks;
mod failures;
mod graphs;
mod harness;
mod jumps;
mod laws;
mod loops;
mod others;
mod over;
mod table;
mod tries;
mod words;

pub(super) use harness::{Run, plan};
