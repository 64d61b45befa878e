use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{StateBody, read, shipped};
use crate::access::Caller;
use crate::api::execute::{execute, new_run};
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses, Old, OldQuery};

/// Which template, in the first form.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct TemplateQuery {
    /// The template: id or name of a workflow. The body is then the parameters.
    pub template_id: Option<String>,
    /// The parameters as JSON text, if they are not the body.
    pub params: Option<String>,
}

/// Which template, in the later form; in the first one the parameters themselves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
pub struct FromTemplateRequest {
    /// The template: id or name of a workflow.
    #[serde(default)]
    pub template_id: Option<String>,
    /// The parameters: the input of the run.
    #[serde(default)]
    pub params: Option<Map<String, Value>>,
    /// In the first form: the parameters.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// Runs a template, which is a workflow. `template_id` in the query: the body has the parameters, and
/// the answer is 200. In the body: beside `params`, and the answer is 201.
#[utoipa::path(
    post, path = "/api/workflows/from-template", tag = "facades",
    params(TemplateQuery),
    request_body(content = FromTemplateRequest),
    responses(
        (status = 200, description = "In the first form", body = StateBody),
        (status = 201, description = "In the later form", body = StateBody),
        DetailResponses
    )
)]
pub async fn start_from_template(
    State(app): Shared,
    caller: Caller,
    OldQuery(query): OldQuery<TemplateQuery>,
    Old(request): Old<FromTemplateRequest>,
) -> Result<(StatusCode, Json<StateBody>), Detail> {
    let (status, template, params) = match query.template_id.filter(|id| !id.is_empty()) {
        Some(template) => {
            let params = match query.params.as_deref().filter(|text| !text.is_empty()) {
                Some(text) => serde_json::from_str(text)
                    .map_err(|error| Detail::field("params", &format!("an object: {error}")))?,
                None => request.params.unwrap_or(request.fields),
            };
            (StatusCode::OK, template, params)
        }
        None => {
            let template = request.template_id.filter(|id| !id.is_empty());
            let template = template.ok_or_else(|| Detail::field("template_id", "it is missing"))?;
            (StatusCode::CREATED, template, request.params.unwrap_or_default())
        }
    };
    let workflow = shipped::find_or_deploy(&app, &caller, &template).await?;
    let run = new_run(&workflow, Value::Object(params), BTreeMap::new());
    let run = execute(&app, &caller, run, None).await?;
    Ok((status, Json(read(&app, &caller, &run.id.to_string()).await?)))
}
