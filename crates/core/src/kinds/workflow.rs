use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Complaint, NodeConfig};

/// Runs another workflow. The output is that run's output; if it fails or is cancelled, so does the
/// node, with the code `child_failed` or `child_cancelled`.
///
/// The other run is a run like any other, with a page, a journal and labels of its own. While the
/// step waits for it, it holds no process and no memory. If this run is cancelled or fails, so that
/// the step is stopped, the other run is cancelled too. Runs nest up to 16 deep.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubRun {
    /// The workflow's name or id, in the same project.
    pub workflow: String,
    /// Which version. Left out, the newest one at that time.
    #[serde(default)]
    pub version: Option<u32>,
    /// The input. Null if left out.
    #[serde(default)]
    pub input: Value,
    /// Whether the node waits for the end. If not, its output is `{ run_id }` as soon as the other
    /// run exists, and that run is cancelled only if this one is.
    #[serde(default = "yes", rename = "await")]
    pub awaited: bool,
    /// Labels, besides those of the other workflow.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

impl NodeConfig for SubRun {
    const KIND: &'static str = "workflow";
    const SUMMARY: &'static str = "Runs another workflow, and waits for it or not";
    const EXAMPLE: &'static str = include_str!("examples/workflow.yaml");

    fn check(&self) -> Result<(), Complaint> {
        if self.workflow.trim().is_empty() {
            return Err(Complaint::at("/workflow", "the workflow's name is missing"));
        }
        Ok(())
    }
}
