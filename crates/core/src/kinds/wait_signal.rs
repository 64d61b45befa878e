use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Awaits, Complaint, NodeConfig, Wait, parse_config};
use crate::duration::HumanDuration;
use crate::failure::Failure;
use crate::limits::LABEL_BYTES_MAX;

/// Waits for a signal that somebody sends to this run. The output is what came with it.
///
/// A signal that comes before the step waits is kept for it. One signal wakes one step: the one that
/// has waited longest. While the step waits, it holds no process and no memory.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitSignal {
    /// The signal's name.
    pub signal: String,
    /// How long to wait. Left out, for ever.
    #[serde(default)]
    pub timeout: Option<HumanDuration>,
    /// What happens then.
    #[serde(default)]
    pub on_timeout: OnTimeout,
}

/// What happens when nothing came in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The step fails with the code `timeout`.
    #[default]
    Fail,
    /// The step succeeds with a null output.
    Continue,
}

impl NodeConfig for WaitSignal {
    const KIND: &'static str = "wait_signal";
    const SUMMARY: &'static str = "Waits for a signal to this run";
    const EXAMPLE: &'static str = include_str!("examples/wait_signal.yaml");

    fn check(&self) -> Result<(), Complaint> {
        check_name("/signal", &self.signal)
    }
}

pub(super) fn wait(config: &Value) -> Result<Wait, Failure> {
    let WaitSignal { signal, timeout, .. } = parse_config(config.clone())?;
    Ok(Wait { awaits: Awaits::Signal(signal), time: timeout.map(|time| time.0) })
}

/// Refuses what nobody could send.
pub(super) fn check_name(field: &str, name: &str) -> Result<(), Complaint> {
    if name.is_empty() || name.len() > LABEL_BYTES_MAX {
        return Err(Complaint::at(field, format!("a name has 1 to {LABEL_BYTES_MAX} bytes")));
    }
    Ok(())
}
