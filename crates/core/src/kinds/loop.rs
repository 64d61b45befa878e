use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{BlockBody, Complaint, NodeConfig};
use crate::limits::LOOP_ITERATION_COUNT_MAX;

/// Runs a graph of its own again and again, one iteration after the other. The output is that of the
/// last iteration; if there was none, it is `initial`.
///
/// Inside the body, and in `while` and `until`, `item` is the output of the iteration before (at
/// first `initial`) and `index` the number of the iteration from 0; nodes outside of the body can be
/// read too. After `max_iterations` a loop that would still go on fails with `too_many_iterations`.
/// If an iteration fails, so does the node.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Loop {
    /// Goes on as long as this holds. Asked before each iteration, the first included. An
    /// expression.
    #[serde(default, rename = "while")]
    while_: Option<bool>,
    /// Goes on until this holds. Asked after each iteration, with `item` as its output. An
    /// expression.
    #[serde(default)]
    until: Option<bool>,
    /// How many iterations there may be, 1 to 100,000. 1,000 if left out.
    #[serde(default)]
    max_iterations: Option<u32>,
    /// What `item` is in the first iteration. Null if left out.
    #[serde(default)]
    #[expect(dead_code, reason = "for the schema; the core reads the rendered one")]
    initial: Value,
    /// What to run in each iteration.
    #[expect(dead_code, reason = "for the schema; the graph is compiled with the definition")]
    body: BlockBody,
}

impl NodeConfig for Loop {
    const KIND: &'static str = "loop";
    const SUMMARY: &'static str = "Runs a graph again and again, while or until a condition holds";
    const EXAMPLE: &'static str = include_str!("examples/loop.yaml");
    const CONDITIONS: &'static [&'static str] = &["while", "until"];

    fn check(&self) -> Result<(), Complaint> {
        if self.while_.is_some() == self.until.is_some() {
            let complaint = Complaint::at("", "a loop has either `while` or `until`");
            return Err(complaint.hint("`while` is asked before each iteration, `until` after"));
        }
        let possible = 1..=LOOP_ITERATION_COUNT_MAX;
        if self.max_iterations.is_some_and(|most| !possible.contains(&most)) {
            let message = format!("there may be 1 to {LOOP_ITERATION_COUNT_MAX} iterations");
            return Err(Complaint::at("/max_iterations", message));
        }
        Ok(())
    }
}
