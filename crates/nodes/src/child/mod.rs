//! One child process, from its start to the end of its group.

pub(crate) mod lines;
pub(crate) mod reaper;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use windlass_core::run::AttemptError;

use crate::context::{LogStream, NodeContext, StopReason};
use crate::node::{fail, retry};
use crate::sandbox::Enclosure;
use lines::pump;
use reaper::{ChildGuard, kill_group};

/// How long a child may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How long the pipes are read after a child outside of the boundary has ended. A process that left the
/// group may hold them open for ever.
const PIPES_AFTER_END: Duration = Duration::from_secs(1);

/// How a child has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The last of what it wrote.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Why there is no end to speak of.
#[derive(Debug)]
pub(crate) enum NotEnded {
    /// It could not be started.
    Start(io::Error),
    /// It was stopped, or nobody knows how it ended.
    Other(AttemptError),
}

/// Runs a command to its end, or to that of the attempt.
///
/// `enclosure` is what it runs in, if it runs in one.
pub(crate) async fn run(
    mut command: Command,
    stdin: Option<Vec<u8>>,
    context: &NodeContext,
    enclosure: Option<&Enclosure>,
) -> Result<Ended, NotEnded> {
    let give = |end: BorrowedFd<'_>| {
        if let Some(enclosure) = enclosure {
            enclosure.give(end);
        }
    };
    let pipes = Pipes::new(stdin.is_some(), &give).map_err(NotEnded::Start)?;
    let (input, output, errors) = pipes.put_into(&mut command);
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(NotEnded::Start)?;
    // The ends that are the child's are closed here, or nobody would see it close them.
    drop(command);
    // The group's number is the child's. It is only missing once the child has been waited for.
    let group = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or(0);
    let _group = Group::new(group, context.shell.guard.clone());
    let writer = write(input, stdin);
    let pumps = Pumps::start(output, errors, context);

    let mut stop = context.stop.clone();
    let ended = tokio::select! {
        status = child.wait() => Ok(status),
        reason = stop.asked() => Err(reason),
    };
    if ended.is_err() {
        kill_group(group, Signal::TERM);
        if timeout(GRACE, child.wait()).await.is_err() {
            kill_group(group, Signal::KILL);
            let _ = child.wait().await;
        }
    }
    // Whoever is left of the group has no one to work for.
    kill_group(group, Signal::KILL);
    writer.abort();
    // Nobody comes out of a boundary, so there the pipes end, however long it takes to read them.
    let patience = if enclosure.is_some() { None } else { Some(PIPES_AFTER_END) };
    let (stdout, stderr) = pumps.end(patience).await;
    match ended {
        Err(reason) => Err(NotEnded::Other(stopped(reason))),
        Ok(Err(error)) => {
            Err(NotEnded::Other(retry("start", format!("cannot wait for it: {error}"))))
        }
        Ok(Ok(status)) => Ok(Ended { status, stdout, stderr }),
    }
}

/// The error of an attempt that was stopped.
pub(crate) fn stopped(reason: StopReason) -> AttemptError {
    match reason {
        StopReason::TimedOut => retry("timeout", "the time was up before it had ended"),
        StopReason::Cancelled => fail("cancelled", "it was cancelled"),
        StopReason::ShuttingDown => fail("interrupted", "the server went down"),
    }
}

/// How a process ended, in words: `exit code 3`, `signal 9`.
pub(crate) fn words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it was killed by signal {signal}"),
        (None, None) => "it ended in an unknown way".to_owned(),
    }
}

/// A process group that is known to the guard as long as this lives, and that does not outlive it.
#[derive(Debug)]
pub(crate) struct Group {
    number: i32,
    guard: Arc<dyn ChildGuard>,
}

impl Group {
    pub(crate) fn new(number: i32, guard: Arc<dyn ChildGuard>) -> Group {
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

/// The ends of the pipes that stay here, and those that become the child's.
pub(crate) struct Pipes {
    input: Option<pipe::Sender>,
    output: pipe::Receiver,
    errors: pipe::Receiver,
    /// Standard input, output and error of the child.
    pub(crate) theirs: [OwnedFd; 3],
}

impl Pipes {
    /// `give` is called with each end that becomes the child's.
    pub(crate) fn new(has_input: bool, give: &impl Fn(BorrowedFd<'_>)) -> io::Result<Pipes> {
        let (input, stdin) = if has_input {
            let (stdin, input) = io::pipe()?;
            (Some(pipe::Sender::from_owned_fd(input.into())?), OwnedFd::from(stdin))
        } else {
            (None, std::fs::File::open("/dev/null")?.into())
        };
        let (output, stdout) = io::pipe()?;
        let (errors, stderr) = io::pipe()?;
        let theirs = [stdin, stdout.into(), stderr.into()];
        let first = usize::from(!has_input);
        theirs[first..].iter().for_each(|end| give(end.as_fd()));
        let output = pipe::Receiver::from_owned_fd(output.into())?;
        let errors = pipe::Receiver::from_owned_fd(errors.into())?;
        Ok(Pipes { input, output, errors, theirs })
    }

    pub(crate) fn put_into(
        self,
        command: &mut Command,
    ) -> (Option<pipe::Sender>, pipe::Receiver, pipe::Receiver) {
        let [stdin, stdout, stderr] = self.theirs;
        command.stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
        (self.input, self.output, self.errors)
    }

    /// The ends that stay here, once the child has the others.
    pub(crate) fn ours(self) -> (Option<pipe::Sender>, pipe::Receiver, pipe::Receiver) {
        (self.input, self.output, self.errors)
    }
}

/// Writes to a pipe what there is to read from it.
pub(crate) fn write(pipe: Option<pipe::Sender>, bytes: Option<Vec<u8>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let (Some(mut pipe), Some(bytes)) = (pipe, bytes) {
            // A child that does not care to read is no error.
            let _ = pipe.write_all(&bytes).await;
        }
    })
}

/// Both outputs, on their way to the log.
pub(crate) struct Pumps {
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Pumps {
    pub(crate) fn start(
        output: pipe::Receiver,
        errors: pipe::Receiver,
        context: &NodeContext,
    ) -> Pumps {
        let count = Arc::new(AtomicU64::new(0));
        let start =
            |pipe, stream| tokio::spawn(pump(pipe, stream, context.logs.clone(), count.clone()));
        Pumps { stdout: start(output, LogStream::Stdout), stderr: start(errors, LogStream::Stderr) }
    }

    /// The last of both.
    pub(crate) async fn end(self, patience: Option<Duration>) -> (String, String) {
        (tail_of(self.stdout, patience).await, tail_of(self.stderr, patience).await)
    }
}

async fn tail_of(mut pump: JoinHandle<String>, patience: Option<Duration>) -> String {
    let Some(patience) = patience else { return pump.await.unwrap_or_default() };
    match timeout(patience, &mut pump).await {
        Ok(tail) => tail.unwrap_or_default(),
        Err(_) => {
            pump.abort();
            String::new()
        }
    }
}
