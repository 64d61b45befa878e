use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::http::ProblemResponses;

/// A kind of node, in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct KindSummary {
    /// The word in definitions.
    pub kind: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The plugin whose workers do it; null for those of Windlass's own.
    pub plugin: Option<String>,
}

/// All kinds of node, on one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct KindList {
    /// By name.
    pub items: Vec<KindSummary>,
    /// Always null.
    pub next_cursor: Option<String>,
}

/// The kinds of node that a definition may use.
#[utoipa::path(
    get, path = "/api/v1/nodes", tag = "nodes",
    responses((status = 200, body = KindList), ProblemResponses)
)]
pub async fn list_kinds(State(app): Shared) -> Json<KindList> {
    let summary = |kind: &std::sync::Arc<windlass_core::kinds::Kind>| KindSummary {
        kind: kind.name,
        summary: kind.summary,
        plugin: app.registry.plugin_of(kind.name).map(str::to_owned),
    };
    let items = app.registry.kinds().iter().map(summary).collect();
    Json(KindList { items, next_cursor: None })
}
