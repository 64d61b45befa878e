//! `/api/v1/logs`: what the steps of all runs have written.

pub mod search;
