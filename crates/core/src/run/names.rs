use std::borrow::Cow;

use serde_json::{Value, json};

use super::{RunState, StepStatus, path};
use crate::definition::Plan;
use crate::expr::{Names, NodeView, Root};
use crate::failure::Failure;

/// What names hold in a scope of a run.
pub(super) struct RunNames<'a> {
    pub(super) state: &'a RunState,
    pub(super) plan: &'a Plan,
    pub(super) scope: &'a str,
    /// A step that has just ended, but whose end is not in the state yet.
    pub(super) ended: Option<Ended<'a>>,
}

/// How a step has ended, for the conditions of its edges.
#[derive(Clone)]
pub(super) struct Ended<'a> {
    pub(super) node: &'a str,
    pub(super) status: StepStatus,
    pub(super) output: Option<&'a Value>,
    pub(super) error: Option<&'a Failure>,
}

impl Names for RunNames<'_> {
    fn value(&self, root: &Root) -> Cow<'_, Value> {
        match root {
            Root::Input => Cow::Borrowed(&self.state.created.input),
            Root::Vars => Cow::Borrowed(&self.plan.vars),
            Root::Run => {
                let created = &self.state.created;
                Cow::Owned(json!({
                    "id": created.run_id,
                    "workflow": created.workflow,
                    "version": created.version,
                    "created_at": self.state.created_at.to_string(),
                    "labels": created.labels,
                }))
            }
            Root::Item => self
                .state
                .item_of(self.scope)
                .map_or(Cow::Owned(Value::Null), |item| Cow::Borrowed(item.1)),
            Root::Index => {
                Cow::Owned(self.state.item_of(self.scope).map_or(Value::Null, |item| item.0.into()))
            }
            Root::Error => {
                Cow::Owned(self.state.caught_in(self.scope).map_or(Value::Null, as_value))
            }
            Root::Secrets | Root::Node { .. } => Cow::Owned(Value::Null),
        }
    }

    fn node(&self, up: u8, id: &str) -> NodeView<'_> {
        if let Some(ended) = self.ended.as_ref().filter(|ended| up == 0 && ended.node == id) {
            return NodeView {
                status: ended.status.as_str(),
                output: ended.output,
                error: ended.error.map(as_value),
            };
        }
        let scope = path::outwards(self.scope, up);
        match self.state.named(scope, id) {
            None => NodeView { status: StepStatus::Pending.as_str(), output: None, error: None },
            Some(step) => NodeView {
                status: step.status.as_str(),
                output: step.output.as_deref(),
                error: step.error.as_deref().map(as_value),
            },
        }
    }
}

fn as_value(failure: &Failure) -> Value {
    serde_json::to_value(failure).unwrap_or(Value::Null)
}
