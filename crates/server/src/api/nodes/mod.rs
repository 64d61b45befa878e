//! `/api/v1/nodes`.

pub(crate) mod attempt;
pub mod get;
pub mod list;
pub mod test;
