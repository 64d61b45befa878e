use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Paths;

/// What a step may read and write.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SandboxField {
    /// Files and directories to read.
    read: Vec<PathBuf>,
    /// Files and directories to read and write.
    write: Vec<PathBuf>,
}

impl From<&SandboxField> for Paths {
    fn from(field: &SandboxField) -> Paths {
        Paths { read: field.read.clone(), write: field.write.clone() }
    }
}
