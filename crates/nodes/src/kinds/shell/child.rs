//! One child process, from its start to the end of its group.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use windlass_core::limits::PAYLOAD_BYTES_MAX;
use windlass_core::run::AttemptError;

use super::lines::pump;
use super::reaper::{VARIABLE, kill_group};
use super::{ChildGuard, Shell};
use crate::context::{LogStream, NodeContext, StopReason};
use crate::node::{fail, retry};

/// How long a child may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How long the pipes are read after the child has ended. A process that left the group may hold
/// them open for ever.
const PIPES_AFTER_END: Duration = Duration::from_secs(1);

/// What is passed on of the server's own environment.
const INHERITED: &[&str] = &["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];

pub(super) async fn run(shell: Shell, context: NodeContext) -> Result<Value, AttemptError> {
    let own_dir = tempfile::Builder::new()
        .prefix("step-")
        .tempdir_in(&context.shell.work_dir)
        .map_err(|error| retry("start", format!("cannot make a directory: {error}")))?;
    let result_file = own_dir.path().join("output.json");
    let stdin = shell.stdin.as_ref().map(as_text);
    let mut child = command(&shell, &context, &own_dir, &result_file)?
        .spawn()
        .map_err(|error| start_error(&shell, &error))?;
    // The group's number is the child's. It is only missing once the child has been waited for.
    let group = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or(0);
    let _group = Group::new(group, context.shell.guard.clone());
    let writer = write_stdin(&mut child, stdin);
    let count = Arc::new(AtomicU64::new(0));
    let stdout = spawn_pump(child.stdout.take(), LogStream::Stdout, &context, &count);
    let stderr = spawn_pump(child.stderr.take(), LogStream::Stderr, &context, &count);

    let mut stop = context.stop.clone();
    let ended = tokio::select! {
        status = child.wait() => Ended::Itself(status),
        reason = stop.asked() => Ended::Asked(reason),
    };
    let status = match ended {
        Ended::Itself(status) => Ok(status),
        Ended::Asked(reason) => {
            kill_group(group, Signal::TERM);
            if timeout(GRACE, child.wait()).await.is_err() {
                kill_group(group, Signal::KILL);
                let _ = child.wait().await;
            }
            Err(reason)
        }
    };
    // Whoever is left of the group has no one to work for.
    kill_group(group, Signal::KILL);
    writer.abort();
    let stdout = tail_of(stdout).await;
    let stderr = tail_of(stderr).await;
    match status {
        Err(StopReason::TimedOut) => Err(retry("timeout", "the time was up before it had ended")),
        Err(StopReason::Cancelled) => Err(fail("cancelled", "it was cancelled")),
        Err(StopReason::ShuttingDown) => Err(fail("interrupted", "the server went down")),
        Ok(Err(error)) => Err(retry("start", format!("cannot wait for it: {error}"))),
        Ok(Ok(status)) => outcome(status, stdout, stderr, &result_file),
    }
}

enum Ended {
    Itself(std::io::Result<ExitStatus>),
    Asked(StopReason),
}

/// A process group that is known to the guard as long as this lives, and that does not outlive it.
struct Group {
    number: i32,
    guard: Arc<dyn ChildGuard>,
}

impl Group {
    fn new(number: i32, guard: Arc<dyn ChildGuard>) -> Group {
        guard.begun(number);
        Group { number, guard }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        kill_group(self.number, Signal::KILL);
        self.guard.ended(self.number);
    }
}

fn command(
    shell: &Shell,
    context: &NodeContext,
    own_dir: &TempDir,
    result_file: &Path,
) -> Result<Command, AttemptError> {
    let mut command = match (&shell.script, shell.argv.as_deref()) {
        (Some(script), None) => {
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(script);
            command
        }
        (None, Some([program, arguments @ ..])) => {
            let mut command = Command::new(as_text(program));
            command.args(arguments.iter().map(as_text));
            command
        }
        _ => return Err(fail("bad_config", "either `script` or `argv` is needed, and not both")),
    };
    command.env_clear();
    for (name, value) in std::env::vars_os() {
        if INHERITED.iter().any(|inherited| name == *inherited) {
            command.env(name, value);
        }
    }
    for (name, value) in &shell.env {
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
        .env("WINDLASS_OUTPUT", result_file)
        .env(VARIABLE, context.shell.owner.to_string())
        .current_dir(shell.cwd.as_deref().unwrap_or_else(|| own_dir.path()))
        .stdin(if shell.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
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

fn write_stdin(child: &mut Child, text: Option<String>) -> JoinHandle<()> {
    let pipe = child.stdin.take();
    tokio::spawn(async move {
        if let (Some(mut pipe), Some(text)) = (pipe, text) {
            // A child that does not care to read is no error.
            let _ = pipe.write_all(text.as_bytes()).await;
        }
    })
}

fn spawn_pump<P>(
    pipe: Option<P>,
    stream: LogStream,
    context: &NodeContext,
    count: &Arc<AtomicU64>,
) -> JoinHandle<String>
where
    P: tokio::io::AsyncRead + Unpin + Send + 'static,
{
    let (logs, count) = (context.logs.clone(), count.clone());
    tokio::spawn(async move {
        match pipe {
            Some(pipe) => pump(pipe, stream, logs, count).await,
            None => String::new(),
        }
    })
}

async fn tail_of(mut pump: JoinHandle<String>) -> String {
    match timeout(PIPES_AFTER_END, &mut pump).await {
        Ok(tail) => tail.unwrap_or_default(),
        Err(_) => {
            pump.abort();
            String::new()
        }
    }
}

fn outcome(
    status: ExitStatus,
    stdout: String,
    stderr: String,
    result_file: &Path,
) -> Result<Value, AttemptError> {
    if !status.success() {
        use std::os::unix::process::ExitStatusExt;
        let (message, code) = match (status.code(), status.signal()) {
            (Some(code), _) => (format!("it ended with exit code {code}"), json!(code)),
            (None, Some(signal)) => (format!("it was killed by signal {signal}"), Value::Null),
            (None, None) => ("it ended in an unknown way".to_owned(), Value::Null),
        };
        let details = json!({ "exit_code": code, "stdout": stdout, "stderr": stderr });
        let mut error = retry("exit_code", message);
        error.failure.details = Some(details);
        return Err(error);
    }
    let result = read_result(result_file)?;
    Ok(json!({ "exit_code": 0, "stdout": stdout, "result": result }))
}

fn read_result(file: &Path) -> Result<Value, AttemptError> {
    let Ok(metadata) = std::fs::metadata(file) else { return Ok(Value::Null) };
    let limit = u64::try_from(PAYLOAD_BYTES_MAX).unwrap_or(u64::MAX);
    if metadata.len() > limit {
        let message = format!("$WINDLASS_OUTPUT has more than {PAYLOAD_BYTES_MAX} bytes");
        return Err(fail("payload_too_large", message));
    }
    let bytes = std::fs::read(file).unwrap_or_default();
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| fail("bad_output", format!("$WINDLASS_OUTPUT is not JSON: {error}")))
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
