use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use windlass_core::run::AttemptError;

use super::enclosure::{Paths, allowed};
use super::parts::Parts;
use super::policy::{Policy, Task};
use super::users::Users;
use super::{ENTER, VARIABLE};

/// What the operator says of the boundary.
#[derive(Clone, Debug)]
pub struct SandboxSettings {
    /// The program that calls [`enter`](super::enter) when its first argument is [`ENTER`].
    pub program: PathBuf,
    /// Whether nothing runs if a part of the boundary cannot be had.
    pub is_strict: bool,
    /// Whether `shell` steps run outside of it, as the server's user.
    pub trusts_shell: bool,
    /// What steps may read besides the system.
    pub read: Vec<PathBuf>,
    /// What steps may write besides their own directories.
    pub write: Vec<PathBuf>,
    /// What they never see.
    pub hide: Vec<PathBuf>,
    /// The most memory that each process of a step may have, in bytes.
    pub memory_max: u64,
    /// The most processes and threads of a step.
    pub process_count_max: u64,
    /// The largest file a step may write, in bytes.
    pub file_bytes_max: u64,
    /// The first of the users that steps get if the server is root.
    pub first_user: u32,
    /// The Python of steps that name none.
    pub python: Option<PathBuf>,
}

impl Default for SandboxSettings {
    /// As a server has it, but for the program, which is not known here.
    fn default() -> SandboxSettings {
        SandboxSettings {
            program: PathBuf::new(),
            is_strict: false,
            trusts_shell: false,
            read: Vec::new(),
            write: Vec::new(),
            hide: Vec::new(),
            memory_max: 4 << 30,
            process_count_max: 256,
            file_bytes_max: 1 << 30,
            // Far from people and services, below the numbers that container engines hand out last.
            first_user: 1_879_048_192,
            python: None,
        }
    }
}

/// The boundary as it is on this server.
#[derive(Debug)]
pub struct Sandbox {
    pub(super) settings: SandboxSettings,
    pub(super) users: Users,
    /// What stands by for steps in Python.
    pub(crate) forks: crate::kinds::code::Known,
    parts: OnceLock<Result<Parts, String>>,
}

impl Sandbox {
    /// A boundary by these settings.
    pub fn new(settings: SandboxSettings) -> Sandbox {
        let users = Users::from(settings.first_user);
        Sandbox { settings, users, forks: Default::default(), parts: OnceLock::new() }
    }

    /// None, for `shell` steps of a server that trusts them. Nothing else can run.
    pub fn trusting() -> Sandbox {
        Sandbox::new(SandboxSettings { trusts_shell: true, ..SandboxSettings::default() })
    }

    /// What the operator has said.
    pub fn settings(&self) -> &SandboxSettings {
        &self.settings
    }

    /// What is asked for, if all of it lies in what is allowed.
    pub(crate) fn allowed(&self, paths: Paths) -> Result<Paths, AttemptError> {
        allowed(paths, &self.settings.read, &self.settings.write)
    }

    /// Whether steps get users of their own, which only root can give.
    pub(super) fn has_users(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    /// Makes a directory one that every step may be given, and closes it to everybody else.
    pub(crate) fn share(&self, directory: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::{PermissionsExt, chown};
        let mut mode = 0o700;
        if self.has_users() {
            // What is made in it is the group's as well.
            mode = 0o2770;
            chown(directory, None, Some(self.users.group()))?;
        }
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(mode))
    }

    /// Which parts this host gives, found out by trying once. Blocks for a few milliseconds.
    ///
    /// # Errors
    ///
    /// Why it cannot be found out.
    pub fn parts(&self) -> Result<&Parts, String> {
        self.parts.get_or_init(|| self.probe()).as_ref().map_err(Clone::clone)
    }

    fn probe(&self) -> Result<Parts, String> {
        let program = &self.settings.program;
        let failed = |error: &dyn std::fmt::Display| {
            format!("the boundary cannot be tried out with `{}`: {error}", program.display())
        };
        let own_dir = tempfile::tempdir().map_err(|error| failed(&error))?;
        let lent = self.has_users().then(|| self.users.lend());
        let policy = Policy {
            own_dir: own_dir.path().to_owned(),
            user: lent.as_ref().map(|lent| (lent.number(), lent.group())),
            task: Task::Probe,
            ..Policy::default()
        };
        if let Some((user, group)) = policy.user {
            give(own_dir.path(), user, group).map_err(|error| failed(&error))?;
        }
        let policy = serde_json::to_string(&policy).map_err(|error| failed(&error))?;
        let output = std::process::Command::new(program)
            .arg(ENTER)
            .env_clear()
            .env(VARIABLE, policy)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(&error))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| failed(&String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// Makes a directory one of a user, and closed to all others.
pub(super) fn give(place: &Path, user: u32, group: u32) -> std::io::Result<()> {
    use std::os::unix::fs::{PermissionsExt, chown};
    chown(place, Some(user), Some(group))?;
    std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o700))
}
