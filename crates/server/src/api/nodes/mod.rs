//! `/api/v1/nodes`.

pub mod get;
pub mod list;
pub mod test;
