use serde_json::{Map, Value};
use uuid::Uuid;
use windlass_store::{MemoryRow, StoreError};

use crate::app::App;

/// How often it is noted that something was read.
const NOTED_EVERY: std::time::Duration = std::time::Duration::from_secs(3_600);

/// What a role remembers for an actor: what all of the role know, and what this one has learned, which
/// counts more. What was read is noted.
///
/// # Errors
///
/// That the store is away.
pub(crate) async fn context(
    app: &App,
    instance_id: Uuid,
    role: &str,
    actor_id: Uuid,
) -> Result<Map<String, Value>, StoreError> {
    let learned = app.engine.desk().learned();
    // Most roles remember nothing, and every claim asks.
    let whose = (instance_id, role.to_owned(), actor_id);
    if app.known.is_blank(learned, &whose) {
        return Ok(Map::new());
    }
    let (word, now) = (role.to_owned(), app.engine.clock().now());
    let read = move |store: &dyn windlass_store::Store| {
        store.memories(instance_id, &word, Some(actor_id), None)
    };
    let rows = app.engine.read(read).await?;
    if rows.is_empty() {
        app.known.keep_blank(learned, whose);
    }
    let good: Vec<_> = rows.into_iter().filter(|row| !row.is_toxic).collect();
    if good.is_empty() {
        return Ok(Map::new());
    }
    // Decay counts in days; to note every reading would cost a transaction for each.
    let stale = |row: &&MemoryRow| row.accessed_at.is_none_or(|at| now.since(at) >= NOTED_EVERY);
    let ids: Vec<Uuid> = good.iter().filter(stale).map(|row| row.memory_id).collect();
    if !ids.is_empty() {
        app.engine.call(move |store| store.touch_memories(&ids, now)).await?;
    }
    let (all, own): (Vec<_>, Vec<_>) = good.into_iter().partition(|row| row.actor_id.is_none());
    Ok(all.into_iter().chain(own).map(|row| (row.key, row.value)).collect())
}
