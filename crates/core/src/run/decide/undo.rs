//! `compensate`: undoing what has succeeded, because something later has failed.

use std::sync::Arc;

use super::Decider;
use super::start::{check_size, expression_failure};
use crate::definition::Node;
use crate::expr::{Environment, Rendered};
use crate::failure::Failure;
use crate::run::event::{Fact, Undo};
use crate::run::names::RunNames;
use crate::run::path::{self, UNDO};

impl Decider<'_> {
    /// What would undo a step that is about to succeed. It is rendered now, while every name it may
    /// read is at hand.
    ///
    /// # Errors
    ///
    /// If it cannot be rendered. The step has then failed.
    pub(super) fn undo_of(
        &self,
        node: &Node,
        names: &RunNames<'_>,
    ) -> Result<Option<Box<Undo>>, Failure> {
        let Some(undo) = &node.compensate else { return Ok(None) };
        let Rendered { value, secrets } =
            undo.config.render(&Environment::new(names, self.now)).map_err(|(place, error)| {
                expression_failure(&format!("/compensate/config{place}"), &error)
            })?;
        check_size(&value, "config of `compensate`")?;
        let kind = undo.kind.name.to_owned();
        Ok(Some(Box::new(Undo { kind, input: Arc::new(value), secrets, effect: undo.effect })))
    }

    /// Begins to undo the latest step inside of `place` that has not been undone; `None` if there
    /// is none left.
    pub(super) fn undo_latest(&self, place: &str) -> Option<Vec<Fact>> {
        let entries = self.state.undo.values().rev();
        let (done, undo) = entries.into_iter().find(|(done, _)| path::is_inside(done, place))?;
        let Undo { kind, input, secrets, effect } = undo.clone();
        let (path, undoes) = (format!("{done}{UNDO}"), Some(place.to_owned()));
        let node = self.locate(&path).map(|(_, node)| node);
        // A config that does not fit its kind was refused when the definition was read.
        let task = node.and_then(|node| self.task_of(node, &input).ok().flatten());
        let cache = None;
        Some(vec![Fact::StepQueued { path, kind, input, secrets, effect, cache, undoes, task }])
    }
}
