//! `shell`: a program in a process group of its own.

pub(crate) mod attempt;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use windlass_core::expr::Type;
use windlass_core::kinds::{Complaint, NodeConfig};
use windlass_core::run::AttemptError;

pub use crate::child::reaper::{
    ChildGuard, Mark, NoGuard, Reaper, VARIABLE as OWNER_VARIABLE, kill_leftovers, reap,
};

use crate::context::NodeContext;
use crate::kept::Kept;
use crate::node::Node;
use crate::sandbox::{Sandbox, SandboxField};

/// Runs a script or a program, as a child process in a group of its own.
///
/// Values reach it by `env`, `stdin` and `argv`, never inside of the script's text, so that no
/// value can become code. Its environment is otherwise empty but for `PATH`, `HOME`, `USER`, `LANG`,
/// `LC_ALL`, `TZ` and `TMPDIR`, and what Windlass adds: `WINDLASS_RUN_ID`, `WINDLASS_STEP`,
/// `WINDLASS_ATTEMPT` (from 1), `WINDLASS_IDEMPOTENCY_KEY` (the same for every attempt),
/// `WINDLASS_OUTPUT`, a file to write a JSON result to, and `WINDLASS_OWNER`, by which the next
/// server finds what this one leaves behind.
///
/// Every line it writes is a log line. The output is
/// `{"exit_code": 0, "stdout": "…", "result": …}`, with the last 64 KiB of what it wrote to
/// standard output and the JSON from `$WINDLASS_OUTPUT`. Any other exit code fails the step with
/// the code `exit_code`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shell {
    /// A script for `/bin/sh`. Not a template.
    #[serde(default)]
    script: Option<String>,
    /// A program and its arguments, instead of a script.
    #[serde(default)]
    argv: Option<Vec<Value>>,
    /// Environment variables. What is no text is given as JSON.
    #[serde(default)]
    env: BTreeMap<String, Value>,
    /// What it reads from standard input. What is no text is given as JSON.
    #[serde(default)]
    stdin: Option<Value>,
    /// Where it runs. Left out, in an empty directory of its own that is removed afterwards.
    #[serde(default)]
    cwd: Option<PathBuf>,
    /// Whether it may reach others. True if left out.
    #[serde(default)]
    network: Option<bool>,
    /// What it may read and write besides the system and its own directory, within what the server's
    /// `sandbox.read` and `sandbox.write` allow. Left out, all of that.
    #[serde(default)]
    sandbox: Option<SandboxField>,
    /// A directory that the server has made for the step, and that no setting has to allow.
    #[serde(skip)]
    own_dir: Option<PathBuf>,
}

impl Shell {
    /// The same, and it may write a directory that is the step's own.
    pub(crate) fn with_own_dir(mut self, own_dir: Option<PathBuf>) -> Shell {
        self.own_dir = own_dir;
        self
    }
}

/// How child processes are made on this server.
#[derive(Debug)]
pub struct ShellSettings {
    /// Where attempts get their own directories.
    pub work_dir: PathBuf,
    /// Directories that steps keep from one attempt to the next.
    pub kept: Kept,
    /// Learns of every process group that begins and ends.
    pub guard: Arc<dyn ChildGuard>,
    /// Set as `WINDLASS_OWNER` in every child, so that a later server finds what an earlier one
    /// left behind.
    pub owner: Mark,
    /// The boundary around them.
    pub sandbox: Arc<Sandbox>,
}

impl NodeConfig for Shell {
    const KIND: &'static str = "shell";
    const SUMMARY: &'static str = "Runs a script or a program";
    const EXAMPLE: &'static str = include_str!("../examples/shell.yaml");

    fn check(&self) -> Result<(), Complaint> {
        match (&self.script, &self.argv) {
            (Some(script), None) if script.contains("{{") => {
                Err(Complaint::at("/script", "values are never put into a script's text")
                    .hint("pass them by `env` and read them as \"$NAME\", or by `stdin`"))
            }
            (None, Some(argv)) if argv.is_empty() => {
                Err(Complaint::at("/argv", "a program is needed"))
            }
            (Some(_), None) | (None, Some(_)) => Ok(()),
            _ => Err(Complaint::at("", "either `script` or `argv` is needed, and not both")),
        }
    }

    fn output(_: &Value) -> Type {
        Type::closed([("exit_code", Type::Number), ("stdout", Type::Text), ("result", Type::Any)])
    }
}

#[async_trait]
impl Node for Shell {
    async fn run(self, context: NodeContext) -> Result<Value, AttemptError> {
        attempt::run(self, context).await
    }
}
