use serde::{Deserialize, Serialize};

use super::within;

/// The node kind `code`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodeSection {
    /// How many attempts may be under way at the same time. Further steps wait for their turn.
    pub concurrency: u64,
    /// The Python of steps that name none. Left out: `python3` of `/usr/local/bin` or `/usr/bin`.
    pub python: Option<std::path::PathBuf>,
}

impl Default for CodeSection {
    fn default() -> CodeSection {
        CodeSection { concurrency: 16, python: None }
    }
}

impl CodeSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        within("code.concurrency", self.concurrency, 1..=10_000).into_iter().collect()
    }
}
