use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What one child may do. It travels to the child in a variable of its environment, which nobody
/// but its own user can read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// Whether it must not run if a part of the boundary cannot be had.
    pub(crate) is_strict: bool,
    /// Its own directory, which it sees as `/tmp` where mounts can be had.
    pub(crate) own_dir: PathBuf,
    /// Where it begins. Left out, in its own directory.
    pub(crate) cwd: Option<PathBuf>,
    /// The user and the group it becomes. Left out, it stays who the server is.
    pub(crate) user: Option<(u32, u32)>,
    /// Whether it may reach others.
    pub(crate) has_network: bool,
    /// What it may read besides the system, and what it may write besides its own directory.
    pub(crate) read: Vec<PathBuf>,
    pub(crate) write: Vec<PathBuf>,
    /// What is hidden even if it lies in one of these.
    pub(crate) hide: Vec<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) task: Task,
}

/// What a process may use up.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Address space of each process, in bytes.
    pub(crate) memory: Option<u64>,
    /// Processes and threads at once.
    pub(crate) processes: Option<u64>,
    /// The largest file, in bytes.
    pub(crate) file: Option<u64>,
    /// Seconds of computing of each process.
    pub(crate) cpu: Option<u64>,
}

/// What is done inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Task {
    /// A program is run.
    #[default]
    Program,
    /// A program is run that makes a boundary of its own for each of its children.
    Forks,
    /// JavaScript from standard input is run.
    JavaScript,
    /// Nothing but telling what the boundary consists of.
    Probe,
}
