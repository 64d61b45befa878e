//! Keys of those who call.

pub mod create;
pub mod list;
pub mod revoke;
