use std::time::Duration;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use windlass_core::Time;

use super::{DoneBody, TEXT_BYTES_MAX};
use crate::access::Caller;
use crate::app::Shared;
use crate::facade::trouble::{id, missing, said};
use crate::facade::{Detail, DetailResponses, Old};
use crate::http::problem;

/// Instances read at once.
const INSTANCES_A_READ: usize = 1_000;
/// How long what is not read is remembered, in days, if nothing is said.
const RETENTION_DAYS: u32 = 90;
const RETENTION_DAYS_MAX: u32 = 36_500;
/// How long an actor may be silent, in seconds, if nothing is said.
const TIMEOUT_SECONDS: u64 = 300;
const TIMEOUT_SECONDS_MAX: u64 = 31_536_000;

/// What is not to be told any more.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct MarkToxicRequest {
    /// What a role remembers.
    #[schema(format = Uuid)]
    pub memory_id: String,
    /// Why.
    pub reason: String,
}

/// What may be forgotten.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(default)]
pub struct DecayRequest {
    /// What was last read longer ago is forgotten. 90 if left out.
    #[schema(value_type = Option<u64>, maximum = 36_500)]
    pub retention_days: Option<u32>,
}

/// What was forgotten.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecayBody {
    /// True.
    pub success: bool,
    /// How much.
    pub memories_deleted: u64,
    /// In words.
    pub message: String,
}

/// Who is taken for dead.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(default)]
pub struct ZombieRequest {
    /// Who has been silent for so long. 300 if left out.
    #[schema(maximum = 31_536_000)]
    pub timeout_seconds: Option<u64>,
}

/// What was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct ZombieBody {
    /// True.
    pub success: bool,
    /// How many units of work.
    pub zombies_reclaimed: usize,
    /// In words.
    pub message: String,
}

/// Marks what a role remembers as toxic: nobody is told it again.
#[utoipa::path(
    post, path = "/admin/mark-toxic", tag = "facades",
    request_body(content = MarkToxicRequest),
    responses((status = 200, body = DoneBody), DetailResponses)
)]
pub async fn mark_toxic(
    State(app): Shared,
    caller: Caller,
    Old(request): Old<MarkToxicRequest>,
) -> Result<Json<DoneBody>, Detail> {
    let memory_id = id("memory_id", &request.memory_id)?;
    let reason = said("reason", &request.reason, TEXT_BYTES_MAX)?;
    let unknown =
        || missing(problem::MEMORY_NOT_FOUND, format!("no role remembers anything as {memory_id}"));
    let memory = app.engine.read(move |store| store.memory(memory_id)).await?;
    let memory = memory.ok_or_else(unknown)?;
    let (project, instance) = (caller.project().to_owned(), memory.instance_id.to_string());
    let own = app.engine.read(move |store| store.instance(&project, &instance)).await?;
    if own.is_none_or(|row| row.instance_id != memory.instance_id) {
        return Err(unknown());
    }
    let marked = app.engine.call(move |store| store.mark_toxic(memory_id, &reason)).await?;
    marked.ok_or_else(unknown)?;
    Ok(Json(DoneBody::of(format!("{memory_id} is marked as toxic"))))
}

/// Forgets what no role has read for long.
#[utoipa::path(
    post, path = "/admin/run-memory-decay", tag = "facades",
    request_body(content = DecayRequest),
    responses((status = 200, body = DecayBody), DetailResponses)
)]
pub async fn run_memory_decay(
    State(app): Shared,
    caller: Caller,
    Old(request): Old<DecayRequest>,
) -> Result<Json<DecayBody>, Detail> {
    let days = request.retention_days.unwrap_or(RETENTION_DAYS);
    if days > RETENTION_DAYS_MAX {
        return Err(Detail::field("retention_days", "at most 36500 days"));
    }
    let micros = i64::from(days).saturating_mul(86_400_000_000);
    let before = Time::from_micros(app.engine.clock().now().micros().saturating_sub(micros));
    let (mut after, mut count) = (None, 0);
    loop {
        let project = caller.project().to_owned();
        let read = move |store: &dyn windlass_store::Store| {
            store.instances(&project, None, after, INSTANCES_A_READ)
        };
        let page = app.engine.read(read).await?;
        after = page.items.last().map(|row| row.instance_id);
        let has_more = page.has_more;
        let forget = move |store: &dyn windlass_store::Store| {
            let own = page.items.iter();
            let counts = own.map(|row| store.decay_memories(Some(row.instance_id), before));
            counts.sum::<Result<u64, windlass_store::StoreError>>()
        };
        count += app.engine.call(forget).await?;
        if !has_more {
            let message = format!("what was not read for {days} days is forgotten: {count}");
            return Ok(Json(DecayBody { success: true, memories_deleted: count, message }));
        }
    }
}

/// Takes back what actors hold who have been silent for too long, now.
#[utoipa::path(
    post, path = "/admin/run-zombie-protocol", tag = "facades",
    request_body(content = ZombieRequest),
    responses((status = 200, body = ZombieBody), DetailResponses)
)]
pub async fn run_zombie_protocol(
    State(app): Shared,
    caller: Caller,
    Old(request): Old<ZombieRequest>,
) -> Result<Json<ZombieBody>, Detail> {
    let seconds = request.timeout_seconds.unwrap_or(TIMEOUT_SECONDS);
    if seconds > TIMEOUT_SECONDS_MAX {
        return Err(Detail::field("timeout_seconds", "at most a year, 31536000 seconds"));
    }
    let silent_for = Duration::from_secs(seconds);
    let count = app.engine.sweep_silent(caller.project(), silent_for).await;
    let message = format!("units of work taken back from silent actors: {count}");
    Ok(Json(ZombieBody { success: true, zombies_reclaimed: count, message }))
}
