use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::run::RunState;
use windlass_core::run::token::Unit;
use windlass_engine::desk::TaskRefused;
use windlass_engine::{TaskOf, shard::id_in};
use windlass_store::{Store, StoreError, UnitRow};

use super::shown;
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::tasks::poll::attributes;
use crate::api::tasks::refused;
use crate::app::{App, Shared};
use crate::facade::trouble::id;
use crate::facade::{Detail, DetailResponses};
use crate::http::paging::PAGE_BYTES_MAX;
use crate::units;

/// Events read at once.
const EVENTS_A_READ: usize = 1_000;

/// A unit of work, as lists show it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UowBody {
    /// Its id.
    pub uow_id: Uuid,
    /// The instance.
    pub instance_id: Uuid,
    /// The workflow of the instance that it is in.
    pub local_workflow: String,
    /// The unit that it is a part of.
    pub parent_id: Option<Uuid>,
    /// The interaction it is at.
    pub current_interaction: Option<String>,
    /// The interaction's id.
    pub current_interaction_id: Option<Uuid>,
    /// Where it stands.
    pub status: String,
    /// Why, in a word.
    pub reason: Option<String>,
    /// Who holds it.
    pub actor_id: Option<String>,
    /// Its parts.
    pub child_count: u32,
    /// Those that have come to the end.
    pub finished_child_count: u32,
    /// SHA-256 of its attributes.
    pub content_hash: String,
    /// How often it was taken.
    pub interaction_count: u32,
    /// How often it may be.
    pub max_interactions: Option<u32>,
    /// When it came up, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it changed last, RFC 3339.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// A unit of work.
#[derive(Debug, Serialize, ToSchema)]
pub struct UowDetail {
    /// As lists show it.
    #[serde(flatten)]
    pub uow: UowBody,
    /// The newest version of each attribute.
    pub attributes: Map<String, Value>,
    /// The model that is to be used, if a guardian says so.
    pub model_id: Option<String>,
    /// What is to be observed, if a guardian says so.
    pub injected_instructions: Option<String>,
    /// What is to be known, if guardians say so.
    pub knowledge_fragment_refs: Vec<Value>,
    /// What guardians have added, and when.
    pub mutation_audit_log: Vec<Value>,
    /// How often it was let go on after it was stuck or lost.
    pub retry_count: u32,
}

impl UowBody {
    pub(super) fn of(row: UnitRow) -> UowBody {
        let place = row.place.as_ref();
        let place_id = place
            .map(|place| id_in(row.instance_id, &format!("interaction/{}/{place}", row.workflow)));
        UowBody {
            uow_id: row.unit_id,
            instance_id: row.instance_id,
            local_workflow: row.workflow,
            parent_id: row.parent_id,
            current_interaction: row.place,
            current_interaction_id: place_id,
            status: shown(&row.status),
            reason: row.reason,
            actor_id: row.holder,
            child_count: row.child_count,
            finished_child_count: row.finished_child_count,
            content_hash: row.hash,
            interaction_count: row.interaction_count,
            max_interactions: row.max_interactions,
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
        }
    }
}

/// A unit of work with its attributes.
#[utoipa::path(
    get, path = "/uows/{uow}",
    operation_id = "chameleon_get_uow", tag = "facades",
    params(("uow" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = UowDetail), DetailResponses)
)]
pub async fn get_uow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<UowDetail>, Detail> {
    let row = units::pilot::unit(&app, caller.project(), id("uow_id", &word)?).await?;
    let unit = whole(&app, &row).await?;
    let attributes = unit.as_ref().map(attributes).unwrap_or_default();
    let (injected, retry_count) =
        unit.map(|unit| (unit.injected, unit.retries)).unwrap_or_default();
    Ok(Json(UowDetail {
        uow: UowBody::of(row),
        attributes,
        model_id: injected.model_id,
        injected_instructions: injected.instructions,
        knowledge_fragment_refs: injected.fragments,
        mutation_audit_log: injected.audit,
        retry_count,
    }))
}

/// The unit itself: from its run, or, if that is over, from its journal.
async fn whole(app: &App, row: &UnitRow) -> Result<Option<Unit>, Detail> {
    match app.engine.show_task(row.run_id, &row.path).await {
        Ok(view) => {
            return Ok(match view.of {
                TaskOf::Unit(view) => Some(view.unit),
                TaskOf::Step(_) => None,
            });
        }
        Err(TaskRefused::NotFound | TaskRefused::Over(_)) => {}
        Err(why) => return Err(refused(why).into()),
    }
    let (run_id, path) = (row.run_id, row.path.clone());
    Ok(app.engine.read(move |store| at_the_end(store, run_id, &path)).await?)
}

fn at_the_end(store: &dyn Store, run_id: Uuid, path: &str) -> Result<Option<Unit>, StoreError> {
    let (mut state, mut after): (Option<RunState>, u64) = (None, 0);
    loop {
        let page = store.events(run_id, after, EVENTS_A_READ, PAGE_BYTES_MAX)?;
        for numbered in &page.items {
            after = numbered.seq;
            match &mut state {
                None => state = RunState::from_first(&numbered.event),
                Some(state) => state.evolve(&numbered.event),
            }
        }
        if !page.has_more || page.items.is_empty() {
            let tokens = state.as_ref().and_then(RunState::tokens);
            return Ok(tokens.and_then(|tokens| tokens.unit(path)).cloned());
        }
    }
}
