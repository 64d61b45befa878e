use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;

/// What secrets are sealed with. Left out: a key in the data directory that is made when the first
/// secret is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretsSection {
    /// The key: 32 bytes in base64 or hexadecimal.
    pub key: Option<Secret>,
    /// A file with the key, readable by its owner alone.
    pub key_file: Option<PathBuf>,
    /// A command for `/bin/sh` that prints the key, such as one that asks a key management service.
    /// It is run once, when the server starts.
    pub key_command: Option<String>,
    /// Files with keys that were used before. What they have sealed can still be opened, until
    /// `windlass secret rotate` has sealed it anew.
    pub previous_key_files: Vec<PathBuf>,
}

impl SecretsSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("secrets.key", self.key.is_some()),
            ("secrets.key_file", self.key_file.is_some()),
            ("secrets.key_command", self.key_command.is_some()),
        ];
        let given: Vec<&str> =
            given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect();
        match given.as_slice() {
            [_, second, ..] => {
                vec![("secrets", format!("`{}` and `{second}` cannot both be the key", given[0]))]
            }
            _ => Vec::new(),
        }
    }
}
