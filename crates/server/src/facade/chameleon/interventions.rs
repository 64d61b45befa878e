use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::run::PilotAct;
use windlass_store::{InterventionFilter, InterventionMetrics, InterventionRow, StoreError};

use super::TEXT_BYTES_MAX;
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::{App, Shared};
use crate::facade::trouble::{id, missing};
use crate::facade::{Detail, DetailResponses, OldQuery};
use crate::http::paging::limit;
use crate::http::problem::{self, Problem};
use crate::units::pilot::act;

/// A request that waits for a pilot.
pub(super) const PENDING: &str = "PENDING";

/// A request to pilots.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InterventionBody {
    /// Its id.
    pub request_id: Uuid,
    /// The unit of work.
    pub uow_id: Uuid,
    /// The instance that it is of.
    pub instance_id: Uuid,
    /// `kill_switch`, `clarification`, `waive_violation`, `resume` or `cancel`.
    pub intervention_type: String,
    /// `PENDING`, `IN_PROGRESS`, `APPROVED`, `REJECTED`, `EXPIRED` or `COMPLETED`.
    pub status: String,
    /// `critical`, `high`, `normal` or `low`.
    pub priority: String,
    /// In a line.
    pub title: String,
    /// In more words.
    pub description: String,
    /// What led to it.
    pub context: Value,
    /// Since when, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Until when, RFC 3339.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// When it changed last, RFC 3339.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// The least role that may answer.
    pub required_role: String,
    /// Who has taken it on, or has answered.
    pub assigned_to: Option<String>,
    /// With what reason.
    pub action_reason: Option<String>,
    /// When, RFC 3339.
    #[schema(format = DateTime)]
    pub action_timestamp: Option<String>,
}

/// How many requests there are, and how long they took.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricsBody {
    /// All there are.
    pub total_interventions: u64,
    /// Those that wait.
    pub pending_interventions: u64,
    /// Those that were granted.
    pub approved_interventions: u64,
    /// Those that were not.
    pub rejected_interventions: u64,
    /// How long those that were answered took.
    pub avg_resolution_time_seconds: f64,
    /// How many there are of each type.
    pub by_type: BTreeMap<String, u64>,
    /// How many there are of each priority.
    pub by_priority: BTreeMap<String, u64>,
    /// Who has answered most, ten at most.
    pub top_pilots: Vec<PilotCount>,
}

/// How many requests somebody has answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct PilotCount {
    /// Who.
    pub pilot_id: String,
    /// How many.
    pub interventions: u64,
}

/// Which requests.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct PendingQuery {
    /// How many, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// How many to pass over. None if left out.
    pub offset: Option<String>,
    /// Who asks. Nobody has taken a request on before it is answered, so this leaves none out.
    pub pilot_id: Option<String>,
}

/// Why a request is answered.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct ActionQuery {
    /// In the pilot's words; of a clarification, the explanation itself.
    pub action_reason: Option<String>,
}

impl InterventionBody {
    pub(super) fn of(row: InterventionRow) -> InterventionBody {
        InterventionBody {
            request_id: row.request_id,
            uow_id: row.unit_id,
            instance_id: row.instance_id,
            intervention_type: row.kind,
            status: row.status,
            priority: row.priority,
            title: row.title,
            description: row.description,
            context: row.context,
            created_at: row.created_at.to_string(),
            expires_at: row.expires_at.to_string(),
            updated_at: row.updated_at.to_string(),
            required_role: row.required_role,
            assigned_to: row.assigned_to.or(row.action_by),
            action_reason: row.action_reason,
            action_timestamp: row.action_at.map(|at| at.to_string()),
        }
    }
}

impl MetricsBody {
    pub(super) fn of(metrics: InterventionMetrics) -> MetricsBody {
        let of = |status: &str| metrics.by_status.get(status).copied().unwrap_or(0);
        let pilot = |(pilot_id, interventions)| PilotCount { pilot_id, interventions };
        MetricsBody {
            total_interventions: metrics.total,
            pending_interventions: of(PENDING),
            approved_interventions: of("APPROVED"),
            rejected_interventions: of("REJECTED"),
            avg_resolution_time_seconds: metrics
                .mean_resolution_micros
                .map_or(0.0, |micros| micros as f64 / 1e6),
            by_type: metrics.by_kind,
            by_priority: metrics.by_priority,
            top_pilots: metrics.top.into_iter().map(pilot).collect(),
        }
    }
}

/// Requests that wait, the most urgent first, and of those the oldest first.
pub(super) async fn pending(
    app: &App,
    project: &str,
    (limit, offset): (usize, usize),
) -> Result<Vec<InterventionBody>, StoreError> {
    let filter =
        InterventionFilter { status: Some(PENDING.to_owned()), ..InterventionFilter::default() };
    let project = project.to_owned();
    let read = move |store: &dyn windlass_store::Store| {
        store.interventions(&project, &filter, limit, offset)
    };
    let found = app.engine.read(read).await?;
    Ok(found.items.into_iter().map(InterventionBody::of).collect())
}

/// How many requests there are.
pub(super) async fn metrics(app: &App, project: &str) -> Result<MetricsBody, StoreError> {
    let project = project.to_owned();
    let read = move |store: &dyn windlass_store::Store| store.intervention_metrics(&project);
    Ok(MetricsBody::of(app.engine.read(read).await?))
}

/// One request.
pub(super) async fn find(
    app: &App,
    project: &str,
    request_id: Uuid,
) -> Result<InterventionRow, Detail> {
    let own = project.to_owned();
    let row = app.engine.read(move |store| store.intervention(&own, request_id)).await?;
    let message = format!("there is no request {request_id} to pilots");
    row.ok_or_else(|| missing(problem::INTERVENTION_NOT_FOUND, message))
}

/// Requests that wait for a pilot, the most urgent first.
#[utoipa::path(
    get, path = "/api/interventions/pending", tag = "facades", params(PendingQuery),
    responses((status = 200, body = Vec<InterventionBody>), DetailResponses)
)]
pub async fn list_pending(
    State(app): Shared,
    caller: Caller,
    OldQuery(query): OldQuery<PendingQuery>,
) -> Result<Json<Vec<InterventionBody>>, Detail> {
    let limit = limit(query.limit.as_deref())?;
    let offset = match query.offset.as_deref().filter(|text| !text.is_empty()) {
        None => 0,
        Some(text) => {
            text.parse().map_err(|_| Detail::field("offset", "a whole number is expected"))?
        }
    };
    Ok(Json(pending(&app, caller.project(), (limit, offset)).await?))
}

/// How many requests to pilots there are, and how long they took.
#[utoipa::path(
    get, path = "/api/interventions/metrics", tag = "facades",
    responses((status = 200, body = MetricsBody), DetailResponses)
)]
pub async fn show_metrics(State(app): Shared, caller: Caller) -> Result<Json<MetricsBody>, Detail> {
    Ok(Json(metrics(&app, caller.project()).await?))
}

/// A request to pilots.
#[utoipa::path(
    get, path = "/api/interventions/{request}", tag = "facades",
    params(("request" = Uuid, Path, description = "Its id")),
    responses((status = 200, body = InterventionBody), DetailResponses)
)]
pub async fn show(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<InterventionBody>, Detail> {
    let row = find(&app, caller.project(), id("request_id", &word)?).await?;
    Ok(Json(InterventionBody::of(row)))
}

/// Grants a request: what waits goes on. Of a clarification, the reason is the explanation.
#[utoipa::path(
    post, path = "/api/interventions/{request}/approve", tag = "facades",
    params(("request" = Uuid, Path, description = "Its id"), ActionQuery),
    responses((status = 200, body = InterventionBody), DetailResponses)
)]
pub async fn approve(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    OldQuery(query): OldQuery<ActionQuery>,
) -> Result<Json<InterventionBody>, Detail> {
    answer(&app, &caller, &word, query.action_reason, true).await
}

/// Turns a request down.
#[utoipa::path(
    post, path = "/api/interventions/{request}/reject", tag = "facades",
    params(("request" = Uuid, Path, description = "Its id"), ActionQuery),
    responses((status = 200, body = InterventionBody), DetailResponses)
)]
pub async fn reject(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    OldQuery(query): OldQuery<ActionQuery>,
) -> Result<Json<InterventionBody>, Detail> {
    answer(&app, &caller, &word, query.action_reason, false).await
}

async fn answer(
    app: &App,
    caller: &Caller,
    word: &str,
    reason: Option<String>,
    is_yes: bool,
) -> Result<Json<InterventionBody>, Detail> {
    let request_id = id("request_id", word)?;
    let row = find(app, caller.project(), request_id).await?;
    if row.status != PENDING {
        let message = format!("the request is {}", row.status);
        return Err(Problem::new(problem::UNIT_STATE, message).into());
    }
    let reason = reason.unwrap_or_default();
    if reason.len() > TEXT_BYTES_MAX {
        let message = format!("at most {TEXT_BYTES_MAX} bytes are possible");
        return Err(Detail::field("action_reason", &message));
    }
    let deed = match (is_yes, row.kind.as_str()) {
        (true, "clarification") if reason.trim().is_empty() => {
            return Err(Detail::field("action_reason", "the explanation is needed"));
        }
        (true, "clarification") => PilotAct::Clarify { text: reason },
        (true, _) if reason.trim().is_empty() => PilotAct::Resume,
        (true, _) => PilotAct::Approve { reason },
        (false, _) => PilotAct::Cancel { reason },
    };
    act(app, caller, row.unit_id, deed).await?;
    Ok(Json(InterventionBody::of(find(app, caller.project(), request_id).await?)))
}
