//! The kinds, one file each.

pub mod code;
pub mod http;
pub mod noop;
pub mod shell;
