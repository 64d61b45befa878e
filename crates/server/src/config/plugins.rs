use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Config, Secret};

/// Names of a plugin's variables that are the server's to set.
const OWN_PREFIX: &str = "WINDLASS_";
const NAME_BYTES_MAX: usize = 64;

/// A plugin: kinds of node that a worker does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginSection {
    /// The file, in JSON, that says which kinds those are.
    pub manifest: PathBuf,
    /// The program and its arguments, if the server is to start the worker itself. Left out, workers
    /// come from outside. It runs in the directory of the manifest.
    pub command: Option<Vec<String>>,
    /// What its environment has besides `PATH` and what it needs to find the server.
    pub env: BTreeMap<String, Secret>,
}

impl PluginSection {
    fn complaint(&self, name: &str) -> Option<String> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_word) {
            return Some(format!("a name has 1 to {NAME_BYTES_MAX} letters, digits, `-` and `_`"));
        }
        if self.manifest.as_os_str().is_empty() {
            return Some("`manifest` is missing, the file that says which kinds there are".into());
        }
        if self.command.as_ref().is_some_and(|command| command.first().is_none_or(String::is_empty))
        {
            return Some(
                "`command` names no program; leave it out for workers from outside".into(),
            );
        }
        let is_own = |name: &&String| {
            name.is_empty() || name.contains(['=', '\0']) || name.starts_with(OWN_PREFIX)
        };
        let own = self.env.keys().find(is_own)?;
        Some(format!("`env`: `{own}` is no variable of a plugin's own"))
    }
}

impl Config {
    pub(super) fn check_plugins(&self) -> Vec<(&'static str, String)> {
        let complaint = |(name, section): (&String, &PluginSection)| {
            let complaint = section.complaint(name)?;
            Some(("plugins", format!("{name}: {complaint}")))
        };
        self.plugins.iter().filter_map(complaint).collect()
    }
}

/// Where programs are looked for.
pub(crate) fn search_path() -> Option<OsString> {
    std::env::var_os("PATH")
}
