use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::Failure;
use windlass_core::run::AttemptError;

use super::{DoneBody, TEXT_BYTES_MAX, hold, refusal, unit_of};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::tasks::complete::{ChildBody, unit_done};
use crate::api::tasks::scope_of;
use crate::app::{App, Shared};
use crate::facade::trouble::{id, said};
use crate::facade::{Detail, DetailResponses, Old};

/// The longest error code, in bytes.
const CODE_BYTES_MAX: usize = 256;

/// What an actor has made of a unit of work.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct SubmitRequest {
    /// The unit.
    #[schema(format = Uuid)]
    pub uow_id: String,
    /// Who holds it.
    #[schema(format = Uuid)]
    pub actor_id: String,
    /// Its attributes; those that have not changed may be left out. `_learned_rule: {key, value}` is
    /// remembered for the actor's next time.
    pub result_attributes: BTreeMap<String, Value>,
    /// Why.
    #[serde(default)]
    pub reasoning: Option<String>,
    /// Of a BETA: what the unit is split into.
    #[serde(default)]
    pub children: Option<Vec<ChildBody>>,
}

/// The same, where the path names the unit.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct CompleteUowRequest {
    /// Who holds it.
    #[schema(format = Uuid)]
    pub actor_id: String,
    /// Its attributes; those that have not changed may be left out.
    #[serde(default)]
    pub result_attributes: BTreeMap<String, Value>,
    /// Why.
    #[serde(default)]
    pub reasoning: Option<String>,
    /// Of a BETA: what the unit is split into.
    #[serde(default)]
    pub children: Option<Vec<ChildBody>>,
}

/// Why an actor gives up.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct FailureRequest {
    /// The unit.
    #[schema(format = Uuid)]
    pub uow_id: String,
    /// Who holds it.
    #[schema(format = Uuid)]
    pub actor_id: String,
    /// A word for programs.
    pub error_code: String,
    /// What happened: a text, or any JSON.
    #[serde(default)]
    pub details: Option<Value>,
}

/// Hands a unit of work on: the policies of the role's pipes say where to.
#[utoipa::path(
    post, path = "/workflow/submit", tag = "facades",
    request_body(content = SubmitRequest),
    responses((status = 200, description = "It is durable", body = DoneBody), DetailResponses)
)]
pub async fn submit(
    State(app): Shared,
    caller: Caller,
    Old(request): Old<SubmitRequest>,
) -> Result<Json<DoneBody>, Detail> {
    let SubmitRequest { uow_id, actor_id, result_attributes, reasoning, children } = request;
    let said = CompleteUowRequest { actor_id, result_attributes, reasoning, children };
    done(&app, &caller, &uow_id, said).await.map(Json)
}

/// The same, where the path names the unit.
#[utoipa::path(
    post, path = "/uows/{uow}/complete", tag = "facades",
    params(("uow" = Uuid, Path, description = "The unit's id")),
    request_body(content = CompleteUowRequest),
    responses((status = 200, description = "It is durable", body = DoneBody), DetailResponses)
)]
pub async fn complete_uow(
    State(app): Shared,
    caller: Caller,
    Named(uow_id): Named<String>,
    Old(request): Old<CompleteUowRequest>,
) -> Result<Json<DoneBody>, Detail> {
    done(&app, &caller, &uow_id, request).await.map(Json)
}

async fn done(
    app: &App,
    caller: &Caller,
    uow_id: &str,
    request: CompleteUowRequest,
) -> Result<DoneBody, Detail> {
    let hold = hold(id("actor_id", &request.actor_id)?);
    let unit_id = unit_of(app, caller, uow_id).await?;
    let reasoning = request.reasoning.filter(|text| !text.trim().is_empty());
    let reasoning = reasoning.map(|text| said("reasoning", &text, TEXT_BYTES_MAX)).transpose()?;
    let children = request.children.unwrap_or_default();
    let outcome = unit_done(app, request.result_attributes, reasoning, children);
    let scope = scope_of(caller);
    match app.engine.complete_task(&scope, unit_id, &hold, outcome).await {
        Ok(()) => Ok(DoneBody::of(format!("the unit of work {unit_id} was submitted"))),
        Err(why) => Err(refusal(app, caller, unit_id, why).await),
    }
}

/// Gives a unit of work up: whoever mends takes it.
#[utoipa::path(
    post, path = "/workflow/failure", tag = "facades",
    request_body(content = FailureRequest),
    responses((status = 200, description = "It is durable", body = DoneBody), DetailResponses)
)]
pub async fn report_failure(
    State(app): Shared,
    caller: Caller,
    Old(request): Old<FailureRequest>,
) -> Result<Json<DoneBody>, Detail> {
    let hold = hold(id("actor_id", &request.actor_id)?);
    let code = said("error_code", &request.error_code, CODE_BYTES_MAX)?;
    let unit_id = unit_of(&app, &caller, &request.uow_id).await?;
    let details = match request.details {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    };
    if details.len() > TEXT_BYTES_MAX {
        let message = format!("at most {TEXT_BYTES_MAX} bytes are possible");
        return Err(Detail::field("details", &message));
    }
    let error = AttemptError::new(Failure::new(code, details), true);
    match app.engine.fail_task(&scope_of(&caller), unit_id, &hold, error).await {
        Ok(()) => Ok(Json(DoneBody::of(format!("the failure of {unit_id} was taken down")))),
        Err(why) => Err(refusal(&app, &caller, unit_id, why).await),
    }
}
