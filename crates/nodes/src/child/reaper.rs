//! Children die with the server, even if it dies of `kill -9`.
//!
//! A small process of ours stands by and holds the other end of a pipe. It is told of every process
//! group that begins and ends. When the pipe closes, the server is gone, and it kills the groups
//! that are left. A child that was started, but not reported yet, carries the server's mark in its
//! environment and is found by that: by the process that stands by, or, if that was killed as well,
//! by the next server on the same data.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The variable in which every child carries its mark.
pub const VARIABLE: &str = "WINDLASS_OWNER";

/// What a server's children are known by: its data directory, and which of its lives it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    directory: String,
    life: String,
}

impl Mark {
    /// The mark of one life of a server.
    pub fn new(directory: impl Into<String>, life: impl ToString) -> Mark {
        Mark { directory: directory.into(), life: life.to_string() }
    }

    /// The directory, which all lives of a server share.
    pub fn directory(&self) -> &str {
        &self.directory
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.directory, self.life)
    }
}

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
    /// Starts `program argument`, which must call [`reap`]. Children carry `mark`.
    ///
    /// # Errors
    ///
    /// If the process cannot be started.
    pub fn start(program: &Path, argument: &str, mark: &Mark) -> io::Result<Reaper> {
        let mut child = Command::new(program)
            .arg(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own, so that Ctrl-C in a terminal does not take it away first.
            .process_group(0)
            .spawn()?;
        let mut line =
            child.stdin.take().ok_or_else(|| io::Error::other("no pipe to the reaper"))?;
        writeln!(line, "={mark}")?;
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

/// Looks for marked children after the server is gone, with a pause before each: a child that was
/// being started has its mark only once it has become the program it was started for.
const LOOKS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(20),
    Duration::from_millis(80),
    Duration::from_millis(300),
    Duration::from_millis(1_000),
];

/// The life of the process that stands by: listens to the end, then kills what is left.
pub fn reap(input: impl BufRead) {
    let mut groups = BTreeSet::new();
    let mut mark = None;
    for line in input.lines().map_while(Result::ok) {
        let Some((word, rest)) = line.split_at_checked(1) else { continue };
        match (word, rest.parse::<i32>()) {
            ("=", _) => mark = Some(rest.to_owned()),
            ("+", Ok(group)) => drop(groups.insert(group)),
            ("-", Ok(group)) => drop(groups.remove(&group)),
            _ => {}
        }
    }
    for group in groups {
        kill_group(group, Signal::KILL);
    }
    let Some(mark) = mark else { return };
    for pause in LOOKS {
        std::thread::sleep(pause);
        kill_marked(|owner| owner == mark);
    }
}

/// Sends a signal to a process group. One that is gone already is no error.
pub(crate) fn kill_group(group: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(group).filter(|_| group > 1) {
        let _ = kill_process_group(group, signal);
    }
}

/// Kills processes that earlier servers on this directory left behind. Answers how many.
///
/// Looks through `/proc`; where there is none, it finds nothing.
pub fn kill_leftovers(directory: &str) -> usize {
    kill_marked(|owner| owner.rsplit_once('#').is_some_and(|(of, _)| of == directory))
}

fn kill_marked(is_meant: impl Fn(&str) -> bool) -> usize {
    let own = std::process::id();
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let marked = entries.filter_map(Result::ok).filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        let mut set = environment.split(|byte| *byte == 0);
        let owner =
            set.find_map(|set| set.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"="))?;
        let is_marked = is_meant(std::str::from_utf8(owner).ok()?);
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
