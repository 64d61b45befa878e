//! `/api/v1/events`.

pub mod ingest;
pub mod lineage;
pub mod send;
pub mod traces;
