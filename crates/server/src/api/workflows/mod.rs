//! `/api/v1/workflows`.

pub mod check;
pub mod delete;
pub mod deploy;
pub mod execute;
pub mod execute_batch;
pub mod get;
pub mod list;
pub mod pause;
pub mod replace;
pub mod rerun_failed;
pub mod resume;
pub mod versions;
