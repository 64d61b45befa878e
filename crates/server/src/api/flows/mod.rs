//! `/api/v1/flows`: the catalogue of what other programs run.

pub mod get;
pub mod list;
pub mod register;
pub mod tasks;
