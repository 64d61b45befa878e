use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::Caller;
use crate::api::instance::{InstanceDetail, SettingsBody};
use crate::api::words::{NAME_MAX, TEXT_MAX, check_text, check_text_if};
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};
use crate::units::create::{WantedInstance, instantiate};

/// What an instance is to be.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceRequest {
    /// The template, by name or id.
    #[schema(min_length = 1, max_length = 200)]
    pub template: String,
    /// Its version; the newest if left out.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub version: Option<u32>,
    /// What people call it; `Instance_` and the template's name if left out.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 10_000)]
    pub description: Option<String>,
    /// What it says of its units.
    #[serde(default)]
    pub settings: Option<SettingsBody>,
}

/// Makes an instance: a copy of a template and of every template that its roles refer to. Later
/// versions of them never touch it.
#[utoipa::path(
    post, path = "/api/v1/instances", tag = "instances",
    request_body(content = InstanceRequest),
    responses(
        (status = 201, description = "It is durable", body = InstanceDetail),
        (status = 422, description = "`invalid-request`, or `invalid-definition` if templates lead \
            into each other for ever",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn create_instance(
    State(app): Shared,
    caller: Caller,
    Body(request): Body<InstanceRequest>,
) -> Result<Response, Problem> {
    let InstanceRequest { template, version, name, description, settings } = request;
    check_text("template", &template, NAME_MAX)?;
    check_text_if("name", name.as_deref(), NAME_MAX)?;
    check_text_if("description", description.as_deref(), TEXT_MAX)?;
    if version == Some(0) {
        return Err(Problem::parameter("version", "versions are counted from 1").in_body());
    }
    let settings = settings.unwrap_or_default().settings()?;
    let wanted = WantedInstance { template, version, name, description, settings };
    let instance = instantiate(&app, &caller, wanted).await?;
    let body = InstanceDetail::of(&instance, Vec::new());
    let location = format!("/api/v1/instances/{}", instance.id());
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    let location = HeaderValue::try_from(location).ok();
    response.headers_mut().extend(location.map(|value| (header::LOCATION, value)));
    Ok(response)
}
