use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use windlass_core::{Finding, source, template};
use windlass_store::Deployed;

use crate::access::Caller;
use crate::api::template::{TemplateDetail, detail, find, none};
use crate::api::workflows::deploy::text_of;
use crate::app::{App, Shared};
use crate::http::ProblemResponses;
use crate::http::etag;
use crate::http::problem::{self, Problem, ProblemBody};

/// Imports a template, in YAML or JSON. A new name or changed content is a new version (201); the
/// same content changes nothing (200). Everything that is wrong is said at once, and then nothing is
/// imported. Instances of earlier versions stay as they are.
#[utoipa::path(
    post, path = "/api/v1/templates", tag = "templates",
    params(
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the expected version"),
        ("If-None-Match" = Option<String>, Header, description = "If given, it must be a new one"),
    ),
    request_body(
        content((String = "application/yaml"), (Object = "application/json")),
        description = "The template"
    ),
    responses(
        (status = 201, description = "It is a new version", body = TemplateDetail),
        (status = 200, description = "The newest version says the same", body = TemplateDetail),
        (status = 412, description = "Another version is the newest: `version-mismatch`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "It has errors, or is no template: `invalid-definition`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn import_template(
    State(app): Shared,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let text = text_of(&app, request).await?;
    let expected = expected(&app, &caller, &headers, &text).await?;
    let (checked, deployed) = app.engine.deploy(caller.project(), text, expected).await?;
    let Some(deployed) = deployed else {
        let is_readable = checked.document.is_some();
        let code = if is_readable { problem::INVALID_DEFINITION } else { problem::BAD_DOCUMENT };
        return Err(Problem::findings(code, checked.findings));
    };
    let (status, row) = match deployed {
        Deployed::New(row) => (StatusCode::CREATED, row),
        Deployed::Same(row) => (StatusCode::OK, row),
        Deployed::VersionMismatch { current } => {
            let message = format!("the newest version is {current} by now");
            return Err(Problem::new(problem::VERSION_MISMATCH, message));
        }
    };
    let word = row.workflow_id.to_string();
    let found = find(&app, caller.project(), &word, Some(row.version)).await?;
    let body = detail(&app, caller.project(), &found, checked.findings).await?;
    let tag = etag::header_value(&body.template.etag);
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    let location = HeaderValue::try_from(format!("/api/v1/templates/{word}")).ok();
    headers.extend(location.map(|value| (header::LOCATION, value)));
    headers.insert(header::ETAG, tag);
    Ok(response)
}

/// The version over which it is to be imported, if the request names one.
async fn expected(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    text: &str,
) -> Result<Option<u32>, Problem> {
    // What cannot be read at all is said by whoever checks it.
    let Ok(document) = source::read(text) else { return Ok(None) };
    let document = document.value;
    if !template::is_template(&document) {
        let message = "this is no template: a template has `roles` and `interactions`";
        let finding = Finding::error("not-a-template", "", message);
        let finding = finding.hint("a graph of steps is deployed at `/api/v1/workflows`");
        return Err(Problem::findings(problem::INVALID_DEFINITION, vec![finding]));
    }
    let (has_match, must_be_new) =
        (headers.contains_key(header::IF_MATCH), headers.contains_key(header::IF_NONE_MATCH));
    if !has_match && !must_be_new {
        return Ok(None);
    }
    let name = document.pointer("/workflow/name").or_else(|| document.get("name"));
    let Some(name) = name.and_then(|name| name.as_str()) else { return Ok(None) };
    let mismatch = |message: String| Err(Problem::new(problem::VERSION_MISMATCH, message));
    match find(app, caller.project(), name, None).await {
        Ok(_) if must_be_new => mismatch(format!("there is a template `{name:.100}` already")),
        Ok(found) => {
            etag::check_match(headers, &etag::etag(found.row.workflow_id, found.row.version))?;
            Ok(Some(found.row.version))
        }
        Err(problem) if problem.code != problem::TEMPLATE_NOT_FOUND => Err(problem),
        Err(_) if has_match => mismatch(none(name).detail),
        Err(_) => Ok(Some(0)),
    }
}
