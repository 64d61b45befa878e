use std::fmt;

use serde::{Deserialize, Serialize};

/// Which parts of the boundary stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// A user of its own, or one that is nobody outside.
    pub user: bool,
    /// It sees and signals no process but its own, and all of them die with the first.
    pub processes: bool,
    /// A `/tmp` and a `/proc` of its own, the server's data hidden.
    pub mounts: bool,
    /// A network of its own with nobody in it can be had.
    pub network: bool,
    /// The version of Landlock, 0 if there is none: only what is allowed can be opened.
    pub landlock: u32,
    /// The system calls that break out of boundaries are refused.
    pub seccomp: bool,
    /// No program makes it more than it is.
    pub no_new_privileges: bool,
    /// What it uses up is limited.
    pub limits: bool,
}

/// The oldest Landlock that also keeps signals and abstract sockets inside.
pub(super) const LANDLOCK_WANTED: u32 = 6;

impl Parts {
    /// What is missing, in words.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = [
            (self.user, "a user of its own"),
            (self.processes, "a process namespace"),
            (self.mounts, "a mount namespace"),
            (self.network, "a network namespace"),
            (self.landlock >= LANDLOCK_WANTED, "Landlock 6"),
            (self.seccomp, "seccomp"),
            (self.no_new_privileges, "no_new_privs"),
            (self.limits, "resource limits"),
        ];
        all.into_iter().filter(|(stands, _)| !stands).map(|(_, name)| name).collect()
    }
}

impl fmt::Display for Parts {
    /// `full`, or `partial` and what is missing: what is recorded with an attempt.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = self.missing();
        if missing.is_empty() {
            write!(f, "full, Landlock {}", self.landlock)
        } else {
            write!(f, "partial, without {}", missing.join(", "))
        }
    }
}
