//! Parts of a run's page, anew whenever they have changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;
use windlass_store::StoreError;

use super::error::PageProblem;
use super::live::{COLLECT, Part, Sender, stream};
use super::render::{For, Me, render};
use super::run::why;
use super::run_view::{LINES_SHOWN, Line, Shown, read};
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::api::step::StepPlace;
use crate::api::why::WhyBody;
use crate::app::{App, Shared};
use crate::follow::Follower;
use crate::http::paging::place;

/// What the reader has.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Query {
    /// The number of the last event that is in the page.
    after: u64,
    /// The number of the last log line in it.
    logs: u64,
    /// Where the page of steps begins.
    steps: Option<String>,
}

pub(super) async fn live(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let from: Option<StepPlace> = place(query.steps.as_deref())?;
    let row = find(&app, caller.project(), &word).await?;
    if row.status.is_terminal() && query.after >= row.last_seq {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let (sender, response) = stream();
    let follower = Follower::new(app.clone(), row.run_id);
    let follower = follower.after(query.after).with_logs_after(query.logs);
    tokio::spawn(async move {
        let _count = app.metrics.stream();
        let is_left = sender.closed();
        tokio::select! {
            result = follow(&app, &caller, row.run_id, from, follower, sender) => {
                if let Err(error) = result {
                    tracing::warn!(%error, "a live page had to be given up");
                }
            }
            () = is_left => {}
            () = app.gate.until_out(&caller) => {}
        }
    });
    Ok(response)
}

async fn follow(
    app: &Arc<App>,
    caller: &Caller,
    run_id: Uuid,
    from: Option<StepPlace>,
    mut follower: Follower,
    mut sender: Sender,
) -> Result<(), StoreError> {
    let me = Me::of(app, caller);
    let mut is_over = false;
    while !is_over {
        let mut lines = Vec::new();
        let Some(first) = follower.next().await? else { break };
        lines.extend(first.logs);
        // What comes in the meantime is shown with it.
        let until = tokio::time::sleep(COLLECT);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => break,
                more = follower.next() => match more? {
                    Some(more) => lines.extend(more.logs),
                    None => {
                        is_over = true;
                        break;
                    }
                },
            }
        }
        let began = Instant::now();
        let (definitions, now) = (app.engine.definitions().clone(), app.engine.clock().now());
        let look =
            move |store: &dyn windlass_store::Store| read(store, &definitions, run_id, from, now);
        let Some(shown) = app.engine.read(look).await? else { break };
        let skipped = lines.len().saturating_sub(LINES_SHOWN);
        let lines = lines.into_iter().skip(skipped).map(Line::from).collect();
        let why = why_now(app, run_id).await?;
        if !sender.send(parts(&me, shown, why, lines)).await {
            return Ok(());
        }
        // A run with very many steps is looked at less often, so that watching it stays cheap.
        tokio::time::sleep(began.elapsed() * 4).await;
    }
    // A page whose server goes down comes back to the next one.
    if follower.is_over() {
        sender.end().await;
    }
    Ok(())
}

/// Why the run does not move; `None` if it is over.
async fn why_now(app: &App, run_id: Uuid) -> Result<Option<WhyBody>, StoreError> {
    let look = move |store: &dyn windlass_store::Store| store.overview(run_id, 0);
    match app.engine.read(look).await? {
        Some(overview) if !overview.row.status.is_terminal() => Ok(why(app, &overview.row).await),
        _ => Ok(None),
    }
}

fn parts(me: &Me, shown: Shown, why: Option<WhyBody>, lines: Vec<Line>) -> Vec<Part> {
    let whole = |id: &str, html: String| Part { id: id.to_owned(), into: None, html };
    let mut parts = vec![
        whole("head", render("parts/run_head.html", about(me, "run", shown.head))),
        whole("why", render("parts/why.html", BTreeMap::from([("why", why)]))),
        whole("graph", render("parts/graph.html", BTreeMap::from([("graph", shown.graph)]))),
    ];
    for step in shown.steps {
        let id = step.key.clone();
        let html = render("parts/step_row.html", about(me, "step", step));
        parts.push(Part { id, into: Some("steps"), html });
    }
    for line in lines {
        let id = format!("line-{}", line.log_seq);
        let html = render("parts/log_line.html", BTreeMap::from([("line", line)]));
        parts.push(Part { id, into: Some("lines"), html });
    }
    parts
}

fn about<'a, T>(me: &'a Me, name: &'static str, what: T) -> For<'a, BTreeMap<&'static str, T>> {
    For { me, context: BTreeMap::from([(name, what)]) }
}
