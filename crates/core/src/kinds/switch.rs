use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Branch, Complaint, Done, NodeConfig, Pure, PureNode};
use crate::expr::Type;
use crate::failure::Failure;
use crate::json;

/// Goes one of many ways, by a value.
///
/// `cases` maps values to the nodes to go to; a number or a bool is compared by its JSON text. What
/// fits no case goes to `default`, or nowhere. The output is `{"value": …, "case": …}`, with a null
/// `case` for the default.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    /// The value to look at: a text, a number or a bool.
    value: Value,
    /// The node to go to for each value.
    cases: Map<String, Value>,
    /// The node to go to for every other value. Left out, nothing is.
    #[serde(default)]
    default: Option<String>,
}

impl NodeConfig for Switch {
    const KIND: &'static str = "switch";
    const SUMMARY: &'static str = "Goes one of many ways, by a value";
    const EXAMPLE: &'static str = include_str!("examples/switch.yaml");

    fn check(&self) -> Result<(), Complaint> {
        if self.cases.is_empty() && self.default.is_none() {
            return Err(Complaint::at("/cases", "a switch without any case"));
        }
        match self.cases.iter().find(|(_, target)| !target.is_string()) {
            Some((case, _)) => {
                let path = json::pointer("/cases", case);
                Err(Complaint::at(&path, format!("the case `{case}` must name a node")))
            }
            None => Ok(()),
        }
    }

    fn output(_: &Value) -> Type {
        Type::closed([("value", Type::Any), ("case", Type::Any)])
    }

    fn branches(&self) -> Vec<Branch> {
        let cases = self.cases.iter().filter_map(|(case, target)| {
            let target = target.as_str()?.to_owned();
            Some(Branch { path: json::pointer("/cases", case), label: case.clone(), target })
        });
        let default = self.default.iter().map(|target| Branch {
            path: "/default".into(),
            label: "default".into(),
            target: target.clone(),
        });
        cases.chain(default).collect()
    }
}

impl PureNode for Switch {
    fn run(self, _: Pure) -> Result<Done, Failure> {
        let value = match &self.value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) | Value::Null => self.value.to_string(),
            other => {
                let message = format!("a switch cannot look at a {}", json::type_name(other));
                return Err(Failure::new("type_mismatch", message));
            }
        };
        let case = self.cases.get_key_value(&value);
        let chosen = match case {
            Some((_, target)) => target.as_str().map(str::to_owned),
            None => self.default,
        };
        Ok(Done {
            output: json!({ "value": self.value, "case": case.map(|(case, _)| case) }),
            chosen: Some(chosen.into_iter().collect()),
        })
    }
}
