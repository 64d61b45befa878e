//! One attempt: the command, inside of the boundary or, on a server that trusts it, outside.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;
use windlass_core::run::AttemptError;

use super::Shell;
use crate::child::reaper::VARIABLE;
use crate::child::{self, Ended, NotEnded};
use crate::context::NodeContext;
use crate::node::{fail, retry};
use crate::sandbox::{Enclosure, Limits, Paths, SandboxSettings, Wish, read_result};

/// What is passed on of the server's own environment.
const INHERITED: &[&str] = &["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];
/// What is not, if the server's home and directories are not the step's.
const ITS_OWN: &[&str] = &["HOME", "USER", "TMPDIR"];
/// What the file of the result is called.
const RESULT: &str = "output.json";

pub(super) async fn run(shell: Shell, context: NodeContext) -> Result<Value, AttemptError> {
    let sandbox = context.shell.sandbox.clone();
    if sandbox.settings().trusts_shell {
        context.notes.sandbox("none: `shell` is trusted");
        return trusted(shell, &context).await;
    }
    let wish = Wish {
        has_network: shell.network.unwrap_or(true),
        cwd: shell.cwd.clone(),
        paths: shell.sandbox.as_ref().map(Paths::from),
        kept_dir: shell.own_dir.clone(),
        limits: limits(sandbox.settings()),
        ..Wish::default()
    };
    let enclosure = Enclosure::begin(&sandbox, &context, wish).await?;
    let inner_dir = enclosure.inner_dir().to_owned();
    let mut command = enclosure.command(&sandbox)?;
    let (program, arguments) = program(&shell)?;
    command.arg(program).args(arguments);
    inherit(&mut command, Some(&inner_dir));
    set(&mut command, &shell.env, &context)?;
    command.env("WINDLASS_OUTPUT", inner_dir.join(RESULT));
    let stdin = shell.stdin.as_ref().map(|stdin| as_text(stdin).into_bytes());
    let ended = child::run(command, stdin, &context, Some(&enclosure)).await;
    let ended = ended.map_err(|error| not_ended(&shell, error))?;
    enclosure.check(&ended)?;
    outcome(ended, || enclosure.result(RESULT))
}

/// As the server's own user, with all that it may do.
async fn trusted(shell: Shell, context: &NodeContext) -> Result<Value, AttemptError> {
    let own_dir = tempfile::Builder::new()
        .prefix("step-")
        .tempdir_in(&context.shell.work_dir)
        .map_err(|error| retry("start", format!("cannot make a directory: {error}")))?;
    let result = own_dir.path().join(RESULT);
    let (program, arguments) = program(&shell)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    inherit(&mut command, None);
    set(&mut command, &shell.env, context)?;
    command.env("WINDLASS_OUTPUT", &result);
    command.current_dir(shell.cwd.as_deref().unwrap_or_else(|| own_dir.path()));
    let stdin = shell.stdin.as_ref().map(|stdin| as_text(stdin).into_bytes());
    let ended = child::run(command, stdin, context, None).await;
    outcome(ended.map_err(|error| not_ended(&shell, error))?, || read_result(&result))
}

fn program(shell: &Shell) -> Result<(String, Vec<String>), AttemptError> {
    match (&shell.script, shell.argv.as_deref()) {
        (Some(script), None) => Ok(("/bin/sh".to_owned(), vec!["-c".to_owned(), script.clone()])),
        (None, Some([program, arguments @ ..])) => {
            Ok((as_text(program), arguments.iter().map(as_text).collect()))
        }
        _ => Err(fail("bad_config", "either `script` or `argv` is needed, and not both")),
    }
}

/// What a program may use up.
pub(crate) fn limits(settings: &SandboxSettings) -> Limits {
    Limits {
        memory: Some(settings.memory_max),
        processes: Some(settings.process_count_max),
        file: Some(settings.file_bytes_max),
        cpu: None,
    }
}

/// Passes on what is passed on of the server's environment. `own_dir` is there inside of the boundary.
pub(crate) fn inherit(command: &mut Command, own_dir: Option<&Path>) {
    let is_wanted = |name: &str| own_dir.is_none() || !ITS_OWN.contains(&name);
    for (name, value) in std::env::vars_os() {
        if INHERITED.iter().any(|inherited| name == *inherited && is_wanted(inherited)) {
            command.env(name, value);
        }
    }
    if let Some(own_dir) = own_dir {
        command.env("HOME", own_dir).env("TMPDIR", own_dir);
    }
}

/// Sets the variables of the config and those of Windlass.
pub(crate) fn set(
    command: &mut Command,
    env: &BTreeMap<String, Value>,
    context: &NodeContext,
) -> Result<(), AttemptError> {
    for (name, value) in env {
        let text = as_text(value);
        if name.is_empty() || name.contains(['=', '\0']) || text.contains('\0') {
            let message =
                format!("`{name}` cannot be an environment variable, or its value holds NUL");
            return Err(fail("bad_config", message));
        }
        command.env(name, text);
    }
    command
        .env("WINDLASS_RUN_ID", context.run_id.to_string())
        .env("WINDLASS_STEP", &context.step)
        .env("WINDLASS_ATTEMPT", context.attempt.to_string())
        .env("WINDLASS_IDEMPOTENCY_KEY", context.idempotency_key())
        .env(VARIABLE, context.shell.owner.to_string());
    Ok(())
}

fn not_ended(shell: &Shell, error: NotEnded) -> AttemptError {
    match error {
        NotEnded::Start(error) => start_error(shell, &error),
        NotEnded::Other(error) => error,
    }
}

/// A program that is not there will not be there next time; a lack of processes or memory may pass.
fn start_error(shell: &Shell, error: &std::io::Error) -> AttemptError {
    let program = match shell.argv.as_deref() {
        Some([program, ..]) => as_text(program),
        _ => "/bin/sh".to_owned(),
    };
    let message = match &shell.cwd {
        Some(cwd) => format!("cannot start `{program}` in `{}`: {error}", cwd.display()),
        None => format!("cannot start `{program}`: {error}"),
    };
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => {
            fail("start", message)
        }
        _ => retry("start", message),
    }
}

fn outcome(
    ended: Ended,
    result: impl FnOnce() -> Result<Option<Value>, AttemptError>,
) -> Result<Value, AttemptError> {
    let Ended { status, stdout, stderr } = ended;
    if !status.success() {
        let details = json!({ "exit_code": status.code(), "stdout": stdout, "stderr": stderr });
        let mut error = retry("exit_code", child::words(status));
        error.failure.details = Some(details);
        return Err(error);
    }
    let result = result().map_err(|mut error| {
        let message = error.failure.message.replacen("the result", "$WINDLASS_OUTPUT", 1);
        error.failure.message = message;
        error
    })?;
    Ok(json!({ "exit_code": 0, "stdout": stdout, "result": result }))
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
