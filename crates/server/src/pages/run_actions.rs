//! What a person can do with a run: stop it, settle a step, run it again.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use windlass_core::run::Mark;
use windlass_engine::shard::{Answer, Command};

use super::error::PageProblem;
use crate::access::Caller;
use crate::api::execute::{execute, refusal};
use crate::api::query::{Named, unreadable};
use crate::api::run::find;
use crate::api::runs::mark::MarkStatus;
use crate::api::runs::rerun::{RerunRequest, repeat};
use crate::app::{App, Shared};
use crate::http::problem::Problem;

pub(super) async fn cancel(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    let reason = Some("from the run's page".to_owned());
    let command = Command::Cancel { by: caller.name().to_owned(), reason };
    tell(&app, &caller, &word, command).await
}

pub(super) async fn terminate(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    let reason = Some("from the run's page".to_owned());
    let command = Command::Terminate { by: caller.name().to_owned(), reason };
    tell(&app, &caller, &word, command).await
}

pub(super) async fn pause(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    let command = Command::Pause { by: caller.name().to_owned(), reason: None };
    tell(&app, &caller, &word, command).await
}

pub(super) async fn resume(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    let command = Command::Resume { by: caller.name().to_owned(), reason: None };
    tell(&app, &caller, &word, command).await
}

async fn tell(
    app: &App,
    caller: &Caller,
    word: &str,
    command: Command,
) -> Result<Response, PageProblem> {
    let run_id = find(app, caller.project(), word).await?.run_id;
    match app.engine.command(run_id, command).await {
        Answer::Run(_) => Ok(Redirect::to(&format!("/runs/{run_id}")).into_response()),
        other => Err(refusal(other).into()),
    }
}

/// Where a run begins that repeats another one.
#[derive(Deserialize)]
pub(super) struct Again {
    /// The step, or `failed`; from the start if left out.
    from: Option<String>,
}

pub(super) async fn rerun(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    again: Result<Form<Again>, FormRejection>,
) -> Result<Response, PageProblem> {
    let Form(again) = again.map_err(|error| unreadable(&error.body_text()))?;
    let row = find(&app, caller.project(), &word).await?;
    let request = RerunRequest { from: again.from, ..RerunRequest::default() };
    let run = repeat(&app, row, request).await?;
    let run = execute(&app, &caller, run, None).await?;
    Ok(Redirect::to(&format!("/runs/{}", run.id)).into_response())
}

/// What a person says of a step whose outcome nobody knows.
#[derive(Deserialize)]
pub(super) struct Said {
    step: String,
    status: MarkStatus,
    #[serde(default)]
    output: String,
}

pub(super) async fn mark(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    said: Result<Form<Said>, FormRejection>,
) -> Result<Response, PageProblem> {
    let Form(said) = said.map_err(|error| unreadable(&error.body_text()))?;
    let mark = match said.status {
        MarkStatus::Skipped => Mark::Skipped,
        MarkStatus::Succeeded if said.output.trim().is_empty() => Mark::Succeeded(Arc::default()),
        MarkStatus::Succeeded => {
            let output = serde_json::from_str(&said.output);
            let output = output.map_err(|error| Problem::parameter("output", error.to_string()))?;
            Mark::Succeeded(Arc::new(output))
        }
    };
    let command =
        Command::Mark { path: said.step, mark, by: caller.name().to_owned(), reason: None };
    tell(&app, &caller, &word, command).await
}
