//! Children die with the server, even if it dies of `kill -9`.
//!
//! A small process of ours stands by and holds the other end of a pipe. It is told of every process
//! group that begins and ends. When the pipe closes, the server is gone, and it kills the groups
//! that are left. What slips through the moment between a child's start and its report carries the
//! owner's mark in its environment, and the next server on the same data finds it by that.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Learns of every process group that begins and ends.
pub trait ChildGuard: Send + Sync + Debug {
    /// A group has begun.
    fn begun(&self, group: i32);
    /// A group has ended.
    fn ended(&self, group: i32);
}

/// Guards nothing. For tests and one-off runs whose process is not expected to be killed.
#[derive(Debug)]
pub struct NoGuard;

impl ChildGuard for NoGuard {
    fn begun(&self, _: i32) {}
    fn ended(&self, _: i32) {}
}

/// The line to the process that stands by.
#[derive(Debug)]
pub struct Reaper {
    line: Mutex<ChildStdin>,
}

impl Reaper {
    /// Starts `program argument`, which must call [`reap`].
    ///
    /// # Errors
    ///
    /// If the process cannot be started.
    pub fn start(program: &Path, argument: &str) -> io::Result<Reaper> {
        let mut child = Command::new(program)
            .arg(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own, so that Ctrl-C in a terminal does not take it away first.
            .process_group(0)
            .spawn()?;
        let line = child.stdin.take().ok_or_else(|| io::Error::other("no pipe to the reaper"))?;
        Ok(Reaper { line: Mutex::new(line) })
    }

    fn tell(&self, word: char, group: i32) {
        if let Ok(mut line) = self.line.lock()
            && let Err(error) = writeln!(line, "{word}{group}")
        {
            tracing::warn!(%error, "the reaper cannot be reached; children may outlive a kill");
        }
    }
}

impl ChildGuard for Reaper {
    fn begun(&self, group: i32) {
        self.tell('+', group);
    }

    fn ended(&self, group: i32) {
        self.tell('-', group);
    }
}

/// The life of the process that stands by: listens to the end, then kills what is left.
pub fn reap(input: impl BufRead) {
    let mut groups = BTreeSet::new();
    for line in input.lines().map_while(Result::ok) {
        let Some((word, number)) = line.split_at_checked(1) else { continue };
        let Ok(group) = number.parse::<i32>() else { continue };
        match word {
            "+" => drop(groups.insert(group)),
            _ => drop(groups.remove(&group)),
        }
    }
    for group in groups {
        kill_group(group, Signal::KILL);
    }
}

/// Sends a signal to a process group. One that is gone already is no error.
pub(super) fn kill_group(group: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(group).filter(|_| group > 1) {
        let _ = kill_process_group(group, signal);
    }
}

/// Kills processes that an earlier server with this owner's mark left behind. Answers how many.
///
/// Looks through `/proc`; where there is none, it finds nothing.
pub fn kill_leftovers(owner: &str) -> usize {
    let mark = format!("WINDLASS_OWNER={owner}");
    let own = std::process::id();
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let marked = entries.filter_map(Result::ok).filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        let is_marked = environment.split(|byte| *byte == 0).any(|set| set == mark.as_bytes());
        (is_marked && pid != own).then_some(pid)
    });
    let mut count = 0;
    for pid in marked {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
            && kill_process(pid, Signal::KILL).is_ok()
        {
            count += 1;
        }
    }
    count
}
