//! `agent`: a model that has tools used until it is done.

mod run;
mod tools;

use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::HumanDuration;
use windlass_core::kinds::{Complaint, NodeConfig};
use windlass_core::run::AttemptError;
use windlass_core::schema::Schema;

use crate::context::NodeContext;
use crate::node::{AskingNode, Outcome};
use tools::ToolName;

/// `max_turns`.
const TURN_COUNT_MAX: u32 = 500;

/// Has a language model work on something, with tools, until it is done.
///
/// Every answer of the model and every outcome of a tool is journaled before the next one is asked
/// for. After a crash the step goes on where it was: no answer is paid for twice that is journaled,
/// and no tool is used twice whose outcome is. A tool that was in use is used again.
///
/// A tool with `approve: true` is used only once somebody has approved its arguments: the step waits
/// as an `approval` does. A tool that fails does not fail the step; the model is told.
///
/// The output has the fields of the last answer if it is a JSON object, and always `text`, `json`,
/// `model`, `usage` (of all turns), `turns`, `finish` and `tool_calls`. Who is not done after
/// `max_turns` fails with the code `max_turns`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The model, such as `gpt-5-mini` or `anthropic/claude-sonnet-4-5`.
    model: String,
    /// What to do. What is no text is given as JSON.
    prompt: Value,
    /// What holds for the whole conversation.
    #[serde(default)]
    system: Option<String>,
    /// What it may use: `read_file`, `write_file`, `list`, `glob`, `grep`, `shell` and `http`, by name
    /// or as `{name, approve, allow, with}`.
    #[serde(default)]
    tools: Vec<AgentTool>,
    /// Where files are read and written and programs run. `sandbox.write` of the server must allow it,
    /// unless it trusts `shell` steps. Every tool but `http` needs it.
    #[serde(default)]
    directory: Option<PathBuf>,
    /// Whether programs may reach others. False if left out.
    #[serde(default)]
    network: bool,
    /// How many answers there may be, 1 to 500.
    #[serde(default = "ten")]
    max_turns: u32,
    /// How much chance decides: 0 for as little as possible, at most 2.
    #[serde(default)]
    temperature: Option<f64>,
    /// How many tokens each answer may have.
    #[serde(default)]
    max_tokens: Option<u32>,
    /// JSON Schema that the last answer must fit. One that does not is a turn: the model is told what
    /// is wrong.
    #[serde(default)]
    output_schema: Option<Value>,
    /// Who provides the model, by its name in the server's settings.
    #[serde(default)]
    provider: Option<String>,
    /// An address to ask instead of the provider's, by the rules of the kind `http`.
    #[serde(default)]
    base_url: Option<String>,
    /// A key instead of the provider's, such as `{{ secrets.openai }}`.
    #[serde(default)]
    api_key: Option<String>,
    /// How long one exchange with the model may take.
    #[serde(default = "five_minutes")]
    timeout: HumanDuration,
}

/// A tool, by its name or with more to say about it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum AgentTool {
    /// As it is.
    Name(ToolName),
    /// With more to say.
    More(ToolField),
}

/// How a tool may be used.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct ToolField {
    /// Which.
    name: ToolName,
    /// Whether somebody has to approve each use.
    #[serde(default)]
    approve: bool,
    /// Of `http`: what URLs have to begin with. Of `shell`: the programs that may be run; there is no
    /// shell then. Left out, everything.
    #[serde(default)]
    allow: Option<Vec<String>>,
    /// Arguments that are always these, whatever the model says, such as headers with a key.
    #[serde(default)]
    with: Map<String, Value>,
}

impl From<AgentTool> for ToolField {
    fn from(tool: AgentTool) -> ToolField {
        match tool {
            AgentTool::More(field) => field,
            AgentTool::Name(name) => {
                ToolField { name, approve: false, allow: None, with: Map::new() }
            }
        }
    }
}

fn ten() -> u32 {
    10
}

fn five_minutes() -> HumanDuration {
    HumanDuration::from_secs(300)
}

impl NodeConfig for Agent {
    const KIND: &'static str = "agent";
    const SUMMARY: &'static str = "Has a language model work with tools until it is done";
    const EXAMPLE: &'static str = include_str!("../examples/agent.yaml");

    fn check(&self) -> Result<(), Complaint> {
        if !(1..=TURN_COUNT_MAX).contains(&self.max_turns) {
            let message = format!("1 to {TURN_COUNT_MAX} turns are possible");
            return Err(Complaint::at("/max_turns", message));
        }
        let fields: Vec<ToolField> = self.tools.iter().cloned().map(ToolField::from).collect();
        for (at, field) in fields.iter().enumerate() {
            let place = format!("/tools/{at}");
            if fields[..at].iter().any(|earlier| earlier.name == field.name) {
                let message = format!("`{}` is there twice", field.name.as_str());
                return Err(Complaint::at(&place, message));
            }
            if field.name.needs_directory() && self.directory.is_none() {
                let message = format!("`{}` needs a `directory`", field.name.as_str());
                return Err(Complaint::at("/directory", message));
            }
            if field.allow.is_some() && !field.name.can_be_limited() {
                let message = format!("`allow` means nothing for `{}`", field.name.as_str());
                return Err(Complaint::at(&format!("{place}/allow"), message));
            }
        }
        match self.output_schema.as_ref().map(Schema::compile) {
            Some(Err(error)) => Err(Complaint::at("/output_schema", error)),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl AskingNode for Agent {
    async fn run(self, context: NodeContext) -> Result<Outcome, AttemptError> {
        run::run(self, context).await
    }
}
