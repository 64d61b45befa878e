//! Attempts: released, made on the spot, reported from elsewhere.

use std::sync::Arc;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::definition;
use windlass_core::run::{AttemptError, Effect, Refused, StepStatus, What};
use windlass_nodes::Executor;
use windlass_store::LogRow;

use super::Shard;
use super::load::Held;
use super::messages::{AttemptOrder, Output, Report};

impl<T> Shard<T> {
    /// It is durable that an attempt is to be made: have it made, unless the step has been stopped
    /// meanwhile.
    pub(super) fn release_attempt(
        &mut self,
        now: Time,
        run_id: Uuid,
        path: String,
        attempt: u32,
        out: &mut Vec<Output<T>>,
    ) {
        if self.is_winding_up {
            // The next server finds it queued. Not even the start of one that may not be repeated
            // is written, so it will not wait for a decision.
            return;
        }
        let moment = self.moment(now);
        let Some(run) = self.live.get_mut(&run_id) else { return };
        if self.is_halted || run.state.pause().is_some() {
            run.withheld.push(Effect::MakeAttempt { path, attempt });
            return;
        }
        let Some(step) = run.state.step(&path).filter(|step| step.attempt == attempt) else {
            return;
        };
        let is_never = step.effect == definition::Effect::Never;
        match step.status {
            // Intent before effect: the start is made durable, and released again after that.
            StepStatus::Queued if is_never => {
                let what = What::AttemptStarted { path: path.clone(), attempt };
                if run.take(moment, what).is_ok() {
                    run.pending.effects.push(Effect::MakeAttempt { path, attempt });
                    self.touch(now, run_id, true);
                }
                return;
            }
            StepStatus::Running if is_never => {}
            StepStatus::Queued => {}
            _ => return,
        }
        let node = run.plan.locate(&path).map(|(_, node)| node);
        let order = AttemptOrder {
            run_id,
            project: run.project.clone(),
            workflow: Arc::from(run.state.created.workflow.as_str()),
            attempt,
            kind: step.kind.clone(),
            input: step.input.clone().unwrap_or_default(),
            secrets: step.secrets.clone(),
            records: step.records().to_vec(),
            cache: step.cache().cloned(),
            budgets: [
                node.map(|node| node.budgets.clone()).unwrap_or_default(),
                run.plan.budgets.clone(),
            ],
            timeout: node.and_then(|node| node.timeout),
            trigger_depth: run.state.created.trigger_depth,
            effect: step.effect,
            path,
        };
        let executor = self.config.registry.executor(&order.kind);
        // Looking for an earlier output takes a while.
        if order.cache.is_none() && matches!(executor, Some(Executor::Inline(_))) {
            self.inline.push_back(order);
        } else if self.flying.insert((run_id, order.path.clone(), attempt)) {
            out.push(Output::Start(order));
        }
    }

    pub(super) fn make_inline(&mut self, now: Time, order: AttemptOrder) {
        let AttemptOrder { run_id, path, attempt, kind, input, .. } = order;
        let Some(Executor::Inline(run)) = self.config.registry.executor(&kind) else { return };
        let result = run((*input).clone()).map(Arc::new);
        let what = What::AttemptEnded { path, attempt, started_at: now, result };
        let _ = self.tell_live(now, run_id, what);
    }

    pub(super) fn report(
        &mut self,
        now: Time,
        run_id: Uuid,
        path: String,
        attempt: u32,
        report: Report,
    ) {
        let goes_on = matches!(
            report,
            Report::Started { .. } | Report::Logs { .. } | Report::Recorded { .. }
        );
        if !goes_on {
            self.flying.remove(&(run_id, path.clone(), attempt));
        }
        if !self.live.contains_key(&run_id) {
            // A run that is not in memory has no attempt under way, unless it is on its way back.
            if let Some(loading) = self.loading.get_mut(&run_id) {
                loading.held.push(Held::Report { path, attempt, report });
            }
            return;
        }
        match report {
            Report::Started { at } => {
                let moment = self.moment(at);
                let Some(run) = self.live.get_mut(&run_id) else { return };
                if run.take(moment, What::AttemptStarted { path, attempt }).is_ok() {
                    self.touch(now, run_id, false);
                }
            }
            Report::Logs { lines } => {
                let Some(run) = self.live.get_mut(&run_id) else { return };
                for (at, stream, text) in lines {
                    run.last_log_seq += 1;
                    let (log_seq, path) = (run.last_log_seq, path.clone());
                    let level = None;
                    let row = LogRow { log_seq, at, path, attempt, stream, text, level };
                    run.pending.logs.push(row);
                }
                self.touch(now, run_id, false);
            }
            Report::Recorded { key, value, call } => {
                let moment = self.moment(now);
                let Some(run) = self.live.get_mut(&run_id) else { return };
                if run.record(moment, (path, attempt), (key, value), call).is_ok() {
                    self.touch(now, run_id, false);
                }
            }
            Report::Ended { started_at, result } => {
                let ended = What::AttemptEnded { path, attempt, started_at, result };
                let _ = self.tell_live(now, run_id, ended);
            }
            Report::Cached { run_id: origin, output } => {
                let cached = What::AttemptCached { path, attempt, run_id: origin, output };
                let _ = self.tell_live(now, run_id, cached);
            }
            Report::Asks { started_at, key, ask } => {
                let asks = What::AttemptAsks { path: path.clone(), attempt, started_at, key, ask };
                if let Err(Refused::BadOutput(failure)) = self.tell_live(now, run_id, asks) {
                    let result = Err(AttemptError::new(failure, true));
                    let ended = What::AttemptEnded { path, attempt, started_at, result };
                    let _ = self.tell_live(now, run_id, ended);
                }
            }
            Report::Abandoned => {}
        }
    }

    /// Tells a run in memory something that it may refuse: it came late, or twice.
    pub(super) fn tell_live(&mut self, now: Time, run_id: Uuid, what: What) -> Result<(), Refused> {
        let moment = self.moment(now);
        let Some(run) = self.live.get_mut(&run_id) else { return Ok(()) };
        run.take(moment, what)?;
        self.touch(now, run_id, true);
        self.go_on(now, run_id);
        Ok(())
    }
}
