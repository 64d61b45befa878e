//! Tables and laws of a run.

mod blocks;
mod failures;
mod graphs;
mod harness;
mod laws;
mod loops;
mod over;
mod table;
mod tries;
