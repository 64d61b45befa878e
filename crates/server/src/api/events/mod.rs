//! `/api/v1/events`.

pub mod ingest;
pub mod send;
