//! The form that runs a workflow.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::error::PageProblem;
use super::form::{fields, input_of};
use super::workflow::{Form, show};
use crate::access::Caller;
use crate::api::execute::{execute, new_run};
use crate::api::query::{Named, unreadable};
use crate::api::workflow::find;
use crate::app::Shared;

pub(super) async fn run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Result<axum::Form<Vec<(String, String)>>, axum::extract::rejection::FormRejection>,
) -> Result<Response, PageProblem> {
    let filled = filled.map_err(|error| unreadable(&error.body_text()))?;
    let filled: BTreeMap<String, String> = filled.0.into_iter().collect();
    let workflow = find(&app, caller.project(), &word).await?;
    let schema = workflow.plan.input.as_ref().map(|schema| schema.source());
    let started = match input_of(schema, &filled) {
        Ok(input) => execute(&app, &caller, new_run(&workflow, input, BTreeMap::new()), None).await,
        Err(problem) => Err(problem),
    };
    match started {
        Ok(run) => Ok(Redirect::to(&format!("/runs/{}", run.id)).into_response()),
        // What was typed must not be lost with the refusal.
        Err(problem) => {
            let status = problem.status();
            let fields = fields(schema, Some(&filled));
            let form = Form { fields, refused: Some(problem.into()) };
            let page = show(&app, &caller, workflow.row.clone(), None, Some(form)).await?;
            Ok((status, page).into_response())
        }
    }
}
