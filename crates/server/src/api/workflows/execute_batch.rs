use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::limits::BATCH_RUN_COUNT_MAX;
use windlass_engine::{NewRun, Workflow};

use super::execute::{ExecuteRequest, input_of};
use crate::access::Caller;
use crate::api::execute::{check_labels, created, new_run};
use crate::api::query::Named;
use crate::api::run::RunBody;
use crate::api::workflow::find;
use crate::app::Shared;
use crate::http::paging::PAGE_BYTES_MAX;
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{Body, ProblemResponses, key};

/// Runs to be created together.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// 1 to 1,000 of them.
    pub runs: Vec<BatchRun>,
}

/// One of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchRun {
    /// The input. `{}` if left out.
    pub input: Option<Value>,
    /// Searchable keys and values, besides those of the definition.
    pub labels: BTreeMap<String, String>,
    /// What the caller calls the run. Unique; the run is found by it.
    pub external_id: Option<String>,
    /// The same key and run give the same run for 7 days, here and under `execute`.
    pub idempotency_key: Option<String>,
}

/// What has become of each, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchBody {
    /// A run or a problem each.
    pub results: Vec<BatchResult>,
}

/// What has become of one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchResult {
    /// It is durable.
    Run(Box<RunBody>),
    /// It was not created; the others were.
    Problem(ProblemBody),
}

/// Runs a workflow's newest version up to 1,000 times, created in one commit.
///
/// Answers 202 once all are durable, with a result for each. Past 8 MiB of inputs and outputs, as
/// runs found by their keys may have, the further ones are null here and whole at their own paths.
#[utoipa::path(
    post, path = "/api/v1/workflows/{workflow}/execute-batch", tag = "workflows",
    params(("workflow" = String, Path, description = "Id or name")),
    request_body(content = BatchRequest),
    responses(
        (status = 202, description = "A result for each", body = BatchBody),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn execute_batch(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<BatchRequest>,
) -> Result<(axum::http::StatusCode, Json<BatchBody>), Problem> {
    let count = request.runs.len();
    if !(1..=BATCH_RUN_COUNT_MAX).contains(&count) {
        let message = format!("{count} runs; 1 to {BATCH_RUN_COUNT_MAX} are possible");
        return Err(Problem::new(problem::INVALID_REQUEST, message));
    }
    let workflow = find(&app, caller.project(), &word).await?;
    let runs: Vec<Result<NewRun, Problem>> =
        request.runs.into_iter().map(|run| prepare(&workflow, run)).collect();
    let mut good: Vec<NewRun> = runs.iter().filter_map(|run| run.as_ref().ok().cloned()).collect();
    good.iter_mut().for_each(|run| run.by = Some(caller.name().to_owned()));
    let mut submitted = app.engine.submit(caller.project(), good, false).into_iter();
    let (mut results, mut weight) = (Vec::with_capacity(count), 0_usize);
    for run in runs {
        let result = match (run, &mut submitted) {
            (Err(problem), _) => Err(problem),
            (Ok(run), submitted) => match submitted.next() {
                Some(mut submitted) => {
                    let hash = run.key.map(|key| key.request_hash);
                    created(&app, caller.project(), submitted.answer().await, hash.as_deref()).await
                }
                None => Err(Problem::new(problem::INTERNAL, "a run was not handed over")),
            },
        };
        results.push(match result {
            Ok(mut run) => {
                weight = weight.saturating_add(run.weight());
                if weight > PAGE_BYTES_MAX {
                    (run.input, run.output) = (Value::Null, None);
                }
                BatchResult::Run(Box::new(run))
            }
            Err(problem) => BatchResult::Problem(problem.body()),
        });
    }
    Ok((axum::http::StatusCode::ACCEPTED, Json(BatchBody { results })))
}

fn prepare(workflow: &Workflow, run: BatchRun) -> Result<NewRun, Problem> {
    check_labels(&run.labels)?;
    for (name, text) in
        [("external_id", &run.external_id), ("idempotency_key", &run.idempotency_key)]
    {
        if let Some(text) = text {
            key::check(name, text)?;
        }
    }
    let request =
        ExecuteRequest { input: run.input, labels: run.labels, external_id: run.external_id };
    let key = run.idempotency_key.map(|key| {
        // The same content as of a single request, so that both have the same hash.
        let content = serde_json::to_value(&request).unwrap_or_default();
        key::for_execute(workflow.row.workflow_id, key, &content)
    });
    let mut new = new_run(workflow, input_of(request.input), request.labels);
    new.external_id = request.external_id;
    new.key = key;
    Ok(new)
}
