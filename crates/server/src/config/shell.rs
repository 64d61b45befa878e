use serde::{Deserialize, Serialize};

use super::within;

/// The node kind `shell`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShellSection {
    /// How many child processes may run at the same time. Further steps wait for their turn.
    pub concurrency: u64,
}

impl Default for ShellSection {
    fn default() -> ShellSection {
        ShellSection { concurrency: 16 }
    }
}

impl ShellSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        within("shell.concurrency", self.concurrency, 1..=10_000).into_iter().collect()
    }
}
