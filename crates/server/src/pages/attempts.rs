//! The attempts of steps, from the journal: rows of steps only know the last one.

use std::collections::BTreeMap;

use uuid::Uuid;
use windlass_core::run::{Fact, TaskSeen, TaskWord};
use windlass_core::{Failure, Time};
use windlass_store::{NumberedEvent, Store, StoreError};

/// Events that are looked through for attempts, and the bytes of them. What lies behind is left out,
/// so that a page of a run with a very long journal stays cheap.
const EVENTS_READ_MAX: usize = 5_000;
const BYTES_READ_MAX: usize = 2 * 1024 * 1024;

/// One try of a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attempt {
    /// Which, from 1.
    pub(super) number: u32,
    /// When it began; `None` if it was lost before that was written.
    pub(super) began: Option<Time>,
    /// When it ended; `None` while it is under way.
    pub(super) ended: Option<Time>,
    /// How it stands: `running`, `succeeded`, `failed`, `interrupted` or `cancelled`.
    pub(super) status: &'static str,
    /// Why it failed.
    pub(super) error: Option<Failure>,
}

/// The attempts of the steps of these paths, whose first event has number `from` or a later one.
/// Steps without attempts are left out.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn read(
    store: &dyn Store,
    run_id: Uuid,
    paths: &[&str],
    from: u64,
) -> Result<BTreeMap<String, Vec<Attempt>>, StoreError> {
    let mut found: BTreeMap<String, Vec<Attempt>> = BTreeMap::new();
    if paths.is_empty() {
        return Ok(found);
    }
    let after = from.saturating_sub(1);
    let page = store.events(run_id, after, EVENTS_READ_MAX, BYTES_READ_MAX)?;
    for event in &page.items {
        let Some(path) = event.event.fact.step().filter(|path| paths.contains(path)) else {
            continue;
        };
        tell(found.entry(path.to_owned()).or_default(), event);
    }
    found.retain(|_, attempts| !attempts.is_empty());
    Ok(found)
}

/// What an event says of a step's attempts.
fn tell(attempts: &mut Vec<Attempt>, numbered: &NumberedEvent) {
    let at = numbered.event.at;
    let mut end = |number: u32, began: Option<Time>, status, error: Option<&Failure>| {
        let attempt = of_number(attempts, number);
        attempt.began = attempt.began.or(began);
        (attempt.ended, attempt.status, attempt.error) = (Some(at), status, error.cloned());
    };
    match &numbered.event.fact {
        Fact::AttemptStarted { attempt, .. } => of_number(attempts, *attempt).began = Some(at),
        Fact::AttemptFailed { attempt, started_at, error, .. } => {
            end(*attempt, Some(*started_at), "failed", Some(error));
        }
        Fact::AttemptInterrupted { attempt, .. } | Fact::StepParked { attempt, .. } => {
            end(*attempt, None, "interrupted", None);
        }
        Fact::StepSucceeded { attempt, started_at, reused: false, .. } => {
            end(*attempt, *started_at, "succeeded", None);
        }
        Fact::StepFailed { attempt, started_at, error, reused: false, .. } => {
            end(*attempt, *started_at, "failed", Some(error));
        }
        Fact::TaskSeen { seen, .. } => tell_seen(attempts, seen),
        Fact::StepCancelled { .. } => {
            if let Some(last) = attempts.last_mut().filter(|last| last.ended.is_none()) {
                (last.ended, last.status) = (Some(at), "cancelled");
            }
        }
        _ => {}
    }
}

/// What another program says of a task's attempts. Times are its own, and not every word has a number.
fn tell_seen(attempts: &mut Vec<Attempt>, seen: &TaskSeen) {
    let latest = attempts.last().map_or(1, |last| last.number);
    let number = if seen.attempt == 0 { latest } else { seen.attempt };
    let mut end = |number: u32, status, error: Option<&Failure>| {
        let began = seen.duration.map(|lasted| {
            let micros = i64::try_from(lasted.0.as_micros()).unwrap_or(i64::MAX);
            Time::from_micros(seen.at.micros().saturating_sub(micros))
        });
        let attempt = of_number(attempts, number);
        attempt.began = attempt.began.or(began);
        (attempt.ended, attempt.status, attempt.error) = (Some(seen.at), status, error.cloned());
    };
    match seen.what {
        TaskWord::Noted => {}
        TaskWord::Started => of_number(attempts, number).began = Some(seen.at),
        TaskWord::Retried => {
            end(number, "failed", seen.error.as_ref());
            of_number(attempts, number.saturating_add(1)).began = Some(seen.at);
        }
        TaskWord::Ended(status) => end(number, status.as_str(), seen.error.as_ref()),
    }
}

fn of_number(attempts: &mut Vec<Attempt>, number: u32) -> &mut Attempt {
    let index = match attempts.iter().position(|attempt| attempt.number == number) {
        Some(index) => index,
        None => {
            let status = "running";
            attempts.push(Attempt { number, began: None, ended: None, status, error: None });
            attempts.len() - 1
        }
    };
    &mut attempts[index]
}
