//! What runs have to do with each other, and with people who hold them up: sub-runs and their
//! messages, the gate, pauses, the switch.

use std::sync::Arc;

use uuid::Uuid;
use windlass_core::Failure;
use windlass_core::definition::OnLimit;
use windlass_core::kinds::{SubRun, parse_config};
use windlass_core::run::{Concurrency, CreateRun, Mark, Parent, RunStatus, StepStatus, What};
use windlass_engine::gate::{Gate, Verdict};
use windlass_engine::shard::*;
use windlass_store::{MemoryStore, Message, RunFilter, Store};

use crate::process::SHARDS;
use crate::world::{PROJECT, World};

/// The definition that steps ask for runs of.
pub(crate) const CHILD: Uuid = Uuid::from_u128(4);

/// The gate as a new process counts it.
pub(crate) fn counted(store: &MemoryStore, is_halted: bool) -> Gate {
    let mut gate = Gate::default();
    gate.halt(is_halted);
    for found in store.admissions(None, usize::MAX - 1).unwrap().items {
        let shared = found.concurrency.map(|slot| Concurrency {
            key: slot.key,
            limit: slot.limit,
            on_limit: OnLimit::Queue,
        });
        let ask = Ask {
            run_id: found.run_id,
            workflow_id: found.workflow_id,
            concurrency: shared,
            priority: found.priority,
        };
        gate.count(&ask, found.has_started);
    }
    gate
}

impl World {
    pub(crate) fn tell_all(&mut self, verdicts: Vec<Verdict>) {
        for verdict in verdicts {
            let cancel = |by: &str| What::Cancel { by: by.to_owned(), reason: None };
            let (run_id, what) = match verdict {
                Verdict::Admit(run_id) => (run_id, What::Admit),
                Verdict::TurnAway(run_id) => {
                    self.mark("turned away");
                    (run_id, cancel("gate"))
                }
                Verdict::Replace { run_id, .. } => {
                    self.mark("replaced");
                    (run_id, cancel("gate"))
                }
            };
            self.send(run_id, Input::Tell { run_id, what });
        }
    }

    /// Some message arrives, or all that nobody has taken up are handed over again.
    pub(crate) fn hand_over(&mut self) {
        if self.process.mail.is_empty() || self.chance.one_in(8) {
            let kept = self.store.messages(None, 50).unwrap().items;
            if !kept.is_empty() {
                self.mark("message again");
            }
            self.process.mail.extend(kept);
        }
        if self.process.mail.is_empty() {
            let verdicts = self.process.gate.open();
            return self.tell_all(verdicts);
        }
        let place = self.chance.below(self.process.mail.len());
        let message = self.process.mail.swap_remove(place);
        match message.word.as_str() {
            word::START => self.carry_out(message),
            word::CANCEL => {
                self.mark("sub-run cancelled");
                self.send(message.target, Input::Message(message));
            }
            _ => self.send(message.target, Input::Message(message)),
        }
    }

    fn carry_out(&mut self, message: Message) {
        let order: Order = serde_json::from_str(&message.body).unwrap();
        let wanted: SubRun = parse_config(order.config).unwrap();
        if wanted.workflow != "collect-numbers" {
            self.mark("sub-run refused");
            let failure = Failure::new("workflow_not_found", "no");
            let refused = refusal(message.key(), &failure, self.now);
            return self.send(refused.target, Input::Message(refused));
        }
        self.mark("sub-run");
        let run_id = message.target;
        let parent = Parent {
            run_id: message.source,
            step: message.path.clone(),
            depth: order.depth,
            awaited: wanted.awaited,
        };
        let create = Create {
            project: Arc::from(PROJECT),
            plan: self.plans[&CHILD].clone(),
            request: CreateRun {
                run_id,
                workflow_id: CHILD,
                version: 1,
                definition_id: CHILD,
                input: wanted.input,
                parent: Some(parent),
                held: self.is_halted,
                ..CreateRun::default()
            },
            key: None,
            until_over: false,
            paused_by: None,
            message: Some(message.key()),
            ticket: None,
        };
        self.send(run_id, Input::Create(vec![create]));
    }

    /// Somebody pauses or resumes a run, or throws the switch.
    pub(crate) fn hold_up(&mut self) {
        if self.chance.one_in(4) {
            return self.halt(!self.is_halted);
        }
        let Some(run_id) = self.oracle.some_run(self.chance.below(1_000)) else { return };
        let by = "somebody".to_owned();
        let command = if self.chance.one_in(2) {
            self.mark("paused");
            Command::Pause { by, reason: None }
        } else {
            Command::Resume { by, reason: None }
        };
        self.command(run_id, command);
    }

    pub(crate) fn halt(&mut self, is_halted: bool) {
        if is_halted {
            self.mark("halted");
        }
        self.is_halted = is_halted;
        for shard in 0..SHARDS {
            self.process.inboxes[shard].push_back(Input::Halt(is_halted));
        }
        let verdicts = self.process.gate.halt(is_halted);
        self.tell_all(verdicts);
    }

    /// Nobody holds anything up any more.
    pub(crate) fn resume_all(&mut self) {
        let filter = RunFilter { statuses: vec![RunStatus::Paused], ..RunFilter::default() };
        for row in self.store.runs(PROJECT, &filter, None, 1_000).unwrap().items {
            self.mark("resumed");
            self.command(row.run_id, Command::Resume { by: "somebody".into(), reason: None });
        }
    }

    /// Somebody looks after every step whose outcome nobody knows.
    pub(crate) fn settle_all(&mut self) {
        // A run that is on its way out is `running`, whatever its clean-up waits for.
        let statuses = vec![RunStatus::Waiting, RunStatus::Running];
        let filter = RunFilter { statuses, ..RunFilter::default() };
        for row in self.store.runs(PROJECT, &filter, None, 1_000).unwrap().items {
            for step in self.store.steps(row.run_id, None, 1_000).unwrap().items {
                if step.status == StepStatus::Waiting
                    && step.reason.as_deref() == Some("outcome_unknown")
                {
                    self.mark("settled by hand");
                    let mark = match self.chance.one_in(2) {
                        true => Mark::Skipped,
                        false => Mark::Succeeded(Arc::default()),
                    };
                    let (path, by) = (step.path, "somebody".to_owned());
                    self.command(row.run_id, Command::Mark { path, mark, by, reason: None });
                }
            }
        }
    }

    pub(crate) fn command(&mut self, run_id: Uuid, command: Command) {
        if matches!(command, Command::Resume { .. }) {
            self.oracle.resumed.insert(run_id);
        }
        self.next_ticket += 1;
        self.send(run_id, Input::Command { run_id, command, ticket: self.next_ticket });
    }
}
