use super::Decider;
use crate::run::RunStatus;
use crate::run::event::Fact;

impl Decider<'_> {
    pub(super) fn start_run(&self) -> Fact {
        let graph = &self.plan.graph;
        let deadline = self.plan.deadline.map(|deadline| self.now.plus(deadline.0));
        Fact::RunStarted { nodes: graph.len(), ready: graph.root_ids(), deadline }
    }

    /// The next small step that follows from the state alone; empty if none does.
    ///
    /// Stopping comes first, so that nothing starts in a place that is being stopped. Closing comes
    /// before starting, so that memory is let go before more is taken.
    pub(super) fn advance(&self) -> Vec<Fact> {
        let todo = &self.state.todo;
        if self.state.paused.is_some() || self.state.awaits_admission() {
            return Vec::new();
        }
        if self.state.status == RunStatus::Queued {
            return vec![self.start_run()];
        }
        if let Some(tokens) = self.tokens() {
            return tokens.advance();
        }
        // The last place in order lies deepest: it is told to end before those around it.
        if let Some(place) = todo.stopping.last() {
            return self.wind_down(place);
        }
        if let Some(scope) = todo.closing.last() {
            return self.finish_scope(scope);
        }
        if let Some(block) = todo.filled.last() {
            return self.finish_block(block);
        }
        if let Some(path) = todo.ready.values().next() {
            return self.start_step(path);
        }
        if let Some(path) = todo.dead.values().next() {
            return self.skip(path, "not_taken");
        }
        match todo.opening.first() {
            Some(block) => self.open_bodies(block),
            None => Vec::new(),
        }
    }
}
