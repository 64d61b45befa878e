//! `/runs/{id}`: one run, with its graph, steps and log lines, live.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use windlass_store::Store;

use super::error::PageProblem;
use super::render::{Me, page_for};
use super::run_view::{Head, LINES_SHOWN, Line, StepRowView, read};
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::api::step::StepPlace;
use crate::app::Shared;
use crate::http::paging::{cursor, place};
use crate::http::problem::Problem;

/// Which steps and lines.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    /// Where the page of steps begins.
    pub(super) steps: Option<String>,
    /// Log lines behind this one; the last ones if left out.
    logs: Option<u64>,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: String,
    run: Head,
    graph: String,
    steps: Vec<StepRowView>,
    steps_next: Option<String>,
    is_first_page: bool,
    lines: Vec<Line>,
    lines_before: Option<u64>,
    lines_after: Option<u64>,
    live: Option<String>,
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let from: Option<StepPlace> = place(query.steps.as_deref())?;
    let row = find(&app, caller.project(), &word).await?;
    let (run_id, now) = (row.run_id, app.engine.clock().now());
    let (definitions, logs) = (app.engine.definitions().clone(), query.logs);
    let look = move |store: &dyn Store| {
        let Some(shown) = read(store, &definitions, run_id, from, now)? else { return Ok(None) };
        let last = u64::try_from(LINES_SHOWN).unwrap_or(u64::MAX);
        let after = logs.unwrap_or_else(|| shown.log_seq.saturating_sub(last));
        let lines = store.logs(run_id, after, None, LINES_SHOWN)?;
        Ok(Some((shown, lines, after)))
    };
    let found = app.engine.read(look).await?;
    let (shown, lines, after) = found.ok_or_else(|| Problem::no_run(&word))?;
    let is_over = shown.head.is_over;
    let live = (!is_over).then(|| {
        let steps = query.steps.map(|steps| format!("&steps={steps}")).unwrap_or_default();
        format!("/runs/{run_id}/live?after={}&logs={}{steps}", shown.seq, shown.log_seq)
    });
    let window = u64::try_from(LINES_SHOWN).unwrap_or(u64::MAX);
    let last_line = lines.items.last().map(|line| line.log_seq);
    let context = Context {
        nav: "runs",
        title: format!("{} · {}", shown.head.workflow, shown.head.short_id),
        run: shown.head,
        graph: shown.graph,
        steps: shown.steps,
        steps_next: shown.next.map(|next| cursor(&next)),
        is_first_page: from.is_none(),
        lines_before: (after > 0).then(|| after.saturating_sub(window)),
        lines_after: last_line.filter(|_| lines.has_more),
        lines: lines.items.into_iter().map(Line::from).collect(),
        live,
    };
    Ok(page_for("run.html", &Me::of(&app, &caller), context).into_response())
}
