use super::task::TaskFacts;
use super::{FlowFacts, Observed, UNKNOWN_FLOW};
use crate::limits::OBSERVED_TASK_COUNT_MAX;
use crate::run::event::{
    Event, Fact, FlowName, FlowSeen, FlowWord, Inferred, ObservedTerms, TaskSeen, TaskWord,
};
use crate::run::evolve::reason;
use crate::run::input::{Input, Refused, Seen, What};
use crate::run::{RunState, StepStatus};
use crate::time::Time;

/// What follows from an input for a run that another program drives.
pub(in crate::run) fn decide(
    state: &RunState,
    observed: &Observed,
    input: &Input,
) -> Result<Vec<Event>, Refused> {
    let Some(terms) = &state.created.observed else { return Ok(Vec::new()) };
    let decider = Decider { state, observed, terms, now: input.now };
    let facts = match &input.what {
        What::Advance => Vec::new(),
        What::Seen(seen) => decider.seen(seen)?,
        What::TimerFired { path } if path.is_empty() => decider.silent()?,
        _ => return Err(Refused::OnlyWatched),
    };
    Ok(facts.into_iter().map(|fact| Event { at: input.now, fact }).collect())
}

struct Decider<'a> {
    state: &'a RunState,
    observed: &'a Observed,
    terms: &'a ObservedTerms,
    now: Time,
}

/// Whether a word names the flow of a run better than was known: one that gives the key counts before
/// one that only says what the flow is called. That two senders mean two keys by one run is their
/// mistake, and the first one counts.
pub fn is_renamed(known: &str, said: &FlowName) -> bool {
    let is_better = known == UNKNOWN_FLOW || said.called.as_deref() == Some(known);
    is_better && said.workflow != UNKNOWN_FLOW && said.workflow != known
}

impl Decider<'_> {
    fn seen(&self, seen: &Seen) -> Result<Vec<Fact>, Refused> {
        let mut facts = Vec::new();
        if let Seen::Named(flow) = seen {
            let is_news = is_renamed(&self.state.created.workflow, flow);
            facts.extend(is_news.then(|| Fact::FlowNamed { flow: flow.clone() }));
            return Ok(facts);
        }
        let over_before = self.observed.ended_at();
        // What its silence seemed to say is taken back by any word.
        let mut over_after = self.observed.flow.end.as_ref().map(|end| end.at);
        match seen {
            Seen::Flow(seen) => {
                let mut flow = self.observed.flow.clone();
                flow.merge(seen);
                over_after = flow.end.as_ref().map(|end| end.at);
                if flow != self.observed.flow {
                    facts
                        .push(Fact::FlowSeen { seen: without_old_end(seen, self.observed, &flow) });
                }
            }
            Seen::Lines(ids) => facts.push(Fact::LinesSeen { ids: ids.clone() }),
            Seen::Named(_) => {}
            Seen::Task { path, seen } => self.task(path, seen, &mut facts)?,
        }
        let is_new = self.state.deadline().is_none();
        let is_stale = self.observed.silence(self.now) > self.terms.stalled_after.0 / 2;
        if over_after.is_none() && (is_new || is_stale || self.observed.inferred.is_some()) {
            facts.push(Fact::Watched { until: self.now.plus(self.terms.stalled_after.0) });
        }
        match (over_before, over_after) {
            (before, after) if before == after => {}
            (None, Some(_)) => facts.extend(self.state.active.iter().map(|path| over(path))),
            (Some(_), Some(_)) => facts.extend(self.cut_short().map(|(path, _)| over(path))),
            (Some(_), None) => {
                // A task that is spoken of again by an event of its own stands where that says.
                let spoken_of = facts.iter().find_map(|fact| match fact {
                    Fact::TaskSeen { path, .. } => Some(path.clone()),
                    _ => None,
                });
                let others =
                    self.cut_short().filter(|(path, _)| Some(*path) != spoken_of.as_deref());
                facts.extend(others.map(taken_back));
            }
            (None, None) => {}
        }
        Ok(facts)
    }

    fn task(&self, path: &str, seen: &TaskSeen, facts: &mut Vec<Fact>) -> Result<(), Refused> {
        let known = self.observed.tasks.get(path);
        if known.is_none() && self.observed.tasks.len() >= OBSERVED_TASK_COUNT_MAX {
            return Err(Refused::TooManyTasks);
        }
        let mut after = known.cloned().unwrap_or_else(|| TaskFacts::new(seen.at));
        after.merge(seen);
        if known == Some(&after) && !self.observed.flow.is_moved_by(seen.at, seen.is_bare()) {
            return Ok(());
        }
        // Whoever reads the journal takes the last end for the one that counts.
        let mut seen = seen.clone();
        if let (TaskWord::Ended(_), Some(known)) = (seen.what, known)
            && known.ends_by(&after)
        {
            seen.what = TaskWord::Noted;
            (seen.error, seen.output, seen.duration) = (None, None, None);
        }
        if let Some(known) = known {
            (seen.about, seen.restates) = known.restated(&seen);
        }
        facts.push(Fact::TaskSeen { path: path.to_owned(), seen: Box::new(seen) });
        Ok(())
    }

    /// Tasks that are over only because the run is, or is believed to be.
    fn cut_short(&self) -> impl Iterator<Item = (&str, &TaskFacts)> {
        let tasks = self.observed.tasks.iter().map(|(path, facts)| (&**path, facts));
        tasks.filter(|(path, facts)| {
            let step = self.state.step(path);
            facts.is_open() && step.is_some_and(|step| step.status == StepStatus::Cancelled)
        })
    }

    /// Nothing may have been heard for long.
    fn silent(&self) -> Result<Vec<Fact>, Refused> {
        let path = String::new();
        let Some(due) = self.state.deadline() else { return Err(Refused::NotWaiting(path)) };
        if due > self.now {
            return Err(Refused::TooEarly { path, until: due });
        }
        let silence = self.observed.silence(self.now);
        let stalled_at = self.observed.seen_at.plus(self.terms.stalled_after.0);
        let given_up_at = self.observed.seen_at.plus(self.terms.given_up_after.0);
        if silence < self.terms.stalled_after.0 {
            return Ok(vec![Fact::Watched { until: stalled_at }]);
        }
        let has_failed = self.state.counts.of(StepStatus::Failed) > 0;
        let what = match () {
            () if self.now >= given_up_at => Inferred::GivenUp,
            // Tasks that were cancelled with the failed one end without a word.
            () if has_failed && (self.state.active.is_empty() || !self.observed.flow.tolerates) => {
                Inferred::NoTerminalEvent
            }
            () => Inferred::Stalled,
        };
        let until = (what == Inferred::Stalled).then_some(given_up_at);
        let mut facts = vec![Fact::Inferred { what, until }];
        if what.is_end() {
            facts.extend(self.state.active.iter().map(|path| over(path)));
        }
        Ok(facts)
    }
}

/// Whoever would have said how a task ends is gone.
fn over(path: &str) -> Fact {
    let (path, reason) = (path.to_owned(), reason::RUN_OVER.to_owned());
    Fact::StepCancelled { path, reason, edges: Vec::new() }
}

/// A task goes on after all.
fn taken_back((path, facts): (&str, &TaskFacts)) -> Fact {
    let seen = Box::new(TaskSeen { at: facts.first_at(), ..TaskSeen::default() });
    Fact::TaskSeen { path: path.to_owned(), seen }
}

/// An end that does not count is left out of the journal: whoever reads takes the last for the one
/// that does.
fn without_old_end(seen: &FlowSeen, before: &Observed, after: &FlowFacts) -> Box<FlowSeen> {
    let mut seen = Box::new(seen.clone());
    if seen.what == FlowWord::Ended && before.flow.end == after.end {
        seen.what = FlowWord::Noted;
        (seen.status, seen.error, seen.output) = (None, None, None);
    }
    seen
}
