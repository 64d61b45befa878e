//! What an agent's config says of its tools.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::HumanDuration;
use windlass_core::kinds::Complaint;

use super::tools::ToolName;

/// Servers of one agent.
const SERVER_COUNT_MAX: usize = 20;

/// A tool, by its name or with more to say about it, or a workflow.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum AgentTool {
    /// As it is.
    Name(ToolName),
    /// With more to say.
    More(ToolField),
    /// A workflow of the project.
    Workflow(WorkflowField),
}

/// How a tool may be used.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct ToolField {
    /// Which.
    pub(super) name: ToolName,
    /// Whether somebody has to approve each use.
    #[serde(default)]
    pub(super) approve: bool,
    /// Of `http`: what URLs have to begin with. Of `shell`: the programs that may be run; there is no
    /// shell then. Left out, everything.
    #[serde(default)]
    pub(super) allow: Option<Vec<String>>,
    /// Arguments that are always these, whatever the model says, such as headers with a key.
    #[serde(default)]
    pub(super) with: Map<String, Value>,
}

impl From<ToolName> for ToolField {
    fn from(name: ToolName) -> ToolField {
        ToolField { name, approve: false, allow: None, with: Map::new() }
    }
}

/// A workflow that the model may have run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct WorkflowField {
    /// The workflow's name or id, in the same project.
    pub(super) workflow: String,
    /// When and how to use it. Left out, the workflow's own description.
    #[serde(default)]
    pub(super) description: Option<String>,
    /// Which version. Left out, the newest one at that time.
    #[serde(default)]
    pub(super) version: Option<u32>,
    /// Whether somebody has to approve each use.
    #[serde(default)]
    pub(super) approve: bool,
}

/// A server of tools.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct McpField {
    /// What its tools are called with: `name__tool`.
    pub(super) name: String,
    /// A program and its arguments, which speaks by its input and output. It runs as a `shell` step
    /// does, within its boundary, in the agent's directory.
    #[serde(default)]
    pub(super) command: Option<Vec<String>>,
    /// Environment variables of the program.
    #[serde(default)]
    pub(super) env: BTreeMap<String, Value>,
    /// An address instead of a program, by the rules of the kind `http`.
    #[serde(default)]
    pub(super) url: Option<String>,
    /// Headers of every request to the address.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// The tools that may be used, as the server calls them. Left out, all.
    #[serde(default)]
    pub(super) tools: Option<Vec<String>>,
    /// Whether somebody has to approve each use, of all its tools or of these.
    #[serde(default)]
    pub(super) approve: Approve,
    /// How long it may take to answer.
    #[serde(default = "one_minute")]
    pub(super) timeout: HumanDuration,
}

fn one_minute() -> HumanDuration {
    HumanDuration::from_secs(60)
}

/// Which uses have to be approved.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum Approve {
    /// All or none.
    All(bool),
    /// Those of these tools.
    Tools(Vec<String>),
}

impl Default for Approve {
    fn default() -> Approve {
        Approve::All(false)
    }
}

impl Approve {
    pub(super) fn is_needed_for(&self, tool: &str) -> bool {
        match self {
            Approve::All(all) => *all,
            Approve::Tools(tools) => tools.iter().any(|one| one == tool),
        }
    }
}

/// What types cannot see of the tools.
pub(super) fn check_tools(tools: &[AgentTool]) -> Result<(), Complaint> {
    let mut names: Vec<String> = Vec::new();
    for (at, tool) in tools.iter().enumerate() {
        let place = format!("/tools/{at}");
        let name = match tool {
            AgentTool::Name(name) => name.as_str().to_owned(),
            AgentTool::More(field) => {
                if field.allow.is_some() && !field.name.can_be_limited() {
                    let message = format!("`allow` means nothing for `{}`", field.name.as_str());
                    return Err(Complaint::at(&format!("{place}/allow"), message));
                }
                field.name.as_str().to_owned()
            }
            AgentTool::Workflow(field) if field.workflow.trim().is_empty() => {
                let place = format!("{place}/workflow");
                return Err(Complaint::at(&place, "the workflow's name is missing"));
            }
            AgentTool::Workflow(field) => format!("workflow {}", field.workflow),
        };
        if names.contains(&name) {
            return Err(Complaint::at(&place, format!("`{name}` is there twice")));
        }
        names.push(name);
    }
    Ok(())
}

/// What types cannot see of the servers.
pub(super) fn check_servers(servers: &[McpField]) -> Result<(), Complaint> {
    if servers.len() > SERVER_COUNT_MAX {
        return Err(Complaint::at("/mcp", format!("at most {SERVER_COUNT_MAX} servers")));
    }
    for (at, server) in servers.iter().enumerate() {
        let place = format!("/mcp/{at}");
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = server.name.as_str();
        if !(1..=32).contains(&name.len()) || !name.chars().all(is_word) || name.contains("__") {
            let message = "1 to 32 letters, digits, `_` and `-`, without two `_` in a row";
            return Err(Complaint::at(&format!("{place}/name"), message));
        }
        if servers[..at].iter().any(|earlier| earlier.name == name) {
            return Err(Complaint::at(&place, format!("`{name}` is there twice")));
        }
        match (&server.command, &server.url) {
            (Some(command), None) if command.is_empty() => {
                return Err(Complaint::at(&format!("{place}/command"), "a program is needed"));
            }
            (Some(_), None) if !server.headers.is_empty() => {
                let place = format!("{place}/headers");
                return Err(Complaint::at(&place, "only an address gets headers"));
            }
            (None, Some(_)) if !server.env.is_empty() => {
                let place = format!("{place}/env");
                return Err(Complaint::at(&place, "only a program has an environment"));
            }
            (Some(_), None) | (None, Some(_)) => {}
            _ => {
                let message = "either `command` or `url` is needed, and not both";
                return Err(Complaint::at(&place, message));
            }
        }
    }
    Ok(())
}
