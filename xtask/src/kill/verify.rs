//! The end of the story: what was promised, what the API tells, what the journals say and what the
//! effect log shows must be one and the same.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::api::{Api, Event};
use super::effects::Effects;
use super::ledger::Ledger;

const READERS: usize = 4;

/// What was looked at and what was wrong with it.
pub(super) struct Totals {
    runs: usize,
    steps: u64,
    /// Attempts that a kill interrupted: had there been none, nothing would have been tested.
    interrupted: u64,
    violations: Vec<String>,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |kind: &str| self.violations.iter().filter(|v| v.starts_with(kind)).count();
        let (runs, steps) = (grouped(self.runs as u64), grouped(self.steps));
        let interrupted = grouped(self.interrupted);
        write!(f, "{runs} acknowledged runs, {steps} steps ({interrupted} interrupted), ")?;
        write!(f, "{} lost, {} re-executed, ", count("lost"), count("re-executed"))?;
        write!(f, "{} orphans, {} duplicates", count("orphan"), count("duplicate"))?;
        let named = ["lost", "re-executed", "orphan", "duplicate"];
        let is_other = |v: &&String| !named.iter().any(|kind| v.starts_with(kind));
        match self.violations.iter().filter(is_other).count() {
            0 => Ok(()),
            others => write!(f, ", {others} other violations"),
        }
    }
}

/// Whether all runs came to an end in time.
pub(super) fn wait_until_idle(api: &Api, patience: Duration) -> Result<bool> {
    let begin = Instant::now();
    while api.has_unfinished_runs()? {
        if begin.elapsed() > patience {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(true)
}

pub(super) fn everything(api: &Api, ledger: &Ledger, effects: &Path) -> Result<Totals> {
    let effects = Effects::read(effects)?;
    let promised = ledger.runs();
    let known: HashSet<&str> = promised.iter().map(|(_, id)| id.as_str()).collect();
    for id in api.run_ids()?.iter().filter(|id| !known.contains(id.as_str())) {
        let key = api.run(id)?.map(|run| run.key).unwrap_or_default();
        ledger.violation(format!("duplicate: run {id} of key {key} was promised to nobody"));
    }
    for (run, step) in effects.steps().filter(|(run, _)| !known.contains(run)) {
        ledger.violation(format!("lost: {run} has acted in `{step}` and was promised to nobody"));
    }
    // Thousands of journals: a few readers share them.
    let (next, mut steps, mut interrupted) = (AtomicUsize::new(0), 0, 0);
    std::thread::scope(|scope| {
        let read = || -> Result<(u64, u64)> {
            let (mut steps, mut interrupted) = (0, 0);
            while let Some((key, id)) = promised.get(next.fetch_add(1, Ordering::Relaxed)) {
                let found = one_run(api, ledger, &effects, key, id)?;
                (steps, interrupted) = (steps + found.0, interrupted + found.1);
            }
            Ok((steps, interrupted))
        };
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
        for reader in readers {
            let found = reader.join().map_err(|_| anyhow!("a reader panicked"))??;
            (steps, interrupted) = (steps + found.0, interrupted + found.1);
        }
        anyhow::Ok(())
    })?;
    Ok(Totals { runs: promised.len(), steps, interrupted, violations: ledger.violations() })
}

/// Answers how many steps it has, and how many of their attempts were interrupted.
fn one_run(
    api: &Api,
    ledger: &Ledger,
    effects: &Effects,
    key: &str,
    id: &str,
) -> Result<(u64, u64)> {
    let Some(run) = api.run(id)? else {
        ledger.violation(format!("lost: {id}, acknowledged for key {key}, is not there"));
        return Ok((0, 0));
    };
    if run.key != key {
        ledger.violation(format!("duplicate: {id} has key {}, and was asked by {key}", run.key));
    }
    if run.status != "succeeded" {
        ledger.violation(format!("{id} is {} and not succeeded", run.status));
    }
    let events = api.events(id)?;
    if let Some(complaint) = journal_complaint(&events) {
        ledger.violation(format!("lost: the journal of {id} {complaint}"));
    }
    for (step, attempt) in acted(&events) {
        if let Some(complaint) = effects.complaint(id, step, attempt) {
            ledger.violation(format!("re-executed: {id} `{step}`: {complaint}"));
        }
    }
    let interrupted = events.iter().filter(|event| event.kind == "attempt_interrupted").count();
    Ok((run.step_count, interrupted as u64))
}

/// What makes this no journal of a run that went from its beginning to its end.
fn journal_complaint(events: &[Event]) -> Option<String> {
    let expected = 1u64..;
    if let Some((event, seq)) = events.iter().zip(expected).find(|(event, seq)| event.seq != *seq) {
        return Some(format!("has {} where {seq} should be", event.seq));
    }
    if events.first().is_none_or(|event| event.kind != "run_created") {
        return Some("does not begin with the run's creation".to_owned());
    }
    if events.last().is_none_or(|event| event.kind != "run_succeeded") {
        return Some("does not end with the run's success".to_owned());
    }
    let mut succeeded = HashSet::new();
    let mut successes = events.iter().filter(|event| event.kind == "step_succeeded");
    let twice = successes.find(|event| !succeeded.insert(&event.path))?;
    Some(format!("has two successes of `{}`", twice.path))
}

/// The steps that act on the world, with the attempts that succeeded.
fn acted(events: &[Event]) -> Vec<(&str, u64)> {
    let kinds: HashMap<&str, &str> = events
        .iter()
        .filter_map(|event| Some((event.path.as_str(), event.node_kind.as_deref()?)))
        .collect();
    let successes = events.iter().filter(|event| event.kind == "step_succeeded");
    successes
        .filter(|event| kinds.get(event.path.as_str()) == Some(&"shell"))
        .map(|event| (event.path.as_str(), event.attempt))
        .collect()
}

/// `12345` as `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, kind: &str, path: &str) -> Event {
        let node_kind = (kind == "step_queued").then(|| "shell".to_owned());
        Event { seq, kind: kind.to_owned(), node_kind, path: path.to_owned(), attempt: 2 }
    }

    #[test]
    fn a_whole_journal_has_no_complaint_and_each_damage_has_one() {
        let whole = || {
            vec![
                event(1, "run_created", ""),
                event(2, "step_queued", "a"),
                event(3, "step_succeeded", "a"),
                event(4, "step_succeeded", "b"),
                event(5, "run_succeeded", ""),
            ]
        };
        assert_eq!(journal_complaint(&whole()), None);
        assert_eq!(acted(&whole()), [("a", 2)]);
        for gone in 0..5 {
            let mut damaged = whole();
            damaged.remove(gone);
            assert!(journal_complaint(&damaged).is_some(), "without event {}", gone + 1);
        }
        let mut doubled = whole();
        doubled[3].path = "a".to_owned();
        assert_eq!(journal_complaint(&doubled).unwrap(), "has two successes of `a`");
    }

    #[test]
    fn numbers_are_grouped_and_violations_counted_by_their_kind() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let violations = ["lost: x", "orphan: y", "orphan: z", "odd"].map(str::to_owned).to_vec();
        let text = Totals { runs: 12345, steps: 7, interrupted: 1, violations }.to_string();
        let expected = "12,345 acknowledged runs, 7 steps (1 interrupted), 1 lost, 0 re-executed, \
                        2 orphans, 0 duplicates, 1 other violations";
        assert_eq!(text, expected);
    }
}
