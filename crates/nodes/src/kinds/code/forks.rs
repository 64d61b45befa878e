//! The server of forks, seen from this side of its socket.

use std::collections::HashMap;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use windlass_core::run::AttemptError;

use super::RESULT;
use super::attempt::outcome;
use super::python::PROGRAM;
use crate::child::{Ended, Group, Pipes, Pumps, stopped, write};
use crate::context::NodeContext;
use crate::node::{fail, retry};
use crate::sandbox::{Enclosure, Limits, Paths, Sandbox, Task, Wish, read_result, setup};

/// How many servers of forks stand by at once. One more takes the place of the oldest.
const SERVER_COUNT_MAX: usize = 8;
/// The longest message that is read.
const MESSAGE_BYTES_MAX: usize = 4096;

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
    waiting: Waiting,
    next: AtomicU64,
    enclosure: Enclosure,
    /// It ends when this is dropped, and everything in it.
    _child: Child,
    _group: Group,
}

/// Those who wait for the end of an attempt. `None` when no end will be told any more.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<i32>>>>>;

/// The servers of one boundary. An entry without one says that the host does not let it fork.
pub(crate) type Known = tokio::sync::Mutex<Vec<(Key, Option<Arc<Forks>>)>>;

impl Forks {
    /// The one for these attempts, started if there is none. `None` if the host does not give what
    /// it needs.
    pub(super) async fn of(
        sandbox: &Arc<Sandbox>,
        key: &Key,
        context: &NodeContext,
    ) -> Result<Option<Arc<Forks>>, AttemptError> {
        let mut known = sandbox.forks.lock().await;
        if let Some((_, forks)) = known.iter().find(|(of, _)| of == key)
            && forks.as_ref().is_none_or(|forks| forks.is_alive())
        {
            return Ok(forks.clone());
        }
        known.retain(|(of, _)| of != key);
        let started = Forks::start(sandbox, key, context).await?.map(Arc::new);
        if known.len() >= SERVER_COUNT_MAX {
            known.remove(0);
        }
        known.push((key.clone(), started.clone()));
        if let Some(forks) = &started {
            tokio::spawn(listen(Arc::downgrade(forks), forks.waiting.clone()));
        }
        Ok(started)
    }

    fn is_alive(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_some()
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
            send(&socket, &setup, &[]).await?;
            receive(&socket).await
        };
        match told.await {
            Ok(Some(ready)) if ready["ready"] == true => Ok(Some(Forks {
                socket,
                waiting: Arc::new(Mutex::new(Some(HashMap::new()))),
                next: AtomicU64::new(0),
                enclosure,
                _child: child,
                _group: group,
            })),
            Ok(Some(_)) => Ok(None),
            _ => {
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
        let cannot = |error: std::io::Error| retry("start", format!("it cannot be started: {error}"));
        context.notes.sandbox(self.enclosure.level());
        let own_dir = self.enclosure.directory().map_err(cannot)?;
        let name = own_dir.path().file_name().unwrap_or_default();
        let inner_dir = self.enclosure.inner_dir().join(name);
        let pipes = Pipes::new(true, &|end| self.enclosure.give(end)).map_err(cannot)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let message = json!({
            "id": id,
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
        let gone = || retry("interrupted", "the Python that stood by has ended");
        let (tell, mut told) = oneshot::channel();
        match &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(waiting) => drop(waiting.insert(id, tell)),
            None => return Err(gone()),
        }
        send(&self.socket, &message, &pipes.theirs).await.map_err(cannot)?;
        let under_way = UnderWay { forks: self, id };
        let (input, output, errors) = pipes.ours();
        let writer = write(input, Some(order.job));
        let pumps = Pumps::start(output, errors, context);
        let mut stop = context.stop.clone();
        let status = tokio::select! {
            status = &mut told => Ok(status),
            reason = stop.asked() => {
                under_way.end();
                // Everything of it is gone when it is told.
                let _ = (&mut told).await;
                Err(reason)
            }
        };
        std::mem::forget(under_way);
        writer.abort();
        let (stdout, stderr) = pumps.end().await;
        let status = status.map_err(stopped)?.map_err(|_| gone())?;
        let ended = Ended { status: ExitStatus::from_raw(status), stdout, stderr };
        self.enclosure.check(&ended)?;
        outcome(&ended, read_result(&own_dir.path().join(RESULT)))
    }
}

/// An attempt that ends when nobody waits for it any more.
struct UnderWay<'a> {
    forks: &'a Forks,
    id: u64,
}

impl UnderWay<'_> {
    fn end(&self) {
        let message = json!({ "end": self.id }).to_string();
        let socket = &self.forks.socket;
        let mut none = SendAncillaryBuffer::default();
        // There is room for so little, unless the other side is beyond listening.
        let parts = [IoSlice::new(message.as_bytes())];
        if let Err(error) = sendmsg(socket, &parts, &mut none, SendFlags::NOSIGNAL) {
            tracing::warn!(%error, "a step in Python could not be told to end");
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.end();
    }
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

async fn send(socket: &UnixStream, message: &Value, fds: &[OwnedFd]) -> std::io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    socket
        .async_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(&fds));
            }
            sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
            Ok(())
        })
        .await
}

/// The next message, or nothing if there will be none.
async fn receive(socket: &UnixStream) -> std::io::Result<Option<Value>> {
    let mut bytes = vec![0; MESSAGE_BYTES_MAX];
    let length = socket
        .async_io(Interest::READABLE, || {
            let mut none = RecvAncillaryBuffer::default();
            let parts = &mut [IoSliceMut::new(&mut bytes)];
            Ok(recvmsg(socket, parts, &mut none, RecvFlags::empty())?.bytes)
        })
        .await?;
    if length == 0 { Ok(None) } else { Ok(Some(serde_json::from_slice(&bytes[..length])?)) }
}

/// Hands on the ends that are told, until there are no more.
async fn listen(forks: std::sync::Weak<Forks>, waiting: Waiting) {
    // The socket is reached through a clone, so that this does not keep the server alive.
    let socket = forks.upgrade().and_then(|forks| {
        stream(forks.socket.as_fd().try_clone_to_owned().ok()?).ok()
    });
    if let Some(socket) = socket {
        while let Ok(Some(message)) = receive(&socket).await {
            let status = message["status"].as_i64().and_then(|status| i32::try_from(status).ok());
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let tell = message["id"].as_u64().and_then(|id| waiting.as_mut()?.remove(&id));
            if let (Some(tell), Some(status)) = (tell, status) {
                let _ = tell.send(status);
            }
        }
    }
    waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
}
