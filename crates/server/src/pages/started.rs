//! Runs that began at the end of another one: from either, the way to the other.

use serde::Serialize;
use uuid::Uuid;
use windlass_engine::triggers::TRIGGER_LABEL;
use windlass_store::{RunFilter, RunRow, Store, StoreError};

use super::runs::short_id;

/// Runs that are listed.
const SHOWN: usize = 5;

/// The run at whose end a run began.
#[derive(Debug, Serialize)]
pub(super) struct Origin {
    id: String,
    short_id: String,
    /// Its workflow, as far as it is still there.
    workflow: Option<String>,
}

/// The runs that began at the end of a run.
#[derive(Debug, Serialize)]
pub(super) struct Started {
    runs: Vec<One>,
    /// Where all of them are, if there are more.
    all: Option<String>,
}

#[derive(Debug, Serialize)]
struct One {
    id: String,
    short_id: String,
    workflow: String,
    status: &'static str,
}

/// The run that a label names.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn origin(store: &dyn Store, id: &str) -> Result<Origin, StoreError> {
    let found = match Uuid::parse_str(id) {
        Ok(run_id) => store.overview(run_id, 0)?,
        Err(_) => None,
    };
    Ok(Origin {
        id: id.to_owned(),
        short_id: short_id(id),
        workflow: found.map(|overview| overview.row.workflow),
    })
}

/// The runs that began at the end of this one; `None` if there are none.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn read(store: &dyn Store, row: &RunRow) -> Result<Option<Started>, StoreError> {
    let id = row.run_id.to_string();
    let labels = vec![(TRIGGER_LABEL.to_owned(), id.clone())];
    let filter = RunFilter { labels, ..RunFilter::default() };
    let found = store.runs(&row.project, &filter, None, SHOWN)?;
    let one = |row: RunRow| One {
        short_id: short_id(&row.run_id.to_string()),
        id: row.run_id.to_string(),
        workflow: row.workflow,
        status: row.status.as_str(),
    };
    let all = found.next.map(|_| format!("/runs?label={TRIGGER_LABEL}={id}"));
    let runs: Vec<One> = found.items.into_iter().map(one).collect();
    Ok((!runs.is_empty()).then_some(Started { runs, all }))
}
