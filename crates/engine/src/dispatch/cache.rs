//! Earlier outputs that may be used again.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::{CacheUse, Fact};
use windlass_store::{Store, StoreError};

/// The output that an attempt may use, and the run that made it. What cannot be read is not there: the
/// attempt is made then, as if nothing were kept.
pub(crate) async fn find(
    store: &Arc<dyn Store>,
    project: &Arc<str>,
    cache: &CacheUse,
    now: Time,
) -> Option<(Uuid, Arc<Value>)> {
    let (store, project, key) = (store.clone(), project.clone(), cache.key.clone());
    let found = tokio::task::spawn_blocking(move || look(&*store, &project, &key, now));
    match found.await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::warn!(%error, "an earlier output cannot be looked for");
            None
        }
        Err(_) => None,
    }
}

fn look(
    store: &dyn Store,
    project: &str,
    key: &str,
    now: Time,
) -> Result<Option<(Uuid, Arc<Value>)>, StoreError> {
    let Some(row) = store.cached(project, key, now)? else { return Ok(None) };
    // The run may have been deleted since.
    let event = store.events_at(row.run_id, &[row.seq])?.pop();
    Ok(event.and_then(|event| match event.event.fact {
        Fact::StepSucceeded { output, .. } => Some((row.run_id, output)),
        _ => None,
    }))
}
