use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::query::Named;
use crate::app::Shared;
use crate::http::problem::{self, Problem, ProblemResponses};

/// A kind of node.
#[derive(Debug, Serialize, ToSchema)]
pub struct KindBody {
    /// The word in definitions.
    pub kind: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// What it does, in Markdown.
    pub description: String,
    /// JSON Schema of its `config`.
    pub config_schema: Value,
    /// JSON Schema of its output, if it says what that is.
    pub output_schema: Option<Value>,
    /// The plugin whose workers do it; null for those of Windlass's own.
    pub plugin: Option<String>,
    /// A whole small workflow that uses it, in YAML.
    pub example: &'static str,
}

/// A kind of node: what it does, its config's JSON Schema, an example.
#[utoipa::path(
    get, path = "/api/v1/nodes/{kind}", tag = "nodes",
    params(("kind" = String, Path, description = "Such as `http`")),
    responses((status = 200, body = KindBody), ProblemResponses)
)]
pub async fn get_kind(
    State(app): Shared,
    Named(word): Named<String>,
) -> Result<Json<KindBody>, Problem> {
    let kinds = app.registry.kinds();
    let Some(kind) = kinds.get(&word) else {
        let hint = windlass_core::nearest(&word, kinds.names());
        let hint = hint.unwrap_or_else(|| "`/api/v1/nodes` lists them".to_owned());
        let message = format!("`{word:.60}` is no kind of node; {hint}");
        return Err(Problem::new(problem::KIND_NOT_FOUND, message));
    };
    Ok(Json(KindBody {
        kind: kind.name,
        summary: kind.summary,
        description: kind.description().to_owned(),
        config_schema: kind.schema.source().clone(),
        output_schema: kind.output_schema.as_ref().map(|schema| schema.source().clone()),
        plugin: app.registry.plugin_of(kind.name).map(str::to_owned),
        example: kind.example,
    }))
}
