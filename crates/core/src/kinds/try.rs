use schemars::JsonSchema;
use serde::Deserialize;

use super::{BlockBody, Complaint, NodeConfig};

/// Runs a graph, another one if it fails, and a last one in any case. The output is that of the
/// body, or of the `catch` that has dealt with its failure.
///
/// When the body fails, what has succeeded in it and has a `compensate` is undone first, the latest
/// first. Then the first `catch` that names the error's code runs; if it succeeds, so does the node.
/// `finally` runs last: after a success, after a failure, and when the run is cancelled. Where a
/// `catch` or `finally` stands, `error` is why the body failed, or null.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Try {
    /// What to run.
    #[expect(dead_code, reason = "for the schema; the graph is compiled with the definition")]
    body: BlockBody,
    /// What to run if it fails: the first one that fits.
    #[serde(default)]
    catch: Vec<Catch>,
    /// What to run last, whatever happened.
    #[serde(default)]
    finally: Option<BlockBody>,
}

/// What to run if the body fails.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Catch {
    /// Error codes that it is for, such as `timeout`, `http_503` or `http_5xx`. Left out: every one.
    #[serde(default)]
    on: Option<Vec<String>>,
    /// What to run then.
    #[expect(dead_code, reason = "for the schema; the graph is compiled with the definition")]
    body: BlockBody,
}

impl NodeConfig for Try {
    const KIND: &'static str = "try";
    const SUMMARY: &'static str =
        "Runs a graph, another one if it fails, and a last one in any case";
    const EXAMPLE: &'static str = include_str!("examples/try.yaml");

    fn check(&self) -> Result<(), Complaint> {
        if self.catch.is_empty() && self.finally.is_none() {
            let complaint =
                Complaint::at("", "neither `catch` nor `finally`: the body alone is enough");
            return Err(complaint.hint("add a `catch`, a `finally`, or both"));
        }
        let never = self.catch.iter().take(self.catch.len().saturating_sub(1));
        if let Some(place) = never.clone().position(|clause| clause.on.is_none()) {
            let message = "it catches every error, so the ones behind it never run";
            return Err(Complaint::at(&format!("/catch/{place}"), message));
        }
        Ok(())
    }
}
