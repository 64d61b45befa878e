//! The steps of a run by their status: `?status=failed` shows the failed ones of ten thousand.

use serde::Serialize;
use windlass_core::run::{Counts, StepStatus};
use windlass_store::{Page, RunRow, Store, StoreError};

use super::run_view::STEPS_SHOWN;
use crate::api::step::{StepBody, StepPlace, bodies};
use crate::http::problem::Problem;

/// Steps that are read at once.
const READ: usize = 1_000;

/// What needs to be seen first stands first. Nodes whose turn has not come are no steps yet.
const ORDER: [StepStatus; StepStatus::ALL.len() - 1] = [
    StepStatus::Failed,
    StepStatus::Waiting,
    StepStatus::BackingOff,
    StepStatus::Paused,
    StepStatus::Running,
    StepStatus::Queued,
    StepStatus::Cancelled,
    StepStatus::Skipped,
    StepStatus::Succeeded,
];

/// A way to the steps of one status.
#[derive(Debug, Serialize)]
pub(super) struct Choice {
    /// Empty for all of them.
    pub(super) status: &'static str,
    count: u32,
    pub(super) href: String,
    is_chosen: bool,
}

/// Which steps of a page are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StepFilter {
    /// Those of this status; all if `None`.
    pub(super) status: Option<StepStatus>,
    /// The event at which the run is looked at.
    pub(super) at: Option<u64>,
}

impl StepFilter {
    /// What a query asks for.
    ///
    /// # Errors
    ///
    /// If there is no such status.
    pub(super) fn of(status: Option<&str>, at: Option<u64>) -> Result<StepFilter, Problem> {
        let Some(word) = status.filter(|word| !word.is_empty()) else {
            return Ok(StepFilter { status: None, at });
        };
        let found = ORDER.into_iter().find(|status| status.as_str() == word);
        let found = found.ok_or_else(|| {
            let words = ORDER.map(StepStatus::as_str).join(", ");
            Problem::parameter("status", format!("a step is one of {words}"))
        })?;
        Ok(StepFilter { status: Some(found), at })
    }

    /// The ways to the steps of each status; none if all have the same one and all are shown.
    /// `here` is the address of the page, the rest of which they keep: but for the place in the steps,
    /// which is one among those of a status.
    pub(super) fn choices(self, here: &str, counts: &Counts) -> Vec<Choice> {
        let (page, query) = here.split_once('?').unwrap_or((here, ""));
        let is_other = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            !matches!(name, "" | "at" | "status" | "steps")
        };
        let others: Vec<&str> = query.split('&').filter(is_other).collect();
        let href = |status: &str| {
            let at = self.at.map(|at| format!("at={at}"));
            let status = (!status.is_empty()).then(|| format!("status={status}"));
            let others = others.iter().map(|pair| (*pair).to_owned());
            let query: Vec<String> = at.into_iter().chain(status).chain(others).collect();
            let joint = if query.is_empty() { "" } else { "?" };
            format!("{page}{joint}{}#steps-title", query.join("&"))
        };
        let there = ORDER.into_iter().filter(|status| counts.of(*status) > 0);
        let mut choices: Vec<Choice> = there
            .map(|status| Choice {
                status: status.as_str(),
                count: counts.of(status),
                href: href(status.as_str()),
                is_chosen: self.status == Some(status),
            })
            .collect();
        if choices.len() < 2 && self.status.is_none() {
            return Vec::new();
        }
        let all = Choice {
            status: "",
            count: counts.total(),
            href: href(""),
            is_chosen: self.status.is_none(),
        };
        choices.insert(0, all);
        choices
    }
}

/// Steps of one status from a place on. Answers where the next page begins.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn read(
    store: &dyn Store,
    row: &RunRow,
    status: StepStatus,
    place: Option<StepPlace>,
) -> Result<(Vec<StepBody>, Option<StepPlace>), StoreError> {
    let mut after = match place {
        Some(StepPlace::After(ordinal)) => Some(ordinal),
        Some(StepPlace::Pending(_)) => return Ok((Vec::new(), None)),
        None => None,
    };
    // Who has found all that there are need not look at the rest.
    let there = usize::try_from(row.counts.of(status)).unwrap_or(usize::MAX);
    let (mut items, mut is_all_read) = (Vec::new(), false);
    while !is_all_read && items.len() <= STEPS_SHOWN && items.len() < there {
        let page = store.steps(row.run_id, after, READ)?;
        after = page.items.last().map(|step| step.ordinal);
        is_all_read = !page.has_more;
        items.extend(page.items.into_iter().filter(|step| step.status == status));
    }
    let has_more = items.len() > STEPS_SHOWN;
    items.truncate(STEPS_SHOWN);
    bodies(store, row, Page { items, has_more }, None, STEPS_SHOWN)
}
