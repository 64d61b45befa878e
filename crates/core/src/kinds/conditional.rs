use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Branch, Complaint, Done, NodeConfig, Pure, PureNode};
use crate::expr::Type;
use crate::failure::Failure;

/// Goes one of two ways.
///
/// `true_edge` and `false_edge` name the nodes to go to; an edge to them need not be written. The
/// way that is not gone is skipped, and so is everything that only it leads to. The output is
/// `{"result": true}` or `{"result": false}`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Conditional {
    /// An expression that is true or false, such as `input.amount > 100`. `{{ }}` around a part of
    /// it means the same as parentheses.
    #[schemars(with = "String")]
    condition: bool,
    /// The node to go to if it is true. Left out, nothing is.
    #[serde(default)]
    true_edge: Option<String>,
    /// The node to go to if it is false. Left out, nothing is.
    #[serde(default)]
    false_edge: Option<String>,
}

impl NodeConfig for Conditional {
    const KIND: &'static str = "conditional";
    const SUMMARY: &'static str = "Goes one of two ways";
    const EXAMPLE: &'static str = include_str!("examples/conditional.yaml");
    const CONDITIONS: &'static [&'static str] = &["condition"];

    fn check(&self) -> Result<(), Complaint> {
        if self.true_edge.is_none() && self.false_edge.is_none() {
            return Err(Complaint::at("", "a conditional without `true_edge` and `false_edge`")
                .hint("name the node to go to"));
        }
        Ok(())
    }

    fn output(_: &Value) -> Type {
        Type::closed([("result", Type::Bool)])
    }

    fn branches(&self) -> Vec<Branch> {
        let ways =
            [("true", "true_edge", &self.true_edge), ("false", "false_edge", &self.false_edge)];
        ways.into_iter()
            .filter_map(|(label, field, target)| {
                let target = target.clone()?;
                Some(Branch { path: format!("/{field}"), label: label.into(), target })
            })
            .collect()
    }
}

impl PureNode for Conditional {
    fn run(self, _: Pure) -> Result<Done, Failure> {
        let chosen = if self.condition { self.true_edge } else { self.false_edge };
        Ok(Done {
            output: json!({ "result": self.condition }),
            chosen: Some(chosen.into_iter().collect()),
        })
    }
}
