use axum::Json;
use axum::extract::{Request, State};
use serde::Serialize;
use utoipa::ToSchema;
use windlass_core::definition;

use super::deploy::text_of;
use crate::api::workflow::FindingBody;
use crate::app::Shared;
use crate::http::ProblemResponses;
use crate::http::problem::{self, Problem};

/// What `check` has to say.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckBody {
    /// Whether the definition could be deployed.
    pub ok: bool,
    /// Everything that was found, in the order of the document.
    pub findings: Vec<FindingBody>,
}

/// Checks a definition, in YAML or JSON, without deploying it. Errors are the answer, not a problem.
#[utoipa::path(
    post, path = "/api/v1/workflows/check", tag = "workflows",
    request_body(
        content((String = "application/yaml"), (Object = "application/json")),
        description = "The definition"
    ),
    responses((status = 200, body = CheckBody), ProblemResponses)
)]
pub async fn check_definition(
    State(app): Shared,
    request: Request,
) -> Result<Json<CheckBody>, Problem> {
    let text = text_of(&app, request).await?;
    let definitions = app.engine.definitions().clone();
    let checked =
        tokio::task::spawn_blocking(move || definition::check(&text, definitions.kinds()))
            .await
            .map_err(|error| Problem::new(problem::INTERNAL, error.to_string()))?;
    let ok = checked.is_ok();
    let findings = checked.findings.into_iter().map(FindingBody::from).collect();
    Ok(Json(CheckBody { ok, findings }))
}
