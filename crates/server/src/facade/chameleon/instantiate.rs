use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::limits::LABEL_BYTES_MAX;
use windlass_core::run::UnitTerms;
use windlass_core::run::token::check_attributes;

use super::TEXT_BYTES_MAX;
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::{App, Shared};
use crate::facade::trouble::said;
use crate::facade::{Detail, DetailResponses, Old};
use crate::http::Problem;
use crate::units::create::{WantedInstance, WantedUnit, add_unit, instantiate};

/// Which template, and what to begin with.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct InstantiateRequest {
    /// The template, by id or name.
    pub template_id: String,
    /// The attributes of the first unit of work.
    pub initial_context: Map<String, Value>,
    /// What people call the instance; `Instance_` and the template's name, if nothing is said.
    #[serde(default)]
    pub instance_name: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub instance_description: Option<String>,
}

/// What to begin with.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(default)]
pub struct FromTemplateRequest {
    /// The attributes of the first unit of work.
    pub initial_context: Map<String, Value>,
    /// What people call the instance.
    pub instance_name: Option<String>,
    /// What it is for.
    pub instance_description: Option<String>,
}

/// The instance.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstantiatedBody {
    /// Its id.
    pub workflow_id: Uuid,
    /// In words.
    pub message: String,
}

/// Makes an instance of a template, with its first unit of work at the end of ALPHA's pipe.
#[utoipa::path(
    post, path = "/workflow/instantiate", tag = "facades",
    request_body(content = InstantiateRequest),
    responses((status = 200, body = InstantiatedBody), DetailResponses)
)]
pub async fn instantiate_workflow(
    State(app): Shared,
    caller: Caller,
    Old(request): Old<InstantiateRequest>,
) -> Result<Json<InstantiatedBody>, Detail> {
    begin(&app, &caller, request).await.map(Json)
}

/// The same, by the template's name.
#[utoipa::path(
    post, path = "/workflows/from-template/{template}", tag = "facades",
    params(("template" = String, Path, description = "Name or id")),
    request_body(content = FromTemplateRequest),
    responses((status = 200, body = InstantiatedBody), DetailResponses)
)]
pub async fn from_template(
    State(app): Shared,
    caller: Caller,
    Named(template_id): Named<String>,
    Old(request): Old<FromTemplateRequest>,
) -> Result<Json<InstantiatedBody>, Detail> {
    let FromTemplateRequest { initial_context, instance_name, instance_description } = request;
    let request =
        InstantiateRequest { template_id, initial_context, instance_name, instance_description };
    begin(&app, &caller, request).await.map(Json)
}

/// Refuses attributes that no unit may have.
fn check(attributes: &Map<String, Value>) -> Result<(), Problem> {
    let all: Vec<(&String, &Value)> = attributes.iter().collect();
    Ok(check_attributes(all.into_iter())?)
}

async fn begin(
    app: &App,
    caller: &Caller,
    request: InstantiateRequest,
) -> Result<InstantiatedBody, Detail> {
    let name = request.instance_name;
    let name = name.map(|name| said("instance_name", &name, LABEL_BYTES_MAX)).transpose()?;
    let description = request.instance_description.filter(|text| !text.trim().is_empty());
    let description =
        description.map(|text| said("instance_description", &text, TEXT_BYTES_MAX)).transpose()?;
    let attributes = request.initial_context;
    // What cannot be kept must not leave an instance without its unit.
    check(&attributes)?;
    let template = said("template_id", &request.template_id, LABEL_BYTES_MAX)?;
    let wanted = WantedInstance { template, name, description, ..WantedInstance::default() };
    let instance = instantiate(app, caller, wanted).await?;
    let unit = WantedUnit { attributes, terms: UnitTerms::default(), ..WantedUnit::default() };
    if let Err(problem) = add_unit(app, caller, &instance, unit).await {
        // Nobody is told of an instance without its unit, so nobody could use it.
        let (id, why) = (instance.id().to_string(), "its first unit could not be added");
        let status = windlass_store::InstanceStatus::Archived;
        let _ = crate::units::status::set(app, caller, &id, status, Some(why.to_owned())).await;
        return Err(problem.into());
    }
    let message =
        format!("`{}` was made of the template `{}`", instance.row.name, instance.row.template);
    Ok(InstantiatedBody { workflow_id: instance.id(), message })
}
