//! `/runs/{run}/approvals/{step}`: what a step asks, and the form to decide it. Its address is the link
//! to send to whoever has to decide.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Serialize;
use windlass_core::run::{Decision, Verdict};
use windlass_engine::shard::{Answer, Command};
use windlass_store::RunRow;

use super::approvals::{address, moment_of};
use super::error::PageProblem;
use super::form::{Field, fields, input_of};
use super::render::{Me, Moment, page_for};
use super::subject::{Row, subject_of};
use super::workflow::Told;
use crate::access::Caller;
use crate::api::approval::{ApprovalBody, asked, vote};
use crate::api::execute::refusal;
use crate::api::query::{Named, unreadable};
use crate::api::run::find;
use crate::app::{App, Shared};
use crate::http::problem::{self, Problem};

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: String,
    run_id: String,
    workflow: String,
    approvers: String,
    since: Option<Moment>,
    deadline: Option<Moment>,
    /// What is approved, field by field, or as a whole.
    rows: Vec<Row>,
    subject: Option<String>,
    fields: Vec<Field>,
    comment: String,
    problem: Option<Told>,
    approval: ApprovalBody,
}

/// What was filled in, and what was wrong with it.
#[derive(Default)]
struct Filled {
    fields: Option<BTreeMap<String, String>>,
    problem: Option<Problem>,
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Named((word, step)): Named<(String, String)>,
) -> Result<Response, PageProblem> {
    let row = find(&app, caller.project(), &word).await?;
    show(&app, &caller, row, step, Filled::default()).await
}

async fn show(
    app: &App,
    caller: &Caller,
    row: RunRow,
    step: String,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let approval = match asked(app, row.run_id, step.clone()).await {
        Ok(approval) => approval,
        // It is decided: the run's page says how.
        Err(problem) if problem.code == problem::WRONG_STATE => {
            let page = format!("/runs/{}?step={}", row.run_id, crate::client::segment(&step));
            return Ok(Redirect::to(&page).into_response());
        }
        Err(problem) => return Err(problem.into()),
    };
    let fields = match &approval.form {
        None => Vec::new(),
        schema => fields(schema.as_ref(), filled.fields.as_ref()),
    };
    let (rows, subject) = subject_of(&approval.subject);
    let status = filled.problem.as_ref().map(Problem::status);
    let comment = filled.fields.and_then(|mut filled| filled.remove("comment"));
    let context = Context {
        nav: "approvals",
        title: approval.title.clone(),
        run_id: row.run_id.to_string(),
        workflow: row.workflow,
        approvers: approval.approvers.join(", "),
        since: moment_of(&approval.since),
        deadline: approval.deadline.as_deref().and_then(moment_of),
        rows,
        subject,
        fields,
        comment: comment.unwrap_or_default(),
        problem: filled.problem.map(Told::from),
        approval,
    };
    let page = page_for("approval.html", &Me::of(app, caller), context);
    Ok(match status {
        None => page.into_response(),
        Some(status) => (status, page).into_response(),
    })
}

pub(super) async fn decide(
    State(app): Shared,
    caller: Caller,
    Named((word, path)): Named<(String, String)>,
    filled: Result<axum::Form<Vec<(String, String)>>, FormRejection>,
) -> Result<Response, PageProblem> {
    let filled = filled.map_err(|error| unreadable(&error.body_text()))?;
    let filled: BTreeMap<String, String> = filled.0.into_iter().collect();
    let row = find(&app, caller.project(), &word).await?;
    let approval = asked(&app, row.run_id, path.clone()).await?;
    match told(&app, &caller, &approval, &filled).await {
        Ok(()) => {
            // Where others have to decide too, the page shows what is still missing.
            Ok(Redirect::to(&address(&row.run_id.to_string(), &path)).into_response())
        }
        Err(problem) => {
            let filled = Filled { fields: Some(filled), problem: Some(problem) };
            show(&app, &caller, row, path, filled).await
        }
    }
}

async fn told(
    app: &App,
    caller: &Caller,
    approval: &ApprovalBody,
    filled: &BTreeMap<String, String>,
) -> Result<(), Problem> {
    let verdict = match filled.get("decision").map(String::as_str) {
        Some("approve") => Verdict::Approve,
        Some("reject") => Verdict::Reject,
        _ => return Err(Problem::parameter("decision", "`approve` or `reject` is expected")),
    };
    let form = match &approval.form {
        None => None,
        // Who rejects need not fill it in.
        Some(schema) => match input_of(Some(schema), filled) {
            Ok(form) => Some(form),
            Err(_) if verdict == Verdict::Reject => None,
            Err(problem) => return Err(problem),
        },
    };
    let comment = filled.get("comment").filter(|comment| !comment.trim().is_empty());
    let comment = comment.map(|comment| comment.chars().take(1_000).collect());
    let decision = Decision { by: String::new(), verdict, form, comment };
    let vote = vote(caller, decision, filled.get("hash").cloned());
    let command = Command::Vote { path: approval.step.clone(), vote };
    match app.engine.command(approval.run_id, command).await {
        Answer::Run(_) => Ok(()),
        other => Err(refusal(other)),
    }
}
