//! A server that is started here: a child process like that of a `shell` step, spoken to by its input
//! and output. What it writes to its standard error are log lines.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use windlass_core::run::AttemptError;

use super::Program;
use crate::child::lines::pump;
use crate::child::reaper::VARIABLE;
use crate::child::{Group, Pipes};
use crate::context::{LogStream, NodeContext};
use crate::kinds::shell::attempt::{inherit, limits, set};
use crate::node::{fail, retry};
use crate::sandbox::{Enclosure, Wish};

/// How long its last words are waited for once it has ended.
const LAST_WORDS_TIME: Duration = Duration::from_millis(500);

/// A program that is a server. It ends when this is dropped.
pub(super) struct Process {
    /// Dropped first: it ends all of them.
    group: Option<Group>,
    child: Child,
    errors: Option<JoinHandle<String>>,
    /// What it runs in, if it runs in one.
    enclosure: Option<Enclosure>,
    /// Its own directory where there is no boundary.
    _own_dir: Option<tempfile::TempDir>,
}

impl Process {
    /// Starts it. What it says and is told goes through the two pipes.
    pub(super) async fn start(
        program: Program,
        context: &NodeContext,
    ) -> Result<(Process, (pipe::Receiver, pipe::Sender)), AttemptError> {
        let sandbox = context.shell.sandbox.clone();
        let [name, arguments @ ..] = program.command.as_slice() else {
            return Err(fail("bad_config", "`command` names no program"));
        };
        let cannot =
            |error: std::io::Error| retry("start", format!("cannot start `{name}`: {error}"));
        let (mut command, enclosure, own_dir) = if sandbox.settings().trusts_shell {
            context.notes.sandbox("none: `shell` is trusted");
            let own_dir =
                tempfile::Builder::new().prefix("step-").tempdir_in(&context.shell.work_dir);
            let own_dir = own_dir.map_err(cannot)?;
            let mut command = Command::new(name);
            command.env_clear();
            inherit(&mut command, None);
            command.current_dir(program.cwd.as_deref().unwrap_or_else(|| own_dir.path()));
            (command, None, Some(own_dir))
        } else {
            let wish = Wish {
                has_network: program.has_network,
                cwd: program.cwd.clone(),
                kept_dir: program.own_dir.clone(),
                limits: limits(sandbox.settings()),
                ..Wish::default()
            };
            let enclosure = Enclosure::begin(&sandbox, context, wish).await?;
            let mut command = enclosure.command(&sandbox)?;
            command.arg(name);
            inherit(&mut command, Some(enclosure.inner_dir()));
            (command, Some(enclosure), None)
        };
        command.args(arguments);
        set(&mut command, &program.env, context)?;
        command.env(VARIABLE, context.shell.owner.to_string());
        let pipes = Pipes::new(true, &|end| {
            if let Some(enclosure) = &enclosure {
                enclosure.give(end);
            }
        });
        let (input, output, errors) = pipes.map_err(cannot)?.put_into(&mut command);
        command.process_group(0).kill_on_drop(true);
        let child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => {
                fail("start", format!("cannot start `{name}`: {error}"))
            }
            _ => cannot(error),
        })?;
        // The ends that are the child's are closed here, or nobody would see it close them.
        drop(command);
        let number = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or(0);
        let group = Some(Group::new(number, context.shell.guard.clone()));
        let logs = context.logs.clone();
        let count = Arc::new(AtomicU64::new(0));
        let errors = Some(tokio::spawn(pump(errors, LogStream::Stderr, logs, count)));
        let process = Process { group, child, errors, enclosure, _own_dir: own_dir };
        let input = input.ok_or_else(|| retry("start", "there is no pipe to it"))?;
        Ok((process, (output, input)))
    }

    /// The last line that it has written before it ended, if it has.
    pub(super) async fn last_words(&mut self) -> String {
        drop(self.group.take());
        let _ = self.child.wait().await;
        let Some(errors) = self.errors.take() else { return String::new() };
        let said = tokio::time::timeout(LAST_WORDS_TIME, errors).await;
        let said = said.ok().and_then(Result::ok).unwrap_or_default();
        said.lines().next_back().unwrap_or_default().trim().to_owned()
    }

    /// Ends it, and waits until it is gone with its directory.
    pub(super) async fn end(mut self) {
        drop(self.group.take());
        let _ = self.child.wait().await;
        if let Some(errors) = self.errors.take() {
            let _ = tokio::time::timeout(LAST_WORDS_TIME, errors).await;
        }
        let enclosure = self.enclosure.take();
        let _ = tokio::task::spawn_blocking(move || drop(enclosure)).await;
    }
}
