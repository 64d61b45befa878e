//! What a person can do with a run: stop it, run it again.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use windlass_engine::shard::{Answer, Command};

use super::error::PageProblem;
use crate::api::execute::{execute, refusal};
use crate::api::query::Named;
use crate::api::run::find;
use crate::api::runs::rerun::{RerunRequest, repeat};
use crate::app::{App, Shared};

pub(super) async fn cancel(
    State(app): Shared,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    let reason = Some("from the run's page".to_owned());
    stop(&app, &word, Command::Cancel { reason }).await
}

pub(super) async fn terminate(
    State(app): Shared,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    let reason = Some("from the run's page".to_owned());
    stop(&app, &word, Command::Terminate { reason }).await
}

async fn stop(app: &App, word: &str, command: Command) -> Result<Response, PageProblem> {
    let run_id = find(app, word).await?.run_id;
    match app.engine.command(run_id, command).await {
        Answer::Run(_) => Ok(Redirect::to(&format!("/runs/{run_id}")).into_response()),
        other => Err(refusal(other).into()),
    }
}

pub(super) async fn rerun(
    State(app): Shared,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    let row = find(&app, &word).await?;
    let run = repeat(&app, row, RerunRequest::default()).await?;
    let run = execute(&app, run, None).await?;
    Ok(Redirect::to(&format!("/runs/{}", run.id)).into_response())
}
