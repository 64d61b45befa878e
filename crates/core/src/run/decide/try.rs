//! `try`: which of its bodies comes next.

use super::Decider;
use super::attempt::is_code;
use crate::definition::{Node, Role};
use crate::failure::Failure;
use crate::run::event::Fact;
use crate::run::path;
use crate::run::state::{Block, BlockOf};

impl Decider<'_> {
    pub(super) fn open_try(&self, step: &str, node: &Node) -> Vec<Fact> {
        let finally = node.bodies.iter().position(|body| body.role == Role::Finally);
        vec![Fact::TryOpened {
            path: step.to_owned(),
            kind: node.kind.name.to_owned(),
            finally: finally.and_then(|place| u32::try_from(place).ok()),
        }]
    }

    /// The body; if it has failed, the undoing of what it has done and the `catch` that fits; then
    /// `finally`; then the end.
    pub(super) fn go_on_trying(&self, step: &str, block: &Block) -> Vec<Fact> {
        let BlockOf::Try { finally, last, output, error, is_cancelled } = &block.of else {
            return self.lost(step);
        };
        let Some(place) = self.locate(step) else { return self.lost(step) };
        let Some(last) = *last else { return self.open_body(step, place.1, 0) };
        let is_cleaned = Some(last) == *finally;
        if (error.is_some() || *is_cancelled)
            && !is_cleaned
            && let Some(facts) = self.undo_latest(step)
        {
            return facts;
        }
        if let (Some(error), 0, false) = (error, last, *is_cancelled)
            && let Some(clause) = clause_for(place.1, error)
        {
            return self.open_body(step, place.1, clause);
        }
        if let (Some(finally), false) = (*finally, is_cleaned) {
            return self.open_body(step, place.1, finally);
        }
        let begun = self.state.steps.get(step).and_then(|step| step.started_at);
        match (is_cancelled, error, output) {
            (true, ..) => {
                let reason = self.reason_around(step);
                self.cancel_step(step, &reason)
            }
            (false, Some(error), _) => self.fail(step, place, 1, begun, error.clone()),
            (false, None, output) => {
                let output = output.clone().unwrap_or_default();
                self.succeed(step, place, 1, begun, output, None)
            }
        }
    }

    fn open_body(&self, step: &str, node: &Node, index: u32) -> Vec<Fact> {
        let Some(body) = node.body(index) else { return self.lost(step) };
        vec![Fact::ItemsOpened {
            path: step.to_owned(),
            from: index,
            to: index + 1,
            ready: body.root_ids(),
            nodes: Some(body.len()),
        }]
    }

    /// Why the closest place around a step is being stopped.
    fn reason_around(&self, step: &str) -> String {
        let mut scope = path::scope_of(step);
        loop {
            let stop = self.state.scopes.get(scope).and_then(|scope| scope.stopping.as_ref());
            match (stop, path::block_of(scope)) {
                (Some(stop), _) => return stop.cause.reason().to_owned(),
                (None, Some((block, _))) => scope = path::scope_of(block),
                (None, None) => return "run_cancelled".to_owned(),
            }
        }
    }
}

/// The number of the first `catch` that is for this error.
fn clause_for(node: &Node, error: &Failure) -> Option<u32> {
    let fits = |role: &Role| match role {
        Role::Catch(None) => true,
        Role::Catch(Some(codes)) => codes.iter().any(|code| is_code(code, &error.code)),
        Role::Main | Role::Finally => false,
    };
    let place = node.bodies.iter().position(|body| fits(&body.role))?;
    u32::try_from(place).ok()
}
