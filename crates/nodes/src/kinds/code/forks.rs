//! The server of forks, seen from this side of its socket.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType, recvmsg, sendmsg, shutdown,
    socketpair,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use windlass_core::run::AttemptError;

use super::RESULT;
use super::attempt::{bytes, outcome};
use super::python::PROGRAM;
use crate::child::{Ended, Group, Pipes, Pumps, stopped, write};
use crate::context::NodeContext;
use crate::node::{fail, retry};
use crate::sandbox::{Enclosure, Limits, Paths, Sandbox, Task, Wish, read_result, setup};

/// How many servers of forks stand by at once. One more takes the place of the oldest.
const SERVER_COUNT_MAX: usize = 8;
/// How long a server of forks may take to be ready. No measurement, only the end of patience.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How many spares a server of forks has ready.
const SPARE_COUNT: usize = 2;

/// What attempts of one server of forks have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(super) python: PathBuf,
    pub(super) has_network: bool,
}

/// What is to be done.
pub(super) struct Order {
    pub(super) job: Vec<u8>,
    pub(super) limits: Limits,
    pub(super) paths: Paths,
}

/// A server of forks that stands by.
#[derive(Debug)]
pub(crate) struct Forks {
    socket: UnixStream,
    /// Whose turn it is to take a spare.
    turn: tokio::sync::Mutex<()>,
    enclosure: Enclosure,
    /// It ends when this is dropped, and everything in it.
    child: std::sync::Mutex<Child>,
    _group: Group,
}

/// A process that waits for a step, and its keeper.
struct Spare {
    orders: UnixStream,
    /// Closing this end ends the step.
    keeper: UnixStream,
}

/// The servers of one boundary.
pub(crate) type Known = std::sync::Mutex<Vec<(Key, Arc<Slot>)>>;

/// A place for one server. Who starts it holds up only those who wait for the same.
#[derive(Debug, Default)]
pub(crate) struct Slot(tokio::sync::Mutex<Option<Found>>);

/// A server, or nothing if the host does not let it fork.
type Found = Option<Arc<Forks>>;

impl Forks {
    /// The one for these attempts, started if there is none. `None` if the host does not give what
    /// it needs.
    pub(super) async fn of(
        sandbox: &Arc<Sandbox>,
        key: &Key,
        context: &NodeContext,
    ) -> Result<Option<Arc<Forks>>, AttemptError> {
        let slot = slot(&sandbox.forks, key);
        let mut found = slot.0.lock().await;
        match &*found {
            Some(None) => return Ok(None),
            Some(Some(forks)) if forks.is_alive() => return Ok(Some(forks.clone())),
            _ => {}
        }
        let started = Forks::start(sandbox, key, context).await?.map(Arc::new);
        *found = Some(started.clone());
        Ok(started)
    }

    fn is_alive(&self) -> bool {
        self.child.lock().is_ok_and(|mut child| matches!(child.try_wait(), Ok(None)))
    }

    async fn start(
        sandbox: &Arc<Sandbox>,
        key: &Key,
        context: &NodeContext,
    ) -> Result<Option<Forks>, AttemptError> {
        let failed = |error: &dyn std::fmt::Display| {
            retry("start", format!("`{}` cannot be started: {error}", key.python.display()))
        };
        let wish = Wish { task: Task::Forks, has_network: key.has_network, ..Wish::default() };
        let enclosure = Enclosure::begin(sandbox, context, wish).await?;
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(|error| failed(&error))?;
        let socket = stream(ours).map_err(|error| failed(&error))?;
        let mut command = enclosure.command(sandbox)?;
        command
            .arg(&key.python)
            .args(["-I", "-c", PROGRAM, "serve"])
            .env(crate::child::reaper::VARIABLE, context.shell.owner.to_string())
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = spawn(command).map_err(|error| failed(&error))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or(0);
        let group = Group::new(group, context.shell.guard.clone());
        let setup = setup(key.has_network).map_err(|error| failed(&error))?;
        let told = async {
            send(&socket, &serde_json::to_vec(&setup)?, &[]).await?;
            let (ready, _) = receive(&socket).await?;
            for _ in 0..SPARE_COUNT {
                send(&socket, b"+", &[]).await?;
            }
            Ok::<_, std::io::Error>(ready)
        };
        let told = tokio::time::timeout(READY_WITHIN, told).await;
        match told.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(ready) if ready == b"ready" => Ok(Some(Forks {
                socket,
                turn: Default::default(),
                enclosure,
                child: std::sync::Mutex::new(child),
                _group: group,
            })),
            Ok(ready) if ready == b"alone" => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Err(failed(&error)),
            _ => {
                // It may go on without saying anything.
                let _ = child.start_kill();
                let mut said = String::new();
                if let Some(errors) = child.stderr.take() {
                    let _ = errors.take(64 * 1024).read_to_string(&mut said).await;
                }
                let last = said.lines().next_back().unwrap_or("it ended at once");
                Err(fail("python_missing", failed(&last).failure.message))
            }
        }
    }

    /// Has an attempt made.
    pub(super) async fn make(
        &self,
        order: Order,
        context: &NodeContext,
    ) -> Result<Value, AttemptError> {
        let cannot =
            |error: std::io::Error| retry("start", format!("it cannot be started: {error}"));
        context.notes.sandbox(self.enclosure.level());
        let own_dir = self.enclosure.directory().map_err(cannot)?;
        let name = own_dir.path().file_name().unwrap_or_default();
        let inner_dir = self.enclosure.inner_dir().join(name);
        let pipes = Pipes::new(true, &|end| self.enclosure.give(end)).map_err(cannot)?;
        let message = json!({
            "dir": inner_dir,
            "memory": order.limits.memory,
            "processes": order.limits.processes,
            "file": order.limits.file,
            "read": order.paths.read,
            "write": order.paths.write,
            "env": {
                "HOME": inner_dir,
                "TMPDIR": inner_dir,
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "LANG": "C.UTF-8",
                "WINDLASS_RUN_ID": context.run_id,
                "WINDLASS_STEP": context.step,
                "WINDLASS_ATTEMPT": context.attempt.to_string(),
                "WINDLASS_IDEMPOTENCY_KEY": context.idempotency_key(),
            },
        });
        let gone = |_| retry("interrupted", "the Python that stood by has ended");
        let spare = self.spare().await.map_err(gone)?;
        send(&spare.orders, &bytes(&message)?, &pipes.theirs).await.map_err(gone)?;
        let (input, output, errors) = pipes.ours();
        let writer = write(input, Some(order.job));
        let pumps = Pumps::start(output, errors, context);
        let mut stop = context.stop.clone();
        let mut reason = None;
        let told = tokio::select! {
            told = receive(&spare.keeper) => told,
            asked = stop.asked() => {
                reason = Some(asked);
                let _ = shutdown(&spare.keeper, Shutdown::Write);
                // Everything of it is gone when it is told.
                receive(&spare.keeper).await
            }
        };
        writer.abort();
        let (stdout, stderr) = pumps.end(None).await;
        if let Some(reason) = reason {
            return Err(stopped(reason));
        }
        let (status, _) = told.map_err(gone)?;
        let status = std::str::from_utf8(&status).ok().and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| gone(std::io::ErrorKind::UnexpectedEof.into()))?;
        let ended = Ended { status: ExitStatus::from_raw(status), stdout, stderr };
        self.enclosure.check(&ended)?;
        outcome(&ended, read_result(&own_dir.path().join(RESULT)))
    }

    /// A process that has waited for this attempt. The next one is on its way.
    async fn spare(&self) -> std::io::Result<Spare> {
        let _turn = self.turn.lock().await;
        let (_, fds) = receive(&self.socket).await?;
        send(&self.socket, b"+", &[]).await?;
        match <[OwnedFd; 2]>::try_from(fds) {
            Ok([orders, keeper]) => Ok(Spare { orders: stream(orders)?, keeper: stream(keeper)? }),
            Err(_) => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn slot(known: &Known, key: &Key) -> Arc<Slot> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, slot)) = known.iter().find(|(of, _)| of == key) {
        return slot.clone();
    }
    if known.len() >= SERVER_COUNT_MAX {
        known.remove(0);
    }
    let slot = Arc::new(Slot::default());
    known.push((key.clone(), slot.clone()));
    slot
}

fn stream(socket: OwnedFd) -> std::io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(socket);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// The command goes with its ends of the pipes, so that they close when the child closes them.
fn spawn(mut command: Command) -> std::io::Result<Child> {
    command.spawn()
}

async fn send(socket: &UnixStream, message: &[u8], fds: &[OwnedFd]) -> std::io::Result<()> {
    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    socket
        .async_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(&fds));
            }
            sendmsg(socket, &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL)?;
            Ok(())
        })
        .await
}

/// The next message, which is short, and what came along. It is empty if there will be none.
async fn receive(socket: &UnixStream) -> std::io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    socket
        .async_io(Interest::READABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut bytes = [0; 64];
            let parts = &mut [IoSliceMut::new(&mut bytes)];
            let length = recvmsg(socket, parts, &mut control, RecvFlags::CMSG_CLOEXEC)?.bytes;
            let mut fds = Vec::new();
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = message {
                    fds.extend(rights);
                }
            }
            Ok((bytes[..length].to_vec(), fds))
        })
        .await
}
