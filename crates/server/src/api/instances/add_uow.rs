use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use windlass_core::run::UnitTerms;

use crate::access::Caller;
use crate::api::execute::check_labels;
use crate::api::instance::COUNT_MAX;
use crate::api::query::Named;
use crate::api::unit::UnitBody;
use crate::api::words::{TEXT_MAX, check_place, check_text_if};
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses, key};
use crate::units;
use crate::units::create::{WantedUnit, add_unit};

/// What a unit of work is to be.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UowRequest {
    /// Its attributes: at most 1,000, each of at most 1 MiB.
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
    /// Why it has them.
    #[schema(min_length = 1, max_length = 10_000)]
    pub reasoning: Option<String>,
    /// The higher, the sooner its turn comes, -1000 to 1000. 0 if left out.
    #[schema(minimum = -1000, maximum = 1000)]
    pub priority: Option<i32>,
    /// Units of different keys take turns. At most 256 bytes.
    #[schema(max_length = 256)]
    pub fairness_key: String,
    /// How often it may be taken. As the instance says if left out.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_interactions: Option<u32>,
    /// Searchable keys and values of its run.
    pub labels: BTreeMap<String, String>,
    /// What the caller calls its run. Unique.
    pub external_id: Option<String>,
}

/// Gives an instance a base unit of work. It comes up where ALPHA hands on to.
///
/// With `Idempotency-Key`, the same key and body give the same unit for 7 days; another body is
/// `key-reused`.
#[utoipa::path(
    post, path = "/api/v1/instances/{instance}/uows", tag = "instances",
    params(
        ("instance" = String, Path, description = "Id or name"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes"),
    ),
    request_body(content = UowRequest),
    responses(
        (status = 201, description = "It is durable", body = UnitBody),
        (status = 409, description = "`instance-inactive` or `external-id-taken`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-unit`, `invalid-request` or `key-reused`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn add_uow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    headers: HeaderMap,
    Body(request): Body<UowRequest>,
) -> Result<Response, Problem> {
    check_labels(&request.labels)?;
    check_place(request.priority, &request.fairness_key)?;
    check_text_if("reasoning", request.reasoning.as_deref(), TEXT_MAX)?;
    if request.max_interactions.is_some_and(|most| !(1..=COUNT_MAX).contains(&most)) {
        return Err(Problem::parameter("max_interactions", "it is 1 to 1,000,000").in_body());
    }
    if let Some(external_id) = &request.external_id {
        key::check("external_id", external_id).map_err(Problem::in_body)?;
    }
    let key = key::from_headers(&headers)?;
    let instance = units::instance::find(&app, caller.project(), &word).await?;
    let key = key.map(|key| {
        let content = serde_json::to_value(&request).unwrap_or_default();
        key::for_unit(instance.id(), key, &content)
    });
    let UowRequest { attributes, reasoning, priority, fairness_key, .. } = request;
    let wanted = WantedUnit {
        attributes,
        terms: UnitTerms { reasoning, max_interactions: request.max_interactions, fairness_key },
        priority,
        labels: request.labels,
        external_id: request.external_id,
        key,
    };
    let id = add_unit(&app, &caller, &instance, wanted).await?;
    let row = units::pilot::unit(&app, caller.project(), id).await?;
    let location = HeaderValue::try_from(format!("/api/v1/uows/{id}")).ok();
    let mut response = (StatusCode::CREATED, Json(UnitBody::from(&row))).into_response();
    response.headers_mut().extend(location.map(|value| (header::LOCATION, value)));
    Ok(response)
}
