//! Health and metrics.

pub mod health;
pub mod livez;
pub mod metrics;
pub mod ping;
pub mod readyz;
pub mod startupz;
pub mod version;
