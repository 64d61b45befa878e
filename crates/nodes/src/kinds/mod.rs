//! The kinds, one file each.

pub mod agent;
pub mod code;
pub mod http;
pub mod llm;
pub mod noop;
pub mod shell;
