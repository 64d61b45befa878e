//! Workers and actors outside: some die, some hang, some come late, some lie about what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;
use windlass_core::run::token::{Unit, UnitStatus};
use windlass_core::run::{
    AttemptError, Hold, Outcome, PilotAct, Refused, RunState, TaskAct, UnitDone,
};
use windlass_core::{Failure, HumanDuration};
use windlass_engine::shard::{Answer, Command, Input, TaskChange};
use windlass_store::{Store, TaskRow};

use crate::world::World;

/// What somebody believes to hold.
#[derive(Clone, Debug)]
pub(crate) struct Hand {
    run_id: Uuid,
    path: String,
    kind: String,
    by: String,
    fence: u64,
}

/// What somebody has asked of a run.
#[derive(Debug)]
enum Asked {
    Claim {
        row: Box<TaskRow>,
        by: String,
    },
    /// What they hold, and by which words it would leave their hands.
    End {
        hand: Hand,
        ends: &'static [&'static str],
    },
    /// That nothing was heard of its holder.
    Lost {
        row: Box<TaskRow>,
    },
    /// It must not count.
    Lie {
        told: Hand,
    },
}

#[derive(Default)]
pub(crate) struct Actors {
    hands: Vec<Hand>,
    asked: BTreeMap<u64, Asked>,
    /// Every handing over that was told to anybody.
    handed: BTreeSet<(Uuid, u64)>,
    /// What was acknowledged: of which handing over, and how it must have ended.
    pub(crate) acknowledged: Vec<(Uuid, String, u64, &'static [&'static str])>,
    next_part: u128,
}

impl Actors {
    /// Nobody hears the answers of a process that is gone; what they hold they hold.
    pub(crate) fn crashed(&mut self) {
        self.asked.clear();
    }

    pub(crate) fn is_anybody_waiting(&self) -> bool {
        !self.asked.is_empty()
    }
}

const COMPLETED: &[&str] = &["submitted", "finalized", "no_route", "hash_mismatch"];

impl World {
    pub(crate) fn hear_of_tasks(&mut self, changes: Vec<TaskChange>) {
        for change in changes {
            match change {
                TaskChange::Stands(row) => {
                    self.process.desk.insert(row.task_id, *row);
                }
                TaskChange::Over { task_id, .. } => {
                    self.process.desk.remove(&task_id);
                }
                TaskChange::Learned => {}
            }
        }
    }

    /// Somebody outside does something.
    pub(crate) fn act(&mut self) {
        match self.chance.below(10) {
            0..4 => self.take_something(),
            4..8 => self.go_on_with_something(),
            8 => self.miss_somebody(),
            _ => self.steer(),
        }
    }

    fn some_task(&mut self, is_held: bool) -> Option<TaskRow> {
        let desk = self.process.desk.values();
        let rows: Vec<&TaskRow> = desk.filter(|row| row.holder.is_some() == is_held).collect();
        (!rows.is_empty()).then(|| (*self.chance.of(&rows)).clone())
    }

    fn take_something(&mut self) {
        // Now and then somebody wants what another has.
        let is_held = self.chance.one_in(10);
        let Some(row) = self.some_task(is_held) else { return };
        let by = format!("actor{}", self.chance.below(4));
        let role = self.chance.one_in(20).then(|| "Nobody".to_owned());
        self.claim(row, by, role);
    }

    fn claim(&mut self, row: TaskRow, by: String, role: Option<String>) {
        let lease = HumanDuration::from_secs(60);
        let act = TaskAct::Claim { by: by.clone(), role, lease };
        let (run_id, path) = (row.run_id, row.path.clone());
        self.ask(run_id, path, act, Asked::Claim { row: Box::new(row), by });
    }

    fn ask(&mut self, run_id: Uuid, path: String, act: TaskAct, asked: Asked) {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.actors.asked.insert(ticket, asked);
        let command = Command::Task { path, act };
        self.send(run_id, Input::Command { run_id, command, ticket });
    }

    fn go_on_with_something(&mut self) {
        if self.actors.hands.is_empty() {
            return;
        }
        let place = self.chance.below(self.actors.hands.len());
        match self.chance.below(12) {
            0 => {
                self.mark("actor died");
                self.actors.hands.swap_remove(place);
            }
            1 => {
                self.mark("lied about the fence");
                let hand = self.actors.hands[place].clone();
                let fence = if self.chance.one_in(2) { hand.fence + 1 } else { hand.fence - 1 };
                let hold = Hold { by: hand.by.clone(), fence: Some(fence) };
                let outcome = self.outcome(&hand, 0);
                let act = TaskAct::Complete { hold, outcome };
                self.ask(hand.run_id, hand.path.clone(), act, Asked::Lie { told: hand });
            }
            2 => {
                let hand = self.actors.hands[place].clone();
                let value = Arc::new(json!({ "at": self.now.micros() }));
                let act = TaskAct::Checkpoint { hold: hold(&hand), value };
                self.command(hand.run_id, Command::Task { path: hand.path, act });
            }
            3 => {
                self.mark("given back");
                let hand = self.actors.hands.swap_remove(place);
                self.end(hand, |hold| TaskAct::Release { hold }, &["released"]);
            }
            4..6 => {
                self.mark("given up");
                let hand = self.actors.hands.swap_remove(place);
                let is_final = self.chance.one_in(3);
                let error = AttemptError::new(Failure::new("torn", "it is torn"), is_final);
                self.end(hand, |hold| TaskAct::Fail { hold, error }, &["failed"]);
            }
            6 => {
                let hand = self.actors.hands.swap_remove(place);
                let parts = 1 + self.chance.below(3);
                let outcome = self.outcome(&hand, parts);
                self.end(hand, |hold| TaskAct::Complete { hold, outcome }, COMPLETED);
            }
            _ => {
                let hand = self.actors.hands.swap_remove(place);
                let outcome = self.outcome(&hand, 0);
                // Some do not know whether they were heard.
                if self.faults && self.chance.one_in(8) {
                    self.actors.hands.push(hand.clone());
                }
                self.end(hand, |hold| TaskAct::Complete { hold, outcome }, COMPLETED);
            }
        }
    }

    fn end(
        &mut self,
        hand: Hand,
        act: impl FnOnce(Hold) -> TaskAct,
        ends: &'static [&'static str],
    ) {
        let act = act(hold(&hand));
        self.ask(hand.run_id, hand.path.clone(), act, Asked::End { hand, ends });
    }

    fn outcome(&mut self, hand: &Hand, parts: usize) -> Outcome {
        if hand.kind != "unit" {
            return Outcome::Output(Arc::new(self.fate.hand_in(&hand.kind)));
        }
        let well = !self.faults;
        let attributes = |chance: &mut crate::chance::Chance| -> BTreeMap<String, Value> {
            let amount = if well { 1_000 } else { chance.below(200) };
            let rounds = if well { 9 } else { chance.below(4) };
            let flagged = !well && chance.one_in(5);
            let all = json!({ "amount": amount, "rounds": rounds, "flagged": flagged });
            all.as_object().unwrap().clone().into_iter().collect()
        };
        let own = attributes(&mut self.chance);
        let children = (0..parts).map(|_| {
            self.actors.next_part += 1;
            let part = Uuid::from_u128((7 << 64) + self.actors.next_part);
            (part, attributes(&mut self.chance))
        });
        let children = children.collect();
        Outcome::Unit(Box::new(UnitDone { attributes: own, reasoning: None, children }))
    }

    /// Nothing was heard of somebody, who may be there still.
    fn miss_somebody(&mut self) {
        let Some(row) = self.some_task(true) else { return };
        self.miss(row);
    }

    fn miss(&mut self, row: TaskRow) {
        let act = TaskAct::Lost { fence: row.fence };
        let (run_id, path) = (row.run_id, row.path.clone());
        self.ask(run_id, path, act, Asked::Lost { row: Box::new(row) });
    }

    /// What its run knows nothing of is taken off the desk, unless something else is known meanwhile.
    fn forget(&mut self, row: &TaskRow) {
        let desk = &mut self.process.desk;
        // It may have come to another place, where nobody has taken it yet.
        let is_same = |one: &TaskRow| {
            (one.fence, &one.holder, &one.queue, one.offered_at)
                == (row.fence, &row.holder, &row.queue, row.offered_at)
        };
        if desk.get(&row.task_id).is_some_and(is_same) {
            desk.remove(&row.task_id);
        }
    }

    /// A pilot does something, sensible or not.
    fn steer(&mut self) {
        let Some(run_id) = self.oracle.some_run(self.chance.below(1_000)) else { return };
        let state = self.state_of(run_id);
        let Some(tokens) = state.as_ref().and_then(RunState::tokens) else { return };
        let paths: Vec<String> = tokens.units().map(|(path, _)| path.to_owned()).collect();
        if paths.is_empty() {
            return;
        }
        let path = self.chance.of(&paths).clone();
        let reason = || "who knows".to_owned();
        let (path, act) = match self.chance.below(8) {
            0 => (String::new(), PilotAct::Kill { reason: reason() }),
            1 => (path, PilotAct::Clarify { text: reason() }),
            2 => (path, PilotAct::Waive { rule: "close_in_guard".to_owned(), reason: reason() }),
            3 => (path, PilotAct::Cancel { reason: reason() }),
            4 => (path, PilotAct::Archive { reason: reason() }),
            _ => (path, PilotAct::Resume),
        };
        self.command(run_id, Command::Pilot { path, by: "pilot".to_owned(), act });
    }

    pub(crate) fn state_of(&self, run_id: Uuid) -> Option<RunState> {
        let events = self.store.events(run_id, 0, usize::MAX, usize::MAX).unwrap().items;
        RunState::replay(events.iter().map(|numbered| &numbered.event))
    }

    /// What an actor is told. Answers whether it was one who asked.
    pub(crate) fn told_actor(&mut self, ticket: u64, answer: &Answer) -> bool {
        let Some(asked) = self.actors.asked.remove(&ticket) else { return false };
        let is_done = matches!(answer, Answer::Task(_) | Answer::Run(_));
        match asked {
            Asked::Claim { row, by } => {
                let is_gone = match answer {
                    Answer::Refused(Refused::Paused | Refused::BadUnit(_)) => false,
                    Answer::Refused(_) => row.holder.is_none(),
                    _ => false,
                };
                if is_gone {
                    self.forget(&row);
                }
                let Answer::Task(view) = answer else { return true };
                // A guardian may have said no.
                let Some(holder) = view.holder.as_ref().filter(|holder| holder.by == by) else {
                    self.mark("rejected by a guardian");
                    return true;
                };
                self.mark("claimed");
                let (task_id, fence) = (row.task_id, holder.fence);
                assert!(self.actors.handed.insert((task_id, fence)), "{row:?} is in two hands");
                let TaskRow { run_id, path, kind, .. } = *row;
                self.actors.hands.push(Hand { run_id, path, kind, by, fence });
            }
            Asked::End { hand, ends } => match answer {
                _ if is_done => {
                    self.mark("handed in");
                    let Hand { run_id, path, fence, .. } = hand;
                    self.actors.acknowledged.push((run_id, path, fence, ends));
                }
                Answer::Refused(Refused::NotHolder(_)) => self.mark("came too late"),
                Answer::Refused(Refused::BadUnit(_)) | Answer::Unavailable(_) => {
                    self.actors.hands.push(hand);
                }
                Answer::OutcomeUnknown(_) if self.chance.one_in(2) => self.actors.hands.push(hand),
                _ => {}
            },
            Asked::Lost { row } => {
                if matches!(answer, Answer::Refused(_) | Answer::NoSuchRun) {
                    self.forget(&row);
                }
            }
            Asked::Lie { told } => assert!(!is_done, "a lie about {told:?} counted"),
        }
        true
    }

    /// Everybody does what is to be done, and well.
    pub(crate) fn serve_all(&mut self) {
        for hand in std::mem::take(&mut self.actors.hands) {
            let outcome = self.outcome(&hand, 0);
            self.end(hand, |hold| TaskAct::Complete { hold, outcome }, COMPLETED);
        }
        let rows: Vec<TaskRow> = self.process.desk.values().cloned().collect();
        for row in rows {
            match row.holder {
                None if self.chance.one_in(2) => self.claim(row, "somebody".to_owned(), None),
                // Nobody knows that they hold it any more.
                Some(_) if self.chance.one_in(8) => self.miss(row),
                _ => {}
            }
        }
    }

    /// Pilots help whatever is stuck.
    pub(crate) fn help_all(&mut self) {
        for run_id in self.oracle.unfinished(&*self.store) {
            let Some(state) = self.state_of(run_id) else { continue };
            let Some(tokens) = state.tokens() else { continue };
            let helps: Vec<_> = tokens
                .units()
                .filter_map(|(path, unit)| Some((path.to_owned(), help(unit)?)))
                .collect();
            for (path, act) in helps {
                self.mark("helped by a pilot");
                self.command(run_id, Command::Pilot { path, by: "pilot".to_owned(), act });
            }
        }
    }
}

fn hold(hand: &Hand) -> Hold {
    Hold { by: hand.by.clone(), fence: Some(hand.fence) }
}

/// What a sensible pilot does with a unit.
fn help(unit: &Unit) -> Option<PilotAct> {
    let waive = |rule: &str| {
        let (rule, reason) = (rule.to_owned(), "it is well".to_owned());
        Some(PilotAct::Waive { rule, reason })
    };
    match unit.status {
        UnitStatus::Paused | UnitStatus::PendingPilotApproval => Some(PilotAct::Resume),
        UnitStatus::ZombiedSoft => Some(PilotAct::Clarify { text: "go on".to_owned() }),
        UnitStatus::ZombiedDead => Some(PilotAct::Archive { reason: "it is done".to_owned() }),
        UnitStatus::Failed if unit.rejected_at.is_some() => {
            let rejection = unit.attribute("_guard_rejection")?;
            waive(rejection["guard_name"].as_str()?)
        }
        UnitStatus::Completed if unit.parent.is_none() && !unit.is_released => {
            waive("close_in_guard")
        }
        _ => None,
    }
}
