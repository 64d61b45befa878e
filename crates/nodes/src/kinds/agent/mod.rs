//! `agent`: a model that has tools used until it is done.

mod conversation;
mod fields;
mod run;
mod tools;

use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use windlass_core::kinds::{Complaint, NodeConfig};
use windlass_core::run::AttemptError;

use crate::context::NodeContext;
use crate::kinds::llm::fields::asking_config;
use crate::node::{AskingNode, Outcome};
use fields::{AgentTool, McpField};

/// `max_turns`.
const TURN_COUNT_MAX: u32 = 500;

asking_config! {
/// Has a language model work on something, with tools, until it is done.
///
/// Every answer of the model and every outcome of a tool is journaled before the next one is asked
/// for. After a crash the step goes on where it was: no answer is paid for twice that is journaled,
/// and no tool is used twice whose outcome is. A tool that was in use is used again; a workflow that
/// was being run as a tool is not begun again but waited for.
///
/// A tool with `approve` is used only once somebody has approved its arguments: the step waits
/// as an `approval` does. A tool that fails does not fail the step; the model is told.
///
/// The output has the fields of the last answer if it is a JSON object, and always `text`, `json`,
/// `model`, `usage` (of all turns), `turns`, `finish` and `tool_calls`. Who is not done after
/// `max_turns` fails with the code `max_turns`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// What it may use: `read_file`, `write_file`, `list`, `glob`, `grep`, `shell` and `http`, by name
    /// or as `{name, approve, allow, with}`; and workflows as `{workflow, description, version,
    /// approve}`. Left out, what the prompt file says.
    #[serde(default)]
    tools: Option<Vec<AgentTool>>,
    /// Servers of further tools, which speak the Model Context Protocol: `{name, command, env}` or
    /// `{name, url, headers}`, with `tools`, `approve` and `timeout`.
    #[serde(default)]
    mcp: Vec<McpField>,
    /// Where files are read and written and programs run. `sandbox.write` of the server must allow it,
    /// unless it trusts `shell` steps. Left out, a directory of the step's own, which survives a
    /// crash of the server and goes when the step has ended.
    #[serde(default)]
    directory: Option<PathBuf>,
    /// Whether programs may reach others. False if left out.
    #[serde(default)]
    network: bool,
    /// How many answers there may be, 1 to 500. Left out, what the prompt file says, else 10.
    #[serde(default)]
    max_turns: Option<u32>,
}
}

impl NodeConfig for Agent {
    const KIND: &'static str = "agent";
    const SUMMARY: &'static str = "Has a language model work with tools until it is done";
    const EXAMPLE: &'static str = include_str!("../examples/agent.yaml");

    fn check(&self) -> Result<(), Complaint> {
        self.asking().check(&[])?;
        if self.max_turns.is_some_and(|turns| !(1..=TURN_COUNT_MAX).contains(&turns)) {
            let message = format!("1 to {TURN_COUNT_MAX} turns are possible");
            return Err(Complaint::at("/max_turns", message));
        }
        fields::check_tools(self.tools.as_deref().unwrap_or_default())?;
        fields::check_servers(&self.mcp)
    }
}

#[async_trait]
impl AskingNode for Agent {
    async fn run(self, context: NodeContext) -> Result<Outcome, AttemptError> {
        run::run(self, context).await
    }
}
