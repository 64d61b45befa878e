//! What a person can do with a workflow besides running it: hold its runs up.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use windlass_store::Pause;

use super::error::PageProblem;
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::workflow::WorkflowBody;
use crate::api::workflows::pause::set;
use crate::app::Shared;
use crate::client::segment;

pub(super) async fn pause(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    let at = app.engine.clock().now();
    let pause = Pause { at, by: caller.name().to_owned(), reason: None };
    Ok(back(&set(&app, &caller, &word, Some(pause)).await?))
}

pub(super) async fn resume(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    Ok(back(&set(&app, &caller, &word, None).await?))
}

fn back(workflow: &WorkflowBody) -> Response {
    Redirect::to(&format!("/workflows/{}", segment(&workflow.name))).into_response()
}
