use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Runs as files, for what reads the directory of the hybrid engine. They follow what is durable and are
/// never read back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MirrorSection {
    /// Where each run of the project `default` has `<id>/state.json`. Left out: nowhere.
    pub workflows_dir: Option<PathBuf>,
    /// Which file lists the steps that wait for their turn. Left out: none.
    pub queue_file: Option<PathBuf>,
}
