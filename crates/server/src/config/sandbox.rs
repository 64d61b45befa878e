use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windlass_nodes::kinds::code::Bytes;

use super::within;

/// The boundary around `code` and `shell` steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxSection {
    /// Whether no step runs on a host that does not give every part of the boundary.
    pub strict: bool,
    /// `sandboxed`: `shell` steps run within the boundary. `trusted`: they run as the server's own user,
    /// with all that it may do. Left out: trusted under `windlass dev` and in commands that run
    /// workflows themselves, sandboxed under `windlass serve` and wherever `strict` is set.
    pub shell: Option<ShellTrust>,
    /// Files and directories that steps may read, besides the system's programs and libraries.
    pub read: Vec<PathBuf>,
    /// Files and directories that steps may read and write, besides their own directories.
    pub write: Vec<PathBuf>,
    /// The most memory that each process of a step may have, such as `4 GiB`.
    pub memory_max: Bytes,
    /// The most processes and threads of a step.
    pub process_count_max: u64,
    /// The largest file that a step may write, such as `1 GiB`.
    pub file_bytes_max: Bytes,
    /// The first of the users that steps get if the server is root; its number is also their group's.
    pub first_user: u64,
}

/// Whether `shell` steps are trusted with all that the server may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShellTrust {
    /// They are.
    Trusted,
    /// They are not.
    Sandboxed,
}

impl Default for SandboxSection {
    fn default() -> SandboxSection {
        let settings = windlass_nodes::SandboxSettings::default();
        SandboxSection {
            strict: false,
            shell: None,
            read: Vec::new(),
            write: Vec::new(),
            memory_max: Bytes(settings.memory_max),
            process_count_max: settings.process_count_max,
            file_bytes_max: Bytes(settings.file_bytes_max),
            first_user: u64::from(settings.first_user),
        }
    }
}

impl SandboxSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let size = 1 << 20..=1 << 50;
        found.extend(within("sandbox.memory_max", self.memory_max.0, size.clone()));
        found.extend(within("sandbox.process_count_max", self.process_count_max, 4..=1_000_000));
        found.extend(within("sandbox.file_bytes_max", self.file_bytes_max.0, size));
        found.extend(within("sandbox.first_user", self.first_user, 1_000..=4_000_000_000));
        if self.strict && self.shell == Some(ShellTrust::Trusted) {
            let message = "`trusted` is no boundary, and `sandbox.strict` asks for all of it";
            found.push(("sandbox.shell", message.to_owned()));
        }
        for (key, paths) in [("sandbox.read", &self.read), ("sandbox.write", &self.write)] {
            let relative = paths.iter().find(|path| path.is_relative());
            found.extend(
                relative.map(|path| (key, format!("`{}` is not absolute", path.display()))),
            );
        }
        found
    }

    /// Whether `shell` steps are trusted, if that is what nothing said means.
    pub fn trusts_shell(&self, by_default: bool) -> bool {
        match self.shell {
            Some(trust) => trust == ShellTrust::Trusted,
            None => by_default && !self.strict,
        }
    }
}
