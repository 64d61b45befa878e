//! New runs.

use windlass_core::Time;
use windlass_core::run::{self, Fact, RunState};
use windlass_store::NewRun;

use super::Shard;
use super::live::LiveRun;
use super::messages::{Answer, Create, Output};

impl<T> Shard<T> {
    pub(super) fn create(&mut self, now: Time, create: Create<T>, out: &mut Vec<Output<T>>) {
        if self.trouble.until.is_some() {
            let message = "the store takes no writes at present".to_owned();
            out.push(Output::Answer(create.ticket, Answer::Unavailable(message)));
            return;
        }
        let Some(create) = self.join_the_first(create) else { return };
        let Create { project, plan, request, key, until_over, ticket } = create;
        let run_id = request.run_id;
        let event = match run::create(&plan, request, now) {
            Ok(event) => event,
            Err(refused) => {
                out.push(Output::Answer(ticket, Answer::Refused(refused)));
                return;
            }
        };
        let (Fact::RunCreated(created), Some(state)) =
            (event.fact.clone(), RunState::from_first(&event))
        else {
            return;
        };
        let mut run = LiveRun::new(state, plan, project.clone(), (0, 0));
        run.pending.create = Some(NewRun {
            project: project.to_string(),
            workflow_id: created.workflow_id,
            workflow: created.workflow,
            version: created.version,
            definition_id: created.definition_id,
            labels: created.labels,
            external_id: created.external_id,
            rerun_of: created.rerun_of,
            parent: None,
            concurrency: None,
            priority: 0,
            created_by: None,
            created_at: now,
            key: key.clone(),
        });
        run.pending.record(&mut run.state, event);
        if until_over {
            run.until_over.push(ticket);
        } else {
            run.pending.replies.push(ticket);
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
            entry.joined.push(create.ticket);
        } else if let Some(run) = self.live.get_mut(&run_id) {
            run.joined.push(create.ticket);
        } else {
            return Some(create);
        }
        None
    }
}
