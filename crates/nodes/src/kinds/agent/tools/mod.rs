//! What an agent can use: tools of our own, workflows, and tools of servers. To the model they are one
//! list.

mod builtin;
mod place;
mod workflow;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use windlass_core::Failure;
use windlass_core::run::AttemptError;

pub(super) use builtin::ToolName;
pub(super) use place::Place;

use super::fields::{AgentTool, McpField, ToolField};
use crate::context::{NodeContext, StopReason};
use crate::llm::{Tool, ToolCall};
use crate::mcp;
use crate::node::fail;
use place::Opened;
use workflow::{Begun, WorkflowTool};

/// The longest outcome that a model is told, in bytes.
pub(super) const OUTCOME_BYTES_MAX: usize = 64 * 1024;
/// Tools of one agent.
const TOOL_COUNT_MAX: usize = 500;
/// How much of a description a model reads, in bytes.
const DESCRIPTION_BYTES_MAX: usize = 4_000;
/// The longest name that every provider takes.
const NAME_LENGTH_MAX: usize = 64;

/// A tool that is there.
pub(super) struct Usable {
    described: Tool,
    /// Whether somebody has to approve each use.
    pub(super) approve: bool,
    does: Does,
}

enum Does {
    Builtin(ToolField),
    Workflow(WorkflowTool),
    /// A tool of a server, as the server calls it.
    Mcp(Arc<mcp::Server>, String),
}

/// What an attempt holds outside of its process, and has to let go of however it ends.
#[derive(Default)]
pub(super) struct Belongings {
    /// The run that is being waited for.
    begun: Mutex<Option<Begun>>,
    servers: Mutex<Vec<Arc<mcp::Server>>>,
}

impl Belongings {
    /// Lets go of all of it. Runs go on if the next attempt is to find them again.
    pub(super) async fn end(&self, context: &NodeContext, reason: Option<StopReason>) {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).take();
        let is_wanted = matches!(reason, None | Some(StopReason::ShuttingDown));
        if let Some(begun) = begun.filter(|_| !is_wanted)
            && let Ok(run_id) = begun.await
        {
            context.workflows.cancel(run_id).await;
        }
        let servers =
            std::mem::take(&mut *self.servers.lock().unwrap_or_else(PoisonError::into_inner));
        for server in servers {
            server.close().await;
        }
    }

    fn waits_for(&self, begun: Option<Begun>) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = begun;
    }
}

/// The tools of one agent.
pub(super) struct Tools<'a> {
    all: Vec<Usable>,
    place: Opened,
    belongings: &'a Belongings,
}

impl<'a> Tools<'a> {
    /// Finds out what there is.
    pub(super) async fn new(
        fields: Vec<AgentTool>,
        servers: Vec<McpField>,
        place: Place,
        context: &NodeContext,
        belongings: &'a Belongings,
    ) -> Result<Tools<'a>, AttemptError> {
        let has_programs = servers.iter().any(|server| server.command.is_some());
        let place = place.open(has_programs || builtin::need_directory(&fields), context).await?;
        let mut all = Vec::new();
        for field in fields {
            all.push(match field {
                AgentTool::Name(name) => builtin::usable(ToolField::from(name)),
                AgentTool::More(field) => builtin::usable(field),
                AgentTool::Workflow(field) => workflow::usable(field, context).await?,
            });
        }
        for field in servers {
            let server = Arc::new(connect(&field, &place, context).await?);
            belongings.servers.lock().unwrap_or_else(PoisonError::into_inner).push(server.clone());
            all.extend(tools_of(&field, &server).await?);
        }
        if all.len() > TOOL_COUNT_MAX {
            return Err(fail("bad_config", format!("more than {TOOL_COUNT_MAX} tools")));
        }
        for (at, usable) in all.iter().enumerate() {
            let name = &usable.described.name;
            if all[..at].iter().any(|earlier| earlier.described.name == *name) {
                return Err(fail("bad_config", format!("two tools are called `{name}`")));
            }
        }
        Ok(Tools { all, place, belongings })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Usable> {
        self.all.iter().find(|usable| usable.described.name == name)
    }

    /// As the model gets to know them.
    pub(super) fn described(&self) -> Vec<Tool> {
        self.all.iter().map(|usable| usable.described.clone()).collect()
    }

    /// Does what a model asks for. `key` is the call's own, so that the other side recognises a
    /// repetition of it. The inner error is told to the model; the outer one ends the attempt.
    pub(super) async fn run(
        &self,
        usable: &Usable,
        call: &ToolCall,
        key: &str,
        context: &NodeContext,
    ) -> Result<Result<String, Failure>, AttemptError> {
        let Value::Object(arguments) = call.arguments.clone() else {
            return Ok(Err(Failure::new("bad_arguments", "the arguments are no JSON object")));
        };
        let result = match &usable.does {
            Does::Builtin(field) => {
                let step = format!("{}/{key}", context.step);
                let context = NodeContext { step, ..context.clone() };
                builtin::run(field, arguments, &self.place, context).await
            }
            Does::Mcp(server, tool) => server.call(tool, arguments).await,
            Does::Workflow(tool) => {
                match tool.run(arguments, key, self.belongings, context).await {
                    // Nobody knows what has become of it. The next attempt asks again.
                    Err(error) if !error.is_final => return Err(error),
                    result => result,
                }
            }
        };
        Ok(result.map_err(|error| error.failure))
    }
}

async fn connect(
    field: &McpField,
    place: &Opened,
    context: &NodeContext,
) -> Result<mcp::Server, AttemptError> {
    let limit = field.timeout.0;
    let at = match (&field.command, &field.url) {
        (Some(command), _) => mcp::At::Program(mcp::Program {
            command: command.clone(),
            env: field.env.clone(),
            cwd: place.directory.clone(),
            own_dir: place.own_dir(),
            has_network: place.has_network,
        }),
        (None, Some(url)) => mcp::At::Address { url: url.clone(), headers: field.headers.clone() },
        (None, None) => return Err(fail("bad_config", "a server needs `command` or `url`")),
    };
    mcp::Server::connect(&field.name, at, limit, context).await
}

/// The tools of a server that may be used.
async fn tools_of(
    field: &McpField,
    server: &Arc<mcp::Server>,
) -> Result<Vec<Usable>, AttemptError> {
    let offered = server.tools().await?;
    for name in field.tools.iter().flatten() {
        if !offered.iter().any(|tool| tool.name == *name) {
            let message = format!("the server `{}` has no tool `{name}`", field.name);
            return Err(fail("mcp_tool_missing", message));
        }
    }
    let is_allowed = |name: &String| field.tools.as_ref().is_none_or(|tools| tools.contains(name));
    let usable = |tool: Tool| Usable {
        described: Tool {
            name: name_for_model(&format!("{}__{}", field.name, tool.name)),
            description: tool.description.map(|text| cut(&text, DESCRIPTION_BYTES_MAX)),
            parameters: tool.parameters,
        },
        approve: field.approve.is_needed_for(&tool.name),
        does: Does::Mcp(server.clone(), tool.name),
    };
    Ok(offered.into_iter().filter(|tool| is_allowed(&tool.name)).map(usable).collect())
}

/// A name that every provider takes.
fn name_for_model(name: &str) -> String {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name: String = name.chars().map(|c| if is_taken(c) { c } else { '_' }).collect();
    name.chars().take(NAME_LENGTH_MAX).collect()
}

/// The beginning of a text, and that it was cut.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} … [cut]", &text[..end])
}
