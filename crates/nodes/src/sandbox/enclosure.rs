//! One attempt's place within the boundary, seen from the server.

use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags};
use serde_json::Value;
use tokio::process::Command;
use windlass_core::limits::PAYLOAD_BYTES_MAX;
use windlass_core::run::AttemptError;

use super::directory::Directory;
use super::policy::{Limits, Policy, Task};
use super::settings::{Sandbox, give};
use super::users::Lent;
use super::{ENTER, FAILED, NOT_THERE, SAID, VARIABLE, inside};
use crate::child::Ended;
use crate::context::{LogStream, NodeContext};
use crate::node::{fail, retry};

/// What a step asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) task: Task,
    pub(crate) has_network: bool,
    pub(crate) cwd: Option<PathBuf>,
    /// What it wants to read and write. Left out, all that the settings allow.
    pub(crate) paths: Option<Paths>,
    /// A directory that the server has made for the step, to be written whatever the settings say.
    pub(crate) kept_dir: Option<PathBuf>,
    pub(crate) limits: Limits,
}

/// What a step wants to read and write besides the system and its own directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paths {
    pub(crate) read: Vec<PathBuf>,
    pub(crate) write: Vec<PathBuf>,
}

/// A directory, a user and a policy. They go when it is dropped.
#[derive(Debug)]
pub(crate) struct Enclosure {
    own_dir: Directory,
    lent: Option<Lent>,
    policy: Policy,
    has_mounts: bool,
    level: String,
    is_full: bool,
}

impl Enclosure {
    /// A place of its own below `work_dir`.
    pub(crate) fn new(
        sandbox: &Sandbox,
        work_dir: &Path,
        wish: Wish,
    ) -> Result<Enclosure, AttemptError> {
        let settings = &sandbox.settings;
        let parts = sandbox.parts().map_err(|error| retry("sandbox_missing", error))?;
        let missing = parts.missing();
        if settings.is_strict && !missing.is_empty() {
            let message = format!(
                "`sandbox.strict` is set, and this host does not give {}; see `windlass doctor`",
                missing.join(", ")
            );
            return Err(fail("sandbox_missing", message));
        }
        let Paths { read, mut write } = match wish.paths {
            Some(paths) => sandbox.allowed(paths)?,
            None => Paths { read: settings.read.clone(), write: settings.write.clone() },
        };
        write.extend(wish.kept_dir);
        let cannot =
            |error: std::io::Error| retry("start", format!("cannot make a directory: {error}"));
        let own_dir = Directory::new(work_dir).map_err(cannot)?;
        let lent = sandbox.has_users().then(|| sandbox.users.lend());
        let user = lent.as_ref().map(|lent| (lent.number(), lent.group()));
        if let Some((user, group)) = user {
            give(own_dir.path(), user, group).map_err(cannot)?;
        }
        let policy = Policy {
            is_strict: settings.is_strict,
            own_dir: own_dir.path().to_owned(),
            cwd: wish.cwd,
            user,
            has_network: wish.has_network,
            read,
            write,
            hide: settings.hide.clone(),
            limits: wish.limits,
            task: wish.task,
        };
        let network = if policy.has_network { "open" } else { "closed" };
        let level = format!("{parts}; network {network}");
        Ok(Enclosure {
            own_dir,
            lent,
            policy,
            has_mounts: parts.mounts,
            level,
            is_full: missing.is_empty(),
        })
    }

    /// The same, off the threads that must not wait, and noted with the attempt.
    pub(crate) async fn begin(
        sandbox: &Arc<Sandbox>,
        context: &NodeContext,
        wish: Wish,
    ) -> Result<Enclosure, AttemptError> {
        let (sandbox, work_dir) = (sandbox.clone(), context.shell.work_dir.clone());
        let made = tokio::task::spawn_blocking(move || Enclosure::new(&sandbox, &work_dir, wish));
        let made = made.await.map_err(|error| retry("start", error.to_string()))??;
        context.notes.sandbox(made.level());
        if !made.is_full {
            let line = format!("the sandbox is {}", made.level());
            context.logs.line(LogStream::System, line).await;
        }
        Ok(made)
    }

    /// Whether the boundary stood and the program began. Else an error that says why not.
    pub(crate) fn check(&self, ended: &Ended) -> Result<(), AttemptError> {
        let code = ended.status.code().and_then(|code| u8::try_from(code).ok());
        let said = ended.stderr.lines().next_back().and_then(|line| line.strip_prefix(SAID));
        match (code, said) {
            (Some(NOT_THERE), Some(said)) => Err(fail("start", said)),
            (Some(FAILED), Some(said)) => Err(retry("start", said)),
            _ => Ok(()),
        }
    }

    /// Which parts of the boundary stand, in words.
    pub(crate) fn level(&self) -> &str {
        &self.level
    }

    /// What the step knows its own directory as.
    pub(crate) fn inner_dir(&self) -> &Path {
        inside::own_dir(&self.policy, self.has_mounts)
    }

    /// A directory in its own, for one of several attempts that share it.
    pub(crate) fn directory(&self) -> std::io::Result<Directory> {
        let directory = Directory::new(self.own_dir.path())?;
        if let Some((user, group)) = self.policy.user {
            give(directory.path(), user, group)?;
        }
        Ok(directory)
    }

    /// Makes a pipe or a file one that the step may open by its name in `/proc`.
    pub(crate) fn give(&self, file: impl AsFd) {
        if let Some(lent) = &self.lent {
            let user = rustix::fs::Uid::from_raw(lent.number());
            // Without it only the name does not work.
            let _ = rustix::fs::fchown(file, Some(user), None);
        }
    }

    /// A command with an empty environment, inside of the boundary.
    pub(crate) fn command(&self, sandbox: &Sandbox) -> Result<Command, AttemptError> {
        let policy = serde_json::to_string(&self.policy)
            .map_err(|error| fail("start", format!("the policy cannot be written: {error}")))?;
        let mut command = Command::new(&sandbox.settings.program);
        command.arg(ENTER).env_clear().env(VARIABLE, policy).current_dir("/");
        Ok(command)
    }

    /// What the step has left in a file of its own directory. `None` if there is nothing.
    pub(crate) fn result(&self, name: &str) -> Result<Option<Value>, AttemptError> {
        read_result(&self.own_dir.path().join(name))
    }
}

/// What is asked for, if all of it lies in what is allowed.
pub(super) fn allowed(
    paths: Paths,
    read: &[PathBuf],
    write: &[PathBuf],
) -> Result<Paths, AttemptError> {
    let check = |path: &PathBuf, roots: &mut dyn Iterator<Item = &PathBuf>| {
        // By where it really is: a link may lead elsewhere.
        let place = path
            .canonicalize()
            .map_err(|error| fail("sandbox_denied", format!("`{}`: {error}", path.display())))?;
        let mut roots = roots.filter_map(|root| root.canonicalize().ok());
        if roots.any(|root| place.starts_with(root)) {
            Ok(place)
        } else {
            let message = format!(
                "`{}` is not in what `sandbox.read` and `sandbox.write` of the server allow",
                path.display()
            );
            Err(fail("sandbox_denied", message))
        }
    };
    let reads = paths.read.iter().map(|path| check(path, &mut read.iter().chain(write)));
    let writes = paths.write.iter().map(|path| check(path, &mut write.iter()));
    Ok(Paths { read: reads.collect::<Result<_, _>>()?, write: writes.collect::<Result<_, _>>()? })
}

/// Reads JSON from a file whose name a step had in its hands: it may have become a link, a pipe, or
/// very large.
pub(crate) fn read_result(file: &Path) -> Result<Option<Value>, AttemptError> {
    let bad = |message: String| fail("bad_output", message);
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(file, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(bad(format!("the result cannot be read: {error}"))),
    };
    let stat = rustix::fs::fstat(&fd).map_err(|error| bad(error.to_string()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink > 1 {
        return Err(bad("the result is no file of its own".to_owned()));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(PAYLOAD_BYTES_MAX).unwrap_or(u64::MAX);
    let read = std::fs::File::from(fd).take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| bad(format!("the result cannot be read: {error}")))?;
    if bytes.len() > PAYLOAD_BYTES_MAX {
        let message = format!("the result has more than {PAYLOAD_BYTES_MAX} bytes");
        return Err(fail("payload_too_large", message));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| bad(format!("the result is not JSON: {error}")))
}
