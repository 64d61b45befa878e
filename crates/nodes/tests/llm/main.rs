//! The kind `llm` against servers that speak what providers speak: the LiteLLM proxy, which
//! somebody else wrote, and exchanges as providers have documented them for what it lacks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent;
mod agent_files;
mod agent_mcp;
mod agent_models;
mod agent_workflows;
mod harness;
mod litellm;
mod proxy;
mod recorded;
mod span;
mod world;
