//! The gate: which of the runs that have to be admitted may begin.
//!
//! A plain state machine over what runs share: concurrency keys, pauses of workflows, and the switch
//! that stops everything. The rows are the truth; at every start the gate is counted anew from them,
//! so no slot is lost or kept by a crash.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;
use windlass_core::definition::OnLimit;

use crate::shard::Ask;

/// What the gate has decided about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may begin.
    Admit(Uuid),
    /// It found the limit reached, and its definition lets it go then.
    TurnAway(Uuid),
    /// It has to make room for a younger one.
    Replace {
        /// The run.
        run_id: Uuid,
        /// The younger one.
        by: Uuid,
    },
}

/// Why a run has not been admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Whether everything is stopped.
    pub is_halted: bool,
    /// Whether its workflow is paused.
    pub is_paused: bool,
    /// What it shares with others, if the limit of that is reached.
    pub slot: Option<Slot>,
}

/// A limit that is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What the runs share.
    pub key: String,
    /// How many may be under way.
    pub limit: u32,
    /// Those that are, at most [`HOLDERS_SHOWN_MAX`].
    pub holders: Vec<Uuid>,
    /// How many there are.
    pub holder_count: usize,
    /// The run's place in the queue, from 1.
    pub position: usize,
}

/// Holders of a key that [`Gate::why`] names.
pub const HOLDERS_SHOWN_MAX: usize = 20;

/// Who may begin.
#[derive(Debug, Default)]
pub struct Gate {
    known: HashMap<Uuid, Known>,
    keys: BTreeMap<String, Key>,
    /// Runs that were let go before they began and are not over yet. One of them asks again when it
    /// comes back to memory to be told, and must not pass for a new one.
    let_go: HashMap<Uuid, Verdict>,
    /// Runs that share nothing and wait for the end of a pause, in order.
    loose: BTreeSet<(Reverse<i32>, Uuid)>,
    paused: HashSet<Uuid>,
    is_halted: bool,
}

#[derive(Debug)]
struct Known {
    workflow_id: Uuid,
    key: Option<String>,
    priority: i32,
    is_admitted: bool,
}

#[derive(Debug, Default)]
struct Key {
    limit: u32,
    holders: BTreeSet<Uuid>,
    /// Holders that have been told to make room.
    leaving: BTreeSet<Uuid>,
    queue: BTreeSet<(Reverse<i32>, Uuid)>,
}

impl Gate {
    /// Takes a run into account that was there before the start. [`Gate::open`] then lets in whoever
    /// may.
    pub fn count(&mut self, ask: &Ask, is_admitted: bool) {
        let place = (Reverse(ask.priority), ask.run_id);
        let shared = ask.concurrency.as_ref();
        match shared {
            Some(shared) => {
                let key = self.keys.entry(shared.key.clone()).or_default();
                key.limit = shared.limit;
                if is_admitted {
                    key.holders.insert(ask.run_id);
                } else {
                    key.queue.insert(place);
                }
            }
            None if is_admitted => return,
            None => drop(self.loose.insert(place)),
        }
        let known = Known {
            workflow_id: ask.workflow_id,
            key: shared.map(|shared| shared.key.clone()),
            priority: ask.priority,
            is_admitted,
        };
        self.known.insert(ask.run_id, known);
    }

    /// A run wants to begin. Asking again does no harm.
    pub fn ask(&mut self, ask: &Ask) -> Vec<Verdict> {
        if let Some(known) = self.known.get(&ask.run_id) {
            return known.is_admitted.then_some(Verdict::Admit(ask.run_id)).into_iter().collect();
        }
        if let Some(verdict) = self.let_go.get(&ask.run_id) {
            return vec![*verdict];
        }
        let mut verdicts = Vec::new();
        let is_open = self.is_open(ask.workflow_id);
        if let Some(shared) = &ask.concurrency {
            let key = self.keys.entry(shared.key.clone()).or_default();
            key.limit = shared.limit;
            let is_full = key.holders.len() + key.queue.len() >= shared.limit as usize;
            if is_open && is_full && shared.on_limit == OnLimit::Skip {
                let verdict = Verdict::TurnAway(ask.run_id);
                self.let_go.insert(ask.run_id, verdict);
                return vec![verdict];
            }
            if shared.on_limit == OnLimit::CancelOldest {
                verdicts = key.make_room(ask.run_id);
                for verdict in &verdicts {
                    if let Verdict::Replace { run_id, .. } = verdict
                        && !key.holders.contains(run_id)
                    {
                        self.known.remove(run_id);
                        self.let_go.insert(*run_id, *verdict);
                    }
                }
            }
        }
        self.count(ask, false);
        if let Some(shared) = &ask.concurrency {
            self.fill(&shared.key, &mut verdicts);
        } else if is_open {
            self.loose.remove(&(Reverse(ask.priority), ask.run_id));
            self.known.remove(&ask.run_id);
            verdicts.push(Verdict::Admit(ask.run_id));
        }
        verdicts
    }

    /// A run is over, whether it was admitted or not.
    pub fn over(&mut self, run_id: Uuid) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        self.let_go.remove(&run_id);
        let Some(known) = self.known.remove(&run_id) else { return verdicts };
        let place = (Reverse(known.priority), run_id);
        let Some(name) = known.key else {
            self.loose.remove(&place);
            return verdicts;
        };
        if let Some(key) = self.keys.get_mut(&name) {
            key.holders.remove(&run_id);
            key.leaving.remove(&run_id);
            key.queue.remove(&place);
        }
        self.fill(&name, &mut verdicts);
        verdicts
    }

    /// Pauses a workflow, or ends its pause.
    pub fn pause(&mut self, workflow_id: Uuid, is_paused: bool) -> Vec<Verdict> {
        if is_paused {
            self.paused.insert(workflow_id);
            return Vec::new();
        }
        self.paused.remove(&workflow_id);
        self.open()
    }

    /// Stops everything, or lets it go on.
    pub fn halt(&mut self, is_halted: bool) -> Vec<Verdict> {
        self.is_halted = is_halted;
        self.open()
    }

    /// Whether everything is stopped.
    pub fn is_halted(&self) -> bool {
        self.is_halted
    }

    /// Lets in whoever may.
    pub fn open(&mut self) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        let loose: Vec<_> = self.loose.iter().copied().collect();
        for place in loose {
            let workflow_id = self.known.get(&place.1).map(|known| known.workflow_id);
            if workflow_id.is_some_and(|workflow_id| self.is_open(workflow_id)) {
                self.loose.remove(&place);
                self.known.remove(&place.1);
                verdicts.push(Verdict::Admit(place.1));
            }
        }
        let keys: Vec<String> = self.keys.keys().cloned().collect();
        for key in keys {
            self.fill(&key, &mut verdicts);
        }
        verdicts
    }

    /// Why a run has not been admitted; `None` if it has, or never had to be.
    pub fn why(&self, run_id: Uuid) -> Option<Waiting> {
        let known = self.known.get(&run_id).filter(|known| !known.is_admitted)?;
        let slot = known.key.as_ref().and_then(|name| {
            let key = self.keys.get(name)?;
            let place = (Reverse(known.priority), run_id);
            Some(Slot {
                key: name.clone(),
                limit: key.limit,
                holders: key.holders.iter().take(HOLDERS_SHOWN_MAX).copied().collect(),
                holder_count: key.holders.len(),
                position: key.queue.range(..place).count() + 1,
            })
        });
        let is_paused = self.paused.contains(&known.workflow_id);
        Some(Waiting { is_halted: self.is_halted, is_paused, slot })
    }

    fn is_open(&self, workflow_id: Uuid) -> bool {
        !self.is_halted && !self.paused.contains(&workflow_id)
    }

    /// Lets in who is next, as long as there is room. All runs of a key are of one workflow.
    fn fill(&mut self, name: &str, verdicts: &mut Vec<Verdict>) {
        let Some(key) = self.keys.get_mut(name) else { return };
        while key.holders.len() < key.limit as usize {
            let Some((_, run_id)) = key.queue.first().copied() else { break };
            let Some(known) = self.known.get_mut(&run_id) else { break };
            if self.is_halted || self.paused.contains(&known.workflow_id) {
                return;
            }
            known.is_admitted = true;
            key.queue.pop_first();
            key.holders.insert(run_id);
            verdicts.push(Verdict::Admit(run_id));
        }
        if key.holders.is_empty() && key.queue.is_empty() {
            self.keys.remove(name);
        }
    }
}

impl Key {
    /// Has the oldest runs leave until there is room for one more: first those under way, then those
    /// that still wait.
    fn make_room(&mut self, by: Uuid) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        while self.holders.len() - self.leaving.len() + self.queue.len() >= self.limit as usize {
            let holder = self.holders.difference(&self.leaving).next().copied();
            let waiting = self.queue.iter().min_by_key(|(_, run_id)| run_id).copied();
            let run_id = match (holder, waiting) {
                (Some(holder), _) => {
                    self.leaving.insert(holder);
                    holder
                }
                (None, Some(place)) => {
                    self.queue.remove(&place);
                    place.1
                }
                (None, None) => break,
            };
            verdicts.push(Verdict::Replace { run_id, by });
        }
        verdicts
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::run::Concurrency;

    use super::Verdict::{Admit, Replace, TurnAway};
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn ask(number: u128, on_limit: OnLimit) -> Ask {
        let concurrency = Some(Concurrency { key: "k".into(), limit: 2, on_limit });
        Ask { run_id: id(number), workflow_id: id(0), concurrency, priority: 0 }
    }

    fn queued(number: u128) -> Ask {
        ask(number, OnLimit::Queue)
    }

    #[test]
    fn as_many_as_may_begin_and_the_rest_by_priority_and_age() {
        let mut gate = Gate::default();
        assert_eq!(gate.ask(&queued(1)), [Admit(id(1))]);
        assert_eq!(gate.ask(&queued(2)), [Admit(id(2))]);
        assert_eq!(gate.ask(&queued(3)), []);
        assert_eq!(gate.ask(&queued(4)), []);
        assert_eq!(gate.ask(&Ask { priority: 5, ..queued(5) }), []);
        assert_eq!(gate.ask(&queued(1)), [Admit(id(1))], "asking again does no harm");
        assert_eq!(gate.ask(&queued(3)), []);
        let slot = gate.why(id(4)).unwrap().slot.unwrap();
        assert_eq!((slot.position, slot.limit, slot.holder_count), (3, 2, 2));
        assert_eq!(slot.holders, [id(1), id(2)]);
        assert_eq!(gate.over(id(2)), [Admit(id(5))]);
        assert_eq!(gate.over(id(2)), [], "a run is over once");
        assert_eq!(gate.over(id(4)), [], "one that only waited leaves no room behind");
        assert_eq!(gate.over(id(1)), [Admit(id(3))]);
        assert_eq!(gate.why(id(3)), None);
        gate.over(id(3));
        gate.over(id(5));
        assert!(gate.keys.is_empty() && gate.known.is_empty(), "nothing is left of a key");
    }

    #[test]
    fn some_are_turned_away_and_some_replace_the_oldest() {
        let mut gate = Gate::default();
        gate.ask(&queued(1));
        gate.ask(&queued(2));
        assert_eq!(gate.ask(&ask(3, OnLimit::Skip)), [TurnAway(id(3))]);
        assert_eq!(gate.ask(&ask(3, OnLimit::Skip)), [TurnAway(id(3))]);
        assert_eq!(gate.over(id(3)), []);
        let newer = |number| ask(number, OnLimit::CancelOldest);
        assert_eq!(gate.ask(&newer(4)), [Replace { run_id: id(1), by: id(4) }]);
        assert_eq!(gate.ask(&newer(5)), [Replace { run_id: id(2), by: id(5) }]);
        assert_eq!(gate.ask(&newer(6)), [Replace { run_id: id(4), by: id(6) }], "it had not begun");
        let again = gate.ask(&newer(4));
        assert_eq!(again, [Replace { run_id: id(4), by: id(6) }], "it is told when it is loaded");
        assert_eq!(gate.over(id(4)), []);
        assert_eq!(gate.over(id(1)), [Admit(id(5))]);
        assert_eq!(gate.over(id(2)), [Admit(id(6))]);
        assert!(gate.let_go.is_empty());
    }

    #[test]
    fn a_pause_and_the_switch_hold_everybody_up() {
        let mut gate = Gate::default();
        let loose = |number| Ask { concurrency: None, ..queued(number) };
        assert_eq!(gate.ask(&loose(1)), [Admit(id(1))]);
        gate.pause(id(0), true);
        assert_eq!(gate.ask(&loose(2)), []);
        assert_eq!(gate.ask(&queued(3)), []);
        assert!(gate.why(id(2)).unwrap().is_paused);
        assert_eq!(gate.ask(&Ask { workflow_id: id(9), ..loose(4) }), [Admit(id(4))]);
        gate.halt(true);
        assert_eq!(gate.pause(id(0), false), []);
        assert!(gate.why(id(3)).unwrap().is_halted);
        assert_eq!(gate.halt(false), [Admit(id(2)), Admit(id(3))]);
        assert_eq!(gate.loose.len(), 0);
    }

    #[test]
    fn a_start_counts_who_has_begun() {
        let mut gate = Gate::default();
        for number in [1, 2, 3] {
            gate.count(&queued(number), true);
        }
        gate.count(&queued(4), false);
        assert_eq!(gate.open(), [], "more have begun than may");
        assert_eq!(gate.over(id(1)), []);
        assert_eq!(gate.over(id(2)), [Admit(id(4))]);
    }
}
