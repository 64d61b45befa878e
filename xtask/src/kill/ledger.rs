//! What clients asked for and what they were promised, kept where no kill reaches it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One request, which can be repeated with the same keys and the same body.
#[derive(Clone)]
pub(super) struct Submission {
    pub(super) workflow: &'static str,
    /// One for each run; more than one makes a batch.
    pub(super) keys: Vec<String>,
    /// How long they pause, if it is their way.
    pub(super) pause_ms: u64,
}

#[derive(Default)]
pub(super) struct Ledger(Mutex<Pages>);

#[derive(Default)]
struct Pages {
    /// The run that each key was answered with.
    runs: HashMap<String, String>,
    acknowledged: Vec<Submission>,
    /// Requests whose answer did not come.
    unknown: Vec<Submission>,
    violations: Vec<String>,
}

impl Ledger {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down a promise, and notices if it differs from an earlier one.
    pub(super) fn acknowledge(&self, submission: Submission, ids: Vec<String>) {
        let mut pages = self.pages();
        for (key, id) in submission.keys.iter().zip(ids) {
            let earlier = pages.runs.entry(key.clone()).or_insert_with(|| id.clone());
            if *earlier != id {
                let complaint = format!("duplicate: key {key} made {earlier} and {id}");
                pages.violations.push(complaint);
            }
        }
        pages.acknowledged.push(submission);
    }

    pub(super) fn did_not_hear(&self, submission: Submission) {
        self.pages().unknown.push(submission);
    }

    pub(super) fn take_unknown(&self) -> Option<Submission> {
        self.pages().unknown.pop()
    }

    /// A request that was answered before, to be asked again.
    pub(super) fn any_acknowledged(&self, chance: &mut fastrand::Rng) -> Option<Submission> {
        chance.choice(&self.pages().acknowledged).cloned()
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.pages().runs.len()
    }

    /// Keys and the runs they were answered with.
    pub(super) fn runs(&self) -> Vec<(String, String)> {
        let pages = self.pages();
        let mut runs: Vec<_> = pages.runs.iter().map(|(k, id)| (k.clone(), id.clone())).collect();
        runs.sort();
        runs
    }

    pub(super) fn violation(&self, what: String) {
        self.pages().violations.push(what);
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.pages().violations.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_two_runs_is_a_duplicate_and_a_repeated_answer_is_none() {
        let ledger = Ledger::default();
        let submission = Submission { workflow: "w", keys: vec!["k".to_owned()], pause_ms: 1 };
        for id in ["a", "a", "b"] {
            ledger.acknowledge(submission.clone(), vec![id.to_owned()]);
        }
        assert_eq!(ledger.violations(), ["duplicate: key k made a and b"]);
        assert_eq!(ledger.acknowledged(), 1);
    }
}
