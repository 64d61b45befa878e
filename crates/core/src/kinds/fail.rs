use schemars::JsonSchema;
use serde::Deserialize;

use super::{Done, NodeConfig, Pure, PureNode};
use crate::failure::Failure;

/// Fails, with a message. Put it where a run must not go on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Fail {
    /// What went wrong, for people.
    message: String,
    /// What went wrong, for programs.
    #[serde(default = "default_code")]
    code: String,
}

fn default_code() -> String {
    "failed".to_owned()
}

impl NodeConfig for Fail {
    const KIND: &'static str = "fail";
    const SUMMARY: &'static str = "Fails, with a message";
    const EXAMPLE: &'static str = include_str!("examples/fail.yaml");
}

impl PureNode for Fail {
    fn run(self, _: Pure) -> Result<Done, Failure> {
        Err(Failure::new(self.code, self.message))
    }
}
