//! What went wrong in a run: its failed steps, those that failed alike together.

use serde::Serialize;
use windlass_core::run::{Fact, StepStatus};
use windlass_store::{RunRow, StepRow, Store, StoreError};

use crate::analytics::errors::alike;

/// Steps that are looked through.
const STEPS_MAX: usize = 10_000;
/// Failed steps whose errors are read.
const READ_MAX: usize = 300;
/// Kinds of error that are shown.
const SHOWN: usize = 8;

/// Steps that failed alike.
#[derive(Debug, Serialize)]
pub(super) struct Alike {
    /// What they say, with `#` for numbers and ids if there are several.
    message: String,
    /// How many.
    count: usize,
    /// The first ones, and where their drawers open.
    steps: Vec<(String, String)>,
}

/// The errors of a run with more than one failed step, the most frequent first; none of others.
pub(super) fn read(
    store: &dyn Store,
    row: &RunRow,
    link: &dyn Fn(&str) -> String,
) -> Result<Vec<Alike>, StoreError> {
    if row.counts.of(StepStatus::Failed) < 2 {
        return Ok(Vec::new());
    }
    let steps = store.steps(row.run_id, None, STEPS_MAX)?.items;
    let failed: Vec<&StepRow> =
        steps.iter().filter(|step| step.status == StepStatus::Failed).take(READ_MAX).collect();
    let mut seqs: Vec<u64> = failed.iter().filter_map(|step| step.end_seq).collect();
    seqs.sort_unstable();
    seqs.dedup();
    let events = store.events_at(row.run_id, &seqs)?;
    let mut groups: Vec<Alike> = Vec::new();
    for step in failed {
        let event = step.end_seq.and_then(|seq| events.iter().find(|event| event.seq == seq));
        let error = match event.map(|event| &event.event.fact) {
            Some(Fact::StepFailed { error, .. } | Fact::AttemptFailed { error, .. }) => Some(error),
            Some(Fact::TaskSeen { seen, .. }) => seen.error.as_ref(),
            _ => None,
        };
        let said =
            error.map_or_else(|| "no error was told".to_owned(), |error| error.message.clone());
        let message = alike(&said);
        let place = (step.path.clone(), link(&step.path));
        match groups.iter_mut().find(|group| alike(&group.message) == message) {
            Some(group) => {
                group.count += 1;
                group.message = message;
                if group.steps.len() < 3 {
                    group.steps.push(place);
                }
            }
            None => groups.push(Alike { message: said, count: 1, steps: vec![place] }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups.truncate(SHOWN);
    Ok(groups)
}
