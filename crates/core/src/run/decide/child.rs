//! `workflow`: a step that asks for another run.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Decider;
use crate::failure::Failure;
use crate::kinds::{SubRun, parse_config};
use crate::limits::SUB_RUN_DEPTH_MAX;
use crate::run::derived::derived_id;
use crate::run::event::Fact;
use crate::run::input::Refused;
use crate::run::state::{Child, Step};

impl Decider<'_> {
    pub(super) fn request_child(
        &self,
        path: &str,
        kind: &str,
        config: Value,
    ) -> Result<Vec<Fact>, Failure> {
        let depth = self.state.created.parent.as_ref().map_or(0, |parent| parent.depth);
        if depth >= SUB_RUN_DEPTH_MAX {
            let message = format!("runs nest deeper than {SUB_RUN_DEPTH_MAX}");
            return Err(Failure::new("too_deep", message));
        }
        let SubRun { awaited, .. } = parse_config(config.clone())?;
        Ok(vec![Fact::ChildRequested {
            path: path.to_owned(),
            kind: kind.to_owned(),
            input: Arc::new(config),
            child: derived_id(self.state.created.run_id, path, self.now),
            awaited,
        }])
    }

    /// The child has begun. A step that does not wait for its end has nothing more to wait for.
    pub(super) fn child_started(&self, path: &str, child: Uuid) -> Result<Vec<Fact>, Refused> {
        let step = self.waits_for(path, child)?;
        if step.child.as_ref().is_some_and(|child| child.awaited) {
            return Ok(Vec::new());
        }
        let Some(place) = self.locate(path) else { return Ok(self.lost(path)) };
        let output = Arc::new(json!({ "run_id": child }));
        Ok(self.succeed(path, place, step.attempt, step.started_at, output, None))
    }

    pub(super) fn child_ended(
        &self,
        path: &str,
        child: Uuid,
        result: &Result<Arc<Value>, Failure>,
    ) -> Result<Vec<Fact>, Refused> {
        let step = self.waits_for(path, child)?;
        let Some(place) = self.locate(path) else { return Ok(self.lost(path)) };
        let (attempt, began) = (step.attempt, step.started_at);
        Ok(match result {
            Ok(output) => self.succeed(path, place, attempt, began, output.clone(), None),
            Err(failure) => self.fail(path, place, attempt, began, failure.clone()),
        })
    }

    fn waits_for(&self, path: &str, run_id: Uuid) -> Result<&Step, Refused> {
        let step = self.state.steps.get(path);
        let step = step.ok_or_else(|| Refused::NoSuchStep(path.to_owned()))?;
        let is_child = |child: &Child| child.run_id == run_id;
        let waits = !step.status.is_terminal() && step.child.as_ref().is_some_and(is_child);
        if waits { Ok(step) } else { Err(Refused::Stale { path: path.to_owned(), attempt: 1 }) }
    }
}
