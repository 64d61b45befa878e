//! `/api/v1/templates`.

pub mod delete;
pub mod get;
pub mod import;
pub mod list;
