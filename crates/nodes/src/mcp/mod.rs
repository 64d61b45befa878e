//! Servers of tools that speak the Model Context Protocol: programs that are started here, and
//! addresses.
//!
//! The protocol is that of the official crate `rmcp` (`docs/decisions/0018-mcp-by-rmcp.md`). None of
//! its types leaves this module.
//!
//! Not here: which tools may be used, by whom and when (`kinds::agent`).

mod address;
mod outcome;
mod program;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{CallToolRequestParams, PaginatedRequestParams, ProtocolVersion};
use rmcp::service::{ClientInitializeError, ClientLifecycleMode, ClientServiceExt, RunningService};
use rmcp::transport::IntoTransport;
use rmcp::{RoleClient, ServiceError};
use serde_json::{Map, Value};
use windlass_core::run::AttemptError;

use crate::context::NodeContext;
use crate::llm::Tool;
use crate::node::{fail, retry};
use program::Process;

/// How many pages its list of tools may have.
const PAGE_COUNT_MAX: usize = 100;
/// Tools of one server.
const TOOL_COUNT_MAX: usize = 500;
/// How much of what a server says of an error is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// Where a server is.
pub(crate) enum At {
    /// It is started, and ends with the attempt.
    Program(Program),
    /// It is there already.
    Address {
        /// A URL.
        url: String,
        /// Headers of every request.
        headers: BTreeMap<String, String>,
    },
}

/// A program that is a server.
pub(crate) struct Program {
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// Variables of its environment.
    pub(crate) env: BTreeMap<String, Value>,
    /// Where it runs.
    pub(crate) cwd: Option<PathBuf>,
    /// A directory that it may write whatever the settings say.
    pub(crate) own_dir: Option<PathBuf>,
    /// Whether it may reach others.
    pub(crate) has_network: bool,
}

/// A server that is being spoken to.
pub(crate) struct Server {
    name: String,
    running: RunningService<RoleClient, ()>,
    process: Mutex<Option<Process>>,
    limit: Duration,
}

impl Server {
    /// Connects. `limit` is how long each answer may take, the first one included.
    ///
    /// # Errors
    ///
    /// `mcp_unreachable` if it does not answer, `blocked_address` if it may not be asked.
    pub(crate) async fn connect(
        name: &str,
        at: At,
        limit: Duration,
        context: &NodeContext,
    ) -> Result<Server, AttemptError> {
        let (running, process) = match at {
            At::Program(program) => {
                let (mut process, transport) = Process::start(program, context).await?;
                match begin(transport, limit).await {
                    Ok(running) => (running, Some(process)),
                    // What it has said says more than that it does not answer.
                    Err(reason) => {
                        let said = process.last_words().await;
                        let reason =
                            if said.is_empty() { reason } else { format!("{reason}: {said}") };
                        return Err(unreachable(name, &reason));
                    }
                }
            }
            At::Address { url, headers } => {
                let transport = address::transport(&url, &headers, context)?;
                let begun = begin(transport, limit).await;
                (begun.map_err(|reason| unreachable(name, &reason))?, None)
            }
        };
        Ok(Server { name: name.to_owned(), running, process: Mutex::new(process), limit })
    }

    /// The tools it has, as it calls them.
    pub(crate) async fn tools(&self) -> Result<Vec<Tool>, AttemptError> {
        let (mut tools, mut cursor) = (Vec::new(), None);
        for _ in 0..PAGE_COUNT_MAX {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let page = self.in_time(self.running.list_tools(Some(params))).await?;
            tools.extend(page.tools.into_iter().map(|tool| Tool {
                name: tool.name.into_owned(),
                description: tool.description.map(std::borrow::Cow::into_owned),
                parameters: Some(Value::Object((*tool.input_schema).clone())),
            }));
            if tools.len() > TOOL_COUNT_MAX {
                let message = format!("`{}` has more than {TOOL_COUNT_MAX} tools", self.name);
                return Err(fail("mcp_failed", message));
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(tools);
            }
        }
        Err(fail("mcp_failed", format!("`{}` has a list of tools without an end", self.name)))
    }

    /// Uses a tool.
    ///
    /// # Errors
    ///
    /// `tool_failed` if the tool says so, `mcp_failed` if the server does.
    pub(crate) async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<String, AttemptError> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let result = self.in_time(self.running.call_tool(params)).await?;
        outcome::read(result)
    }

    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, AttemptError> {
        let name = &self.name;
        match tokio::time::timeout(self.limit, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(ServiceError::McpError(error))) => {
                let message = format!("`{name}` answered with an error: {}", error.message);
                Err(fail("mcp_failed", cut(&message)))
            }
            Ok(Err(error)) => Err(retry("mcp_failed", cut(&format!("`{name}`: {error}")))),
            Err(_) => {
                let message = format!("`{name}` has not answered within {:?}", self.limit);
                Err(retry("timeout", message))
            }
        }
    }

    /// Says goodbye, and ends the program if there is one.
    pub(crate) async fn close(&self) {
        self.running.cancellation_token().cancel();
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(process) = process {
            process.end().await;
        }
    }
}

/// The first words, in whichever version of the protocol the server speaks.
async fn begin<T, E, A>(
    transport: T,
    limit: Duration,
) -> Result<RunningService<RoleClient, ()>, String>
where
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    let mode = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::LATEST],
        legacy_version: None,
    };
    match tokio::time::timeout(limit, ().serve_with_lifecycle(transport, mode)).await {
        Ok(Ok(running)) => Ok(running),
        Ok(Err(ClientInitializeError::LegacyFallbackFailed { fallback, .. })) => {
            Err(fallback.to_string())
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {limit:?}")),
    }
}

fn unreachable(name: &str, reason: &str) -> AttemptError {
    let message = format!("the server `{name}` cannot be reached: {reason}");
    retry("mcp_unreachable", cut(&message))
}

fn cut(text: &str) -> String {
    let end = (0..=MESSAGE_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}
