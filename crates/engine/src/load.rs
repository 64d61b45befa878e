//! From what is stored of a run to the run.

use std::sync::Arc;

use windlass_core::run::{RunState, STATE_VERSION};
use windlass_store::{Store, StoreError, StoredRun};

use crate::definitions::{DefinitionError, Definitions};
use crate::shard::{Found, LoadedRun};

/// Reads a run and folds it: its snapshot and what followed, or its whole journal.
///
/// # Errors
///
/// If the store cannot be read now.
pub(crate) fn find(
    store: &dyn Store,
    definitions: &Definitions,
    run_id: uuid::Uuid,
    epoch: i64,
) -> Result<Found, StoreError> {
    let Some(stored) = store.load_run(run_id, STATE_VERSION)? else { return Ok(Found::Nothing) };
    let plan = match definitions.plan(stored.row.definition_id) {
        Ok(plan) => plan,
        Err(DefinitionError::Store(error)) => return Err(error),
        Err(error) => return Ok(Found::Broken(error.to_string())),
    };
    let has_snapshot = stored.snapshot.is_some();
    let (project, last_seq) = (Arc::from(stored.row.project.as_str()), stored.row.last_seq);
    let (last_log_seq, is_orphan) = (stored.last_log_seq, stored.row.owner < epoch);
    let state = fold(store, stored)?;
    let Some(state) = state else {
        let message = "its journal does not begin with its creation".to_owned();
        return Ok(Found::Broken(message));
    };
    Ok(Found::Run(Box::new(LoadedRun {
        project,
        plan,
        bytes: state.bytes(),
        state,
        last_seq,
        last_log_seq,
        has_snapshot,
        is_orphan,
    })))
}

/// The state that what is stored of a run amounts to; `None` if that is nothing.
fn fold(store: &dyn Store, stored: StoredRun) -> Result<Option<RunState>, StoreError> {
    let has_snapshot = stored.snapshot.is_some();
    let folded =
        stored.snapshot.and_then(|snapshot| serde_json::from_str::<RunState>(&snapshot.state).ok());
    let (state, events) = match folded {
        Some(state) => (Some(state), stored.events),
        // A snapshot that cannot be read saves nothing, but it costs nothing either.
        None if has_snapshot => {
            (None, store.events(stored.row.run_id, 0, usize::MAX, usize::MAX)?.items)
        }
        None => (None, stored.events),
    };
    let events = events.iter().map(|numbered| &numbered.event);
    Ok(match state {
        Some(mut state) => {
            events.for_each(|event| state.evolve(event));
            Some(state)
        }
        None => RunState::replay(events),
    })
}
