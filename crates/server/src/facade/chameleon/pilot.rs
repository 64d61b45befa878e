use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::run::PilotAct;

use super::{TEXT_BYTES_MAX, shown};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::{App, Shared};
use crate::facade::trouble::{id, said};
use crate::facade::{Detail, DetailResponses, Old};
use crate::units;
use crate::units::pilot::act;

/// Which instance is stopped, and why.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct KillRequest {
    /// The instance.
    #[schema(format = Uuid)]
    pub instance_id: String,
    /// Why.
    pub reason: String,
}

/// What was stopped.
#[derive(Debug, Serialize, ToSchema)]
pub struct KilledBody {
    /// True.
    pub success: bool,
    /// In words.
    pub message: String,
    /// How many units of work.
    pub paused_uow_count: usize,
}

/// An explanation.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct ClarificationRequest {
    /// In the pilot's words.
    pub text: String,
}

/// A reason.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct ReasonRequest {
    /// Why.
    pub reason: String,
}

/// Where a unit of work stands now.
#[derive(Debug, Serialize, ToSchema)]
pub struct PilotedBody {
    /// True.
    pub success: bool,
    /// In words.
    pub message: String,
    /// The status.
    pub new_status: String,
}

/// That a guardian was waived.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaivedBody {
    /// True.
    pub success: bool,
    /// In words.
    pub message: String,
    /// That it is in the unit's history, with who and why.
    pub waiver_logged: bool,
}

/// Stops every unit of work of an instance that somebody works on.
#[utoipa::path(
    post, path = "/pilot/kill-switch",
    operation_id = "chameleon_kill_switch", tag = "facades",
    request_body(content = KillRequest),
    responses((status = 200, body = KilledBody), DetailResponses)
)]
pub async fn kill_switch(
    State(app): Shared,
    caller: Caller,
    Old(request): Old<KillRequest>,
) -> Result<Json<KilledBody>, Detail> {
    let instance_id = id("instance_id", &request.instance_id)?;
    let reason = said("reason", &request.reason, TEXT_BYTES_MAX)?;
    let instance = units::instance::find(&app, caller.project(), &instance_id.to_string()).await?;
    let count = units::pilot::kill(&app, &caller, &instance, &reason).await?;
    let message = format!("units of work of `{}` that were stopped: {count}", instance.row.name);
    Ok(Json(KilledBody { success: true, message, paused_uow_count: count }))
}

/// Explains to whoever takes a stuck unit of work next what was not clear.
#[utoipa::path(
    post, path = "/pilot/clarification/{uow}", tag = "facades",
    params(("uow" = Uuid, Path, description = "The unit's id")),
    request_body(content = ClarificationRequest),
    responses((status = 200, body = PilotedBody), DetailResponses)
)]
pub async fn clarification(
    State(app): Shared,
    caller: Caller,
    Named(uow_id): Named<String>,
    Old(request): Old<ClarificationRequest>,
) -> Result<Json<PilotedBody>, Detail> {
    let unit_id = id("uow_id", &uow_id)?;
    let text = said("text", &request.text, TEXT_BYTES_MAX)?;
    piloted(&app, &caller, unit_id, PilotAct::Clarify { text }).await
}

/// Lets a unit of work pass a guardian, by the guardian's name or id.
#[utoipa::path(
    post, path = "/pilot/waive/{uow}/{guard_rule}", tag = "facades",
    params(
        ("uow" = Uuid, Path, description = "The unit's id"),
        ("guard_rule" = String, Path, description = "The guardian's name or id")
    ),
    request_body(content = ReasonRequest),
    responses((status = 200, body = WaivedBody), DetailResponses)
)]
pub async fn waive(
    State(app): Shared,
    caller: Caller,
    Named((uow_id, word)): Named<(String, String)>,
    Old(request): Old<ReasonRequest>,
) -> Result<Json<WaivedBody>, Detail> {
    let unit_id = id("uow_id", &uow_id)?;
    let reason = said("reason", &request.reason, TEXT_BYTES_MAX)?;
    let rule = rule_of(&app, &caller, unit_id, word).await?;
    let message = format!("the guardian `{rule}` is waived for {unit_id}");
    act(&app, &caller, unit_id, PilotAct::Waive { rule, reason }).await?;
    Ok(Json(WaivedBody { success: true, message, waiver_logged: true }))
}

/// The name of a guardian; what is no id of one is taken for a name.
async fn rule_of(
    app: &App,
    caller: &Caller,
    unit_id: Uuid,
    word: String,
) -> Result<String, Detail> {
    let row = units::pilot::unit(app, caller.project(), unit_id).await?;
    let Ok(rule_id) = Uuid::parse_str(&word) else { return Ok(word) };
    let instance = row.instance_id.to_string();
    let instance = units::instance::find(app, caller.project(), &instance).await?;
    let workflows = instance.workflows();
    let workflow = workflows.into_iter().find(|one| one.name == row.workflow);
    let guardians = workflow
        .into_iter()
        .flat_map(|workflow| workflow.components.iter().flat_map(|component| &component.guardians));
    let mut names = guardians.map(|guardian| &guardian.name);
    let found = names.find(|name| instance.id_of("guardian", &row.workflow, name) == rule_id);
    Ok(found.cloned().unwrap_or(word))
}

/// Lets a unit of work go on that waits for a pilot, or was stopped.
#[utoipa::path(
    post, path = "/pilot/resume/{uow}", tag = "facades",
    params(("uow" = Uuid, Path, description = "The unit's id")),
    responses((status = 200, body = PilotedBody), DetailResponses)
)]
pub async fn resume(
    State(app): Shared,
    caller: Caller,
    Named(uow_id): Named<String>,
) -> Result<Json<PilotedBody>, Detail> {
    let unit_id = id("uow_id", &uow_id)?;
    piloted(&app, &caller, unit_id, PilotAct::Resume).await
}

/// Says no to a unit of work that waits for a pilot, or was stopped.
#[utoipa::path(
    post, path = "/pilot/cancel/{uow}", tag = "facades",
    params(("uow" = Uuid, Path, description = "The unit's id")),
    request_body(content = ReasonRequest),
    responses((status = 200, body = PilotedBody), DetailResponses)
)]
pub async fn cancel(
    State(app): Shared,
    caller: Caller,
    Named(uow_id): Named<String>,
    Old(request): Old<ReasonRequest>,
) -> Result<Json<PilotedBody>, Detail> {
    let unit_id = id("uow_id", &uow_id)?;
    let reason = said("reason", &request.reason, TEXT_BYTES_MAX)?;
    piloted(&app, &caller, unit_id, PilotAct::Cancel { reason }).await
}

async fn piloted(
    app: &App,
    caller: &Caller,
    unit_id: Uuid,
    deed: PilotAct,
) -> Result<Json<PilotedBody>, Detail> {
    let row = act(app, caller, unit_id, deed).await?;
    let new_status = shown(&row.status);
    let message = format!("the unit of work {unit_id} is {new_status}");
    Ok(Json(PilotedBody { success: true, message, new_status }))
}
