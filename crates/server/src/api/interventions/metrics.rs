use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Caller;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// How many requests to pilots there are, and how long they took.
#[derive(Debug, Serialize, ToSchema)]
pub struct InterventionMetricsBody {
    /// How many there are.
    pub total: u64,
    /// How many stand where.
    pub by_status: BTreeMap<String, u64>,
    /// How many there are of each kind.
    pub by_kind: BTreeMap<String, u64>,
    /// How many there are of each priority.
    pub by_priority: BTreeMap<String, u64>,
    /// How long those that were answered took on average, in seconds; null if none was.
    pub mean_resolution_seconds: Option<f64>,
    /// The ten who have answered most.
    pub top: Vec<PilotCount>,
}

/// How much a pilot has answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct PilotCount {
    /// Who.
    pub pilot: String,
    /// How many requests.
    pub count: u64,
}

/// How many requests to pilots there are, and how long they took.
#[utoipa::path(
    get, path = "/api/v1/interventions/metrics", tag = "units",
    responses((status = 200, body = InterventionMetricsBody), ProblemResponses)
)]
pub async fn intervention_metrics(
    State(app): Shared,
    caller: Caller,
) -> Result<Json<InterventionMetricsBody>, Problem> {
    let project = caller.project().to_owned();
    let found = app.engine.read(move |store| store.intervention_metrics(&project)).await?;
    let top = found.top.into_iter().map(|(pilot, count)| PilotCount { pilot, count });
    Ok(Json(InterventionMetricsBody {
        total: found.total,
        by_status: found.by_status,
        by_kind: found.by_kind,
        by_priority: found.by_priority,
        mean_resolution_seconds: found.mean_resolution_micros.map(|micros| micros as f64 / 1e6),
        top: top.collect(),
    }))
}
