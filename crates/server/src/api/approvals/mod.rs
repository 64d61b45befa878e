//! `/api/v1/approvals` and `/api/v1/runs/{run}/approvals`.

pub mod decide;
pub mod get;
pub mod list;
