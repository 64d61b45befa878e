//! Steps that wait for somebody's word, and the signals of a run.

use std::sync::Arc;

use serde_json::Value;

use crate::kinds::Awaits;
use crate::run::event::{Decision, Resume};
use crate::run::state::{Ask, Signal};
use crate::run::{RunState, StepStatus};
use crate::time::Time;

impl RunState {
    pub(super) fn ask(
        &mut self,
        path: &str,
        kind: &str,
        at: Time,
        (awaits, input, resumes): (&Awaits, &Arc<Value>, Option<&Resume>),
    ) {
        match resumes {
            None => {
                let step = self.begin(path, kind, StepStatus::Waiting, at);
                step.attempt = 1;
                step.input = Some(input.clone());
                step.started_at = Some(at);
                self.activate(path);
            }
            Some(resume) => {
                self.set_status(path, StepStatus::Waiting, None);
                let step = self.touch(path);
                step.started_at.get_or_insert(resume.started_at);
                step.suspensions += 1;
            }
        }
        *self.waits.word(awaits) += 1;
        let step = self.touch(path);
        step.reason = Some(Arc::from(awaits.as_str()));
        step.ask = Some(Box::new(Ask {
            awaits: awaits.clone(),
            input: input.clone(),
            since: at,
            decisions: Vec::new(),
            resumes: resumes.cloned().map(Box::new),
        }));
        let ordinal = step.ordinal;
        if let Awaits::Signal(name) = awaits {
            let listeners = self.listeners.entry(Arc::from(name.as_str())).or_default();
            listeners.insert(ordinal, Arc::from(path));
        }
    }

    pub(super) fn keep_decision(&mut self, path: &str, decision: &Decision) {
        if let Some(ask) = self.steps.get_mut(path).and_then(|step| step.ask.as_deref_mut()) {
            ask.decisions.push(decision.clone());
        }
    }

    /// The step has its answer, or needs none any more.
    pub(super) fn forget_ask(&mut self, path: &str) {
        let Some(step) = self.steps.get_mut(path) else { return };
        let Some(ask) = step.ask.take() else { return };
        let ordinal = step.ordinal;
        let count = self.waits.word(&ask.awaits);
        *count = count.saturating_sub(1);
        if let Awaits::Signal(name) = &ask.awaits
            && let Some(listeners) = self.listeners.get_mut(name.as_str())
        {
            listeners.remove(&ordinal);
            if listeners.is_empty() {
                self.listeners.remove(name.as_str());
            }
        }
    }

    pub(super) fn receive(&mut self, name: &str, payload: &Arc<Value>, by: &str, id: Option<&str>) {
        self.signal_count += 1;
        self.signal_ids.extend(id.map(Arc::from));
        let signal = Signal { payload: payload.clone(), by: by.to_owned() };
        self.inbox.entry(Arc::from(name)).or_default().push_back(signal);
    }

    pub(super) fn take_signal(&mut self, name: &str) {
        if let Some(signals) = self.inbox.get_mut(name) {
            signals.pop_front();
            if signals.is_empty() {
                self.inbox.remove(name);
            }
        }
    }
}
