//! New runs.

use windlass_core::run::{self, Fact, RunState, What};
use windlass_core::{Failure, Time};

use super::Shard;
use super::live::LiveRun;
use super::load::Held;
use super::mail::{refusal, word};
use super::messages::{Answer, Create, Output};
use crate::replay::new_run;

impl<T> Shard<T> {
    pub(super) fn create(&mut self, now: Time, create: Create<T>, out: &mut Vec<Output<T>>) {
        let run_id = create.request.run_id;
        if create.message.is_none() {
            self.create_now(now, create, out);
        } else if !self.live.contains_key(&run_id) {
            // It may exist: messages come more than once.
            self.hold(run_id, Held::Create(Box::new(create)), out);
        }
    }

    pub(super) fn create_now(&mut self, now: Time, create: Create<T>, out: &mut Vec<Output<T>>) {
        if self.trouble.until.is_some() {
            let message = "the store takes no writes at present".to_owned();
            let answer = Answer::Unavailable(message);
            out.extend(create.ticket.map(|ticket| Output::Answer(ticket, answer)));
            return;
        }
        let Some(create) = self.join_the_first(create) else { return };
        let Create { project, plan, request, key, until_over, paused_by, message, ticket } = create;
        let run_id = request.run_id;
        let event = match run::create(&plan, request, now) {
            Ok(event) => event,
            Err(refused) => {
                if let Some(key) = message {
                    let failure = match key.word.as_str() {
                        word::TRIGGER => {
                            Failure::new("not_started", format!("`{}`: {refused}", plan.name))
                        }
                        _ => Failure::new("child_refused", refused.to_string()),
                    };
                    out.push(Output::Send(refusal(key, &failure, now)));
                }
                let answer = Answer::Refused(refused);
                out.extend(ticket.map(|ticket| Output::Answer(ticket, answer)));
                return;
            }
        };
        let (Fact::RunCreated(created), Some(state)) =
            (event.fact.clone(), RunState::from_first(&event))
        else {
            return;
        };
        let mut run = LiveRun::new(state, plan, project.clone(), (0, 0));
        run.pending.create = Some(new_run(project.to_string(), *created, now, key.clone()));
        run.pending.received.extend(message);
        run.pending.record(&project, &mut run.state, event);
        if let Some(by) = paused_by {
            // Nothing has followed from the run yet, so nothing refuses.
            let _ = run.take(self.moment(now), What::Pause { by, reason: None });
        }
        if until_over {
            run.until_over.extend(ticket);
        } else {
            run.pending.replies.extend(ticket);
        }
        if let Some(key) = key {
            self.keys.insert((project, key.route, key.key), run_id);
        }
        self.live.insert(run_id, run);
        self.touch(now, run_id, true);
        self.go_on(now, run_id);
    }

    /// A second request with a key whose run is not durable yet waits for that commit, and is then
    /// answered with the run. Gives the request back if it is the first.
    fn join_the_first(&mut self, create: Create<T>) -> Option<Create<T>> {
        let Some(key) = &create.key else { return Some(create) };
        let place = (create.project.clone(), key.route.clone(), key.key.clone());
        let Some(run_id) = self.keys.get(&place).copied() else { return Some(create) };
        if let Some(entry) = self.batch.as_mut().and_then(|batch| batch.entry(run_id)) {
            entry.joined.extend(create.ticket);
        } else if let Some(run) = self.live.get_mut(&run_id) {
            run.joined.extend(create.ticket);
        } else {
            return Some(create);
        }
        None
    }
}
