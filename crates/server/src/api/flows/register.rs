use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use windlass_core::{Finding, source};
use windlass_store::Deployed;

use super::get::find;
use crate::access::Caller;
use crate::api::flow::FlowDetail;
use crate::api::workflows::deploy::text_of;
use crate::app::Shared;
use crate::http::ProblemResponses;
use crate::http::problem::{self, Problem, ProblemBody};

/// Says what a flow is, before or after its first run: `flow_key`, `name`, `description`, `owner`,
/// `tags`, `metadata`, and what the library's `describe` says (`nodes` with `id`, `task`, `upstream`,
/// and `dynamic_fanouts`). Other content than before is a new version (201); the same changes nothing
/// (200).
#[utoipa::path(
    post, path = "/api/v1/flows", tag = "events",
    request_body(
        content((Object = "application/json"), (String = "application/yaml")),
        description = "The flow"
    ),
    responses(
        (status = 201, description = "It is a new version", body = FlowDetail),
        (status = 200, description = "The newest version says the same", body = FlowDetail),
        (status = 422, description = "It has errors: `invalid-definition`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn register_flow(
    State(app): Shared,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let text = text_of(&app, request).await?;
    let document = source::read(&text)
        .map_err(|finding| Problem::findings(problem::BAD_DOCUMENT, vec![finding]))?;
    let document = described(document.value)?;
    let project = caller.project();
    let (checked, deployed) = app.engine.deploy(project, document.to_string(), None).await?;
    let status = match deployed {
        Some(Deployed::New(_)) => StatusCode::CREATED,
        Some(Deployed::Same(_)) => StatusCode::OK,
        Some(Deployed::VersionMismatch { .. }) | None => {
            return Err(Problem::findings(problem::INVALID_DEFINITION, checked.findings));
        }
    };
    let key = document["flow"].as_str().unwrap_or_default();
    let body = find(&app, project, key).await?;
    let path = utf8_percent_encode(key, NON_ALPHANUMERIC);
    let location = HeaderValue::try_from(format!("/api/v1/flows/{path}")).ok();
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().extend(location.map(|value| (header::LOCATION, value)));
    Ok(response)
}

/// The flow as a definition. Where there is a `flow_key`, `flow` is only a name.
fn described(document: Value) -> Result<Value, Problem> {
    let no_flow = |message: &str| {
        let finding = Finding::error("bad-flow", "", message);
        Problem::findings(problem::INVALID_DEFINITION, vec![finding])
    };
    let Value::Object(mut fields) = document else {
        return Err(no_flow("a flow is an object with a `flow_key`"));
    };
    if let Some(key) = fields.shift_remove("flow_key") {
        let name = fields.insert("flow".to_owned(), key);
        if let Some(name) = name
            && !fields.contains_key("name")
        {
            fields.insert("name".to_owned(), name);
        }
    }
    if !fields.get("flow").is_some_and(Value::is_string) {
        return Err(no_flow("there is no `flow_key`, or it is no text"));
    }
    // They follow from the lists.
    for counted in ["count", "dynamic_count"] {
        fields.shift_remove(counted);
    }
    Ok(Value::Object(fields))
}
