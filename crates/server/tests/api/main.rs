//! Every endpoint: what it answers when all is well, and each of its problems.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod analytics;
mod bad_input;
mod batch;
mod budgets;
mod chameleon;
mod cors;
mod definitions;
mod execute;
mod export;
mod facade;
mod guard;
mod harness;
mod hybrid;
mod keys;
mod live;
mod mcp;
mod model;
mod node_pages;
mod nodes;
mod observed;
mod observed_order;
mod operations;
mod pilots;
mod plue;
mod prompts;
#[path = "../../../nodes/tests/llm/proxy.rs"]
mod proxy;
mod refund_desk;
mod repair;
mod routes;
mod runs;
mod secrets;
mod socket;
mod strangers;
mod stream;
#[expect(dead_code, reason = "the commands' tests use more of it")]
mod tamper;
mod tasks;
mod templates;
mod unit_queues;
mod units;
mod words;
