use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::run::RunStatus;
use windlass_engine::NewRun;
use windlass_store::{RunFilter, Store};

use crate::access::Caller;
use crate::api::execute::execute;
use crate::api::query::Named;
use crate::api::runs::list::{RunsQuery, filter_of};
use crate::api::runs::rerun::{FAILED, RerunRequest, repeat};
use crate::api::workflow::find_row;
use crate::app::Shared;
use crate::http::problem::Problem;
use crate::http::{Body, ProblemResponses, key};

/// How many runs are resumed at once, if the request says nothing, and at most.
const COUNT_DEFAULT: u32 = 100;
const COUNT_MAX: u32 = 1_000;

/// Which failed runs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RerunFailedRequest {
    /// Only runs created at this time (RFC 3339) or later.
    pub created_after: Option<String>,
    /// Only runs created before this time (RFC 3339).
    pub created_before: Option<String>,
    /// Only runs with these labels: `key=value`, with commas between them.
    pub label: Option<String>,
    /// Only runs with this text in their id, external id, workflow or error, whatever its case.
    pub text: Option<String>,
    /// How many, 1 to 1,000, the newest first. 100 if left out.
    #[schemars(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Repeats them from the start and reuses nothing.
    pub from_start: bool,
}

/// What has become of a failed run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Resumed {
    /// The run that has failed.
    pub run_id: Uuid,
    /// The run that goes on in its stead.
    pub resumed_as: Option<Uuid>,
    /// Why there is none.
    pub error: Option<String>,
}

/// What has become of all of them.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ResumedBody {
    /// One for each, the newest first.
    pub items: Vec<Resumed>,
    /// Whether there are more. A run that was resumed before is not resumed again.
    pub has_more: bool,
}

/// Resumes failed runs of a workflow: for each a new run, with `rerun_of`, that reuses what has
/// succeeded and begins at what has not. One that was repeated before is left out.
#[utoipa::path(
    post, path = "/api/v1/workflows/{workflow}/rerun-failed", tag = "workflows",
    params(("workflow" = String, Path, description = "Id or name")),
    request_body(content = RerunFailedRequest),
    responses((status = 200, body = ResumedBody), ProblemResponses)
)]
pub async fn rerun_failed(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<RerunFailedRequest>,
) -> Result<Json<ResumedBody>, Problem> {
    let limit = request.limit.unwrap_or(COUNT_DEFAULT);
    if !(1..=COUNT_MAX).contains(&limit) {
        let message = format!("`limit` is 1 to {COUNT_MAX}");
        return Err(Problem::parameter("limit", message).in_body());
    }
    let workflow = find_row(&app, caller.project(), &word).await?;
    let query = RunsQuery {
        label: request.label,
        created_after: request.created_after,
        created_before: request.created_before,
        text: request.text,
        ..RunsQuery::default()
    };
    let filter = RunFilter {
        statuses: vec![RunStatus::Failed],
        workflow_id: Some(workflow.workflow_id),
        is_unrepeated: true,
        look_at_most: None,
        ..filter_of(&query).map_err(Problem::in_body)?
    };
    let project = caller.project().to_owned();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let look = move |store: &dyn Store| store.runs(&project, &filter, None, limit);
    let failed = app.engine.read(look).await?;
    let mut items = Vec::new();
    for row in failed.items {
        let run_id = row.run_id;
        let from = (!request.from_start).then(|| FAILED.to_owned());
        let again = RerunRequest { from, ..RerunRequest::default() };
        let key = key::for_rerun_failed(run_id);
        let begun = match repeat(&app, row, again).await {
            Ok(run) => execute(&app, &caller, NewRun { key: Some(key), ..run }, None).await,
            Err(problem) => Err(problem),
        };
        items.push(match begun {
            Ok(run) => Resumed { run_id, resumed_as: Some(run.id), error: None },
            Err(problem) => Resumed { run_id, resumed_as: None, error: Some(problem.detail) },
        });
    }
    Ok(Json(ResumedBody { items, has_more: failed.next.is_some() }))
}
