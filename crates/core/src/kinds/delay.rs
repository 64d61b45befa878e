use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{NodeConfig, parse_config};
use crate::duration::HumanDuration;
use crate::failure::Failure;

/// Waits, then hands on the output of the node before it.
///
/// The wait is a row in the database: it holds no process and no memory, and it survives a restart.
/// A time that passed meanwhile is made up for at once.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Delay {
    /// How long to wait, such as `10ms`, `3s` or `1h30m`. At most ten years.
    duration: HumanDuration,
}

impl NodeConfig for Delay {
    const KIND: &'static str = "delay";
    const SUMMARY: &'static str = "Waits for a while, holding nothing";
    const EXAMPLE: &'static str = include_str!("examples/delay.yaml");
}

pub(super) fn wait(config: &Value) -> Result<Duration, Failure> {
    parse_config::<Delay>(config.clone()).map(|delay| delay.duration.0)
}
