use super::labels::label;
use super::task::TaskFacts;
use super::{Observed, TASK};
use crate::failure::Failure;
use crate::limits::OBSERVED_LINE_IDS_MAX;
use crate::run::event::{Event, Fact, Inferred, SeenEnd};
use crate::run::{RunState, RunStatus, StepStatus};
use crate::time::Time;

impl RunState {
    /// Folds one event of a run that another program drives.
    pub(in crate::run) fn evolve_observed(&mut self, event: &Event) {
        let Some(mut observed) = self.observed.take() else { return };
        let touched = match &event.fact {
            Fact::TaskSeen { path, .. } => Some(path.as_str()),
            _ => None,
        };
        match &event.fact {
            Fact::FlowSeen { seen } => {
                observed.hear(event);
                observed.flow.merge(seen);
                if !seen.tags.is_empty() || seen.metadata.is_some() {
                    label(&mut self.created.labels, &observed.flow);
                }
            }
            Fact::FlowNamed { flow } => {
                let (created, flow) = (&mut self.created, &**flow);
                created.workflow.clone_from(&flow.workflow);
                created.workflow_id = flow.workflow_id;
                created.version = flow.version;
                created.definition_id = flow.definition_id;
            }
            Fact::TaskSeen { path, seen } => {
                observed.hear(event);
                // A task's words say when the run was under way, too.
                observed.flow.spans(seen.at, seen.is_bare());
                match observed.tasks.get_mut(path.as_str()) {
                    Some(facts) => facts.merge(seen),
                    None => {
                        let mut facts = TaskFacts::new(seen.at);
                        facts.merge(seen);
                        observed.tasks.insert(path.as_str().into(), facts);
                    }
                }
                self.stand(path, &observed);
            }
            Fact::LinesSeen { ids } => {
                observed.seen_at = observed.seen_at.max(event.at);
                observed.line_ids.extend(ids);
                let surplus = observed.line_ids.len().saturating_sub(OBSERVED_LINE_IDS_MAX);
                observed.line_ids.drain(..surplus);
            }
            Fact::StepCancelled { path, .. } => self.stand(path, &observed),
            Fact::Watched { until } => {
                observed.inferred = None;
                let heard_at = until.micros().saturating_sub(self.stalled_after());
                observed.seen_at = observed.seen_at.max(Time::from_micros(heard_at));
                self.deadline = Some(*until);
            }
            Fact::Inferred { what, until } => {
                observed.inferred = Some(*what);
                self.deadline = *until;
            }
            _ => {}
        }
        self.stand_as_a_whole(&observed, touched);
        self.observed = Some(observed);
    }

    fn stalled_after(&self) -> i64 {
        let wait = self.created.observed.as_ref().map(|terms| terms.stalled_after.0);
        i64::try_from(wait.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
    }

    /// Puts a step where its task stands.
    fn stand(&mut self, path: &str, observed: &Observed) {
        let Some(facts) = observed.tasks.get(path) else { return };
        let stands = facts.stands(observed.ended_at());
        self.set_status(path, stands.status, stands.reason);
        let is_over = stands.status.is_terminal();
        let step = self.touch(path);
        if step.kind.is_empty() {
            step.kind = TASK.into();
        }
        step.attempt = stands.attempt;
        step.queued_at = Some(stands.queued_at);
        step.started_at = stands.started_at;
        step.finished_at = stands.finished_at;
        step.error = stands.error.map(Box::new);
        if is_over {
            self.active.remove(path);
        } else if !self.active.contains(path) {
            self.active.insert(path.into());
        }
    }

    /// `touched` is the task of which something was heard.
    fn stand_as_a_whole(&mut self, observed: &Observed, touched: Option<&str>) {
        let flow = &observed.flow;
        self.started_at = flow.started_at.or(flow.first_at);
        self.output = flow.end.as_ref().and_then(|end| end.output.clone());
        let before = self.error.take();
        (self.status, self.reason) = (RunStatus::Running, None);
        if flow.first_at.is_none() {
            self.status = RunStatus::Queued;
        }
        let has_failed = self.counts.of(StepStatus::Failed) > 0;
        match (&flow.end, observed.inferred) {
            (Some(end), _) => {
                self.status = match end.status {
                    Some(SeenEnd::Failed) => RunStatus::Failed,
                    Some(SeenEnd::Cancelled) => RunStatus::Cancelled,
                    // The library says so of a flow whose tasks have failed, too.
                    None if has_failed && !flow.tolerates => RunStatus::Failed,
                    _ => RunStatus::Succeeded,
                };
                if self.status == RunStatus::Failed {
                    let said = end.error.clone();
                    self.error = Some(said.unwrap_or_else(|| observed.failure(before, touched)));
                }
            }
            (None, Some(inferred)) => {
                self.reason = Some(inferred.as_str().to_owned());
                if inferred.is_end() {
                    self.status = RunStatus::Failed;
                    self.error = Some(match inferred {
                        Inferred::GivenUp if !has_failed => Failure::new(
                            inferred.as_str(),
                            "nothing was heard of the run for too long",
                        ),
                        _ => observed.failure(before, touched),
                    });
                }
            }
            (None, None) => {}
        }
        self.finished_at = observed.ended_at();
        if self.status.is_terminal() {
            self.deadline = None;
        }
    }
}

impl Observed {
    fn hear(&mut self, event: &Event) {
        self.seen_at = self.seen_at.max(event.at);
        self.inferred = None;
    }

    /// The failure of the task that failed first. A run may have many tasks: as long as the one that it
    /// was before still is, only the one that has changed is looked at.
    fn failure(&self, before: Option<Failure>, touched: Option<&str>) -> Failure {
        let failed_at = |path: &str| Some(self.tasks.get(path)?.failed()?.0);
        let Some(known) = before else { return self.first_failure() };
        let Some(culprit) = known.step.as_deref().filter(|culprit| touched != Some(culprit)) else {
            return self.first_failure();
        };
        let Some(culprit) = failed_at(culprit).map(|at| (at, culprit)) else {
            return self.first_failure();
        };
        match touched.and_then(|path| Some((failed_at(path)?, path))) {
            Some(other) if other < culprit => self.first_failure(),
            _ => known,
        }
    }

    fn first_failure(&self) -> Failure {
        let failures = self.tasks.iter().filter_map(|(path, facts)| {
            let (at, error) = facts.failed()?;
            Some((at, path, error))
        });
        match failures.min_by_key(|(at, path, _)| (*at, *path)) {
            Some((_, path, Some(error))) => error.clone().of_step(path),
            Some((_, path, None)) => {
                Failure::new("task_failed", format!("`{path}` has failed")).of_step(path)
            }
            None => Failure::new("flow_failed", "the flow has failed"),
        }
    }
}
