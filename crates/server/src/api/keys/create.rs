use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use windlass_core::HumanDuration;
use windlass_store::ApiKeyRow;

use crate::access::{Caller, Permission, Role};
use crate::api::key::KeyBody;
use crate::app::Shared;
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// The longest name of a key or project, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// A key that is to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// What people call it; journals and the audit log name its holder by it. 1 to 100 bytes.
    pub name: String,
    /// What its holder is.
    pub role: Role,
    /// What its holder may do of all that the role may. Everything if left out.
    #[serde(default)]
    pub scopes: Option<Vec<Permission>>,
    /// The project it is for. The caller's own if left out; another one takes an admin of `default`.
    #[serde(default)]
    pub project: Option<String>,
    /// How long it is good, such as `30d`. For ever if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub expires_in: Option<HumanDuration>,
}

/// A new key.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewKeyBody {
    /// The key itself, which is shown this once and kept nowhere.
    pub key: String,
    /// What is known of it.
    #[serde(flatten)]
    pub about: KeyBody,
}

/// Makes a key. From the first one on, every caller needs one.
///
/// The answer is the only place that ever has the key, so this does not take an `Idempotency-Key`:
/// if the answer is lost, take the key back and make another.
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "access",
    request_body(content = KeyRequest),
    responses(
        (status = 201, description = "It is good from now on", body = NewKeyBody),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn create_key(
    State(app): Shared,
    caller: Caller,
    Body(request): Body<KeyRequest>,
) -> Result<Response, Problem> {
    let name = word("name", request.name)?;
    let project = match request.project {
        Some(project) => word("project", project)?,
        None => caller.project().to_owned(),
    };
    if project != caller.project() && !caller.principal.is_of_server() {
        let message = format!("`{}` may not make keys for other projects", caller.name());
        return Err(Problem::new(problem::FORBIDDEN, message));
    }
    if let Some(scopes) = &request.scopes {
        let foreign = scopes.iter().find(|scope| !request.role.may(**scope));
        let message = match foreign {
            Some(scope) => {
                format!("the role {} may not {}", request.role.as_str(), scope.as_str())
            }
            None if scopes.is_empty() => "leave it out, or name one at least".to_owned(),
            None => String::new(),
        };
        if !message.is_empty() {
            return Err(Problem::parameter("scopes", message).in_body());
        }
    }
    let scopes = request.scopes.as_ref();
    let may = |permission: Permission| {
        request.role.may(permission) && scopes.is_none_or(|scopes| scopes.contains(&permission))
    };
    // Nobody hands on what they do not have.
    let beyond = Permission::ALL.into_iter().find(|one| may(*one) && !caller.principal.may(*one));
    if let Some(beyond) = beyond {
        let message =
            format!("`{}` may not {}, nor let others do so", caller.name(), beyond.as_str());
        return Err(Problem::new(problem::FORBIDDEN, message));
    }
    let now = app.engine.clock().now();
    let row = ApiKeyRow {
        key_id: windlass_engine::ids::new_id(now),
        project,
        name,
        role: request.role.as_str().to_owned(),
        scopes: scopes.map(|all| all.iter().map(|one| one.as_str().to_owned()).collect()),
        hash: String::new(),
        prefix: String::new(),
        created_at: now,
        created_by: Some(caller.name().to_owned()),
        expires_at: request.expires_in.map(|time| now.plus(time.0)),
        revoked_at: None,
    };
    let (key, row) = app.gate.create(row).await?;
    let location = format!("/api/v1/keys/{}", row.key_id);
    let body = NewKeyBody { key, about: row.into() };
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(location).ok().map(|value| (header::LOCATION, value)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A name that fits on a line.
fn word(field: &str, text: String) -> Result<String, Problem> {
    let is_plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
    match is_plain && text.len() <= NAME_BYTES_MAX {
        true => Ok(text),
        false => {
            let message = format!("1 to {NAME_BYTES_MAX} bytes on one line are possible");
            Err(Problem::parameter(field, message).in_body())
        }
    }
}
