use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::access::Caller;
use crate::api::query::Named;
use crate::api::run::find;
use crate::app::Shared;
use crate::http::ProblemResponses;
use crate::http::problem::{self, Problem};
use crate::run_file::{self, RunFile};

/// What such a file is.
const KIND: &str = "application/vnd.windlass.run+json";

/// A run as one file: definition, input, journal, steps with their outputs, log lines. `windlass
/// open` shows it elsewhere. Secrets are not in it, because they are in no journal.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}/export", tag = "runs",
    params(("run" = String, Path, description = "Id, its last 12 characters, or external id")),
    responses(
        (status = 200, body = RunFile, content_type = "application/vnd.windlass.run+json"),
        (status = 422, description = "`run-too-large`",
         body = problem::ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn export_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, Problem> {
    let row = find(&app, caller.project(), &word).await?;
    let (definitions, now) = (app.engine.definitions().clone(), app.engine.clock().now());
    let name = format!("attachment; filename=\"{}.wfrun\"", row.run_id);
    let read = move |store: &dyn windlass_store::Store| {
        let file = run_file::read(store, &definitions, &row, now)?;
        Ok(file.map(|file| serde_json::to_vec_pretty(&file).unwrap_or_default()))
    };
    let file = app.engine.read(read).await?.ok_or_else(too_large)?;
    Ok(([(header::CONTENT_TYPE, KIND), (header::CONTENT_DISPOSITION, &name)], file).into_response())
}

/// That a journal cannot be taken whole.
pub(crate) fn too_large() -> Problem {
    Problem::new(problem::RUN_TOO_LARGE, "the run's journal has more than 32 MiB")
}
