use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;

use super::ingest::{Read, read_and_take};
use crate::access::Caller;
use crate::app::Shared;
use crate::http::problem::ProblemBody;
use crate::http::{Problem, ProblemResponses, body};
use crate::observe::{Taken, lineage};

/// Takes in OpenLineage events: one, a list, or a line each.
///
/// A job's run is a run here, of the flow `namespace/name`. One with a `parent` facet is a task of that
/// one's. Events about jobs and datasets alone are accepted, and say nothing of a run.
#[utoipa::path(
    post, path = "/api/v1/lineage", tag = "events",
    request_body(
        content((Object = "application/json"), (String = "application/x-ndjson")),
        description = "`eventType`, `eventTime`, `run`, `job`, `inputs`, `outputs`, `producer`"
    ),
    responses(
        (status = 200, body = Taken),
        (status = 413, description = "`body-too-large`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn report_lineage(
    State(app): Shared,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<Taken>, Problem> {
    let bytes = body::read(request, &app).await?;
    let read: Read = |index, text, now| lineage::read(index, text, now);
    read_and_take(&app, &caller, headers, bytes, read).await.map(Json)
}
