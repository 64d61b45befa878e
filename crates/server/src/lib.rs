//! The roof: HTTP API, pages, command line, settings.
//!
//! ```text
//!   cli ─┬─► boot ──► App { engine, config, metrics }
//!        │                     ▲
//!        └─► client ──► http::router ─┬─► api/   one file per endpoint
//!            (remote, or in process)  ├─► pages/ one file per page
//!                                     └─► mcp/   one file per tool of AI agents
//! ```
//!
//! [`api`], [`pages`] and [`mcp`] show what the engine and its store know, and pass on what people
//! want. They are one router, which the command line also asks when no server is running.
//!
//! Not here: what a run does (`windlass-core`), when (`windlass-engine`), SQL (`windlass-store`).

pub mod access;
pub mod analytics;
pub mod api;
pub mod app;
pub mod archive;
pub mod boot;
pub mod cli;
pub mod client;
pub mod config;
pub mod crash;
pub mod database;
pub mod difference;
pub mod facade;
pub mod follow;
pub mod http;
pub mod mcp;
pub mod metrics;
pub mod observe;
pub mod pages;
pub mod plugins;
pub mod run_file;
pub mod traces;
mod units;
pub mod vault;
