//! `/runs/{id}`: one run, with its graph, steps and log lines, live.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use windlass_store::{RunRow, Store};

use super::error::PageProblem;
use super::render::{Me, page_for};
use super::run_at::{self, Place};
use super::run_view::{Head, LINES_SHOWN, Line, StepRowView, read};
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::api::step::StepPlace;
use crate::api::why::WhyBody;
use crate::app::{App, Shared};
use crate::http::paging::{cursor, place};
use crate::http::problem::Problem;

/// Steps that say why they do not move.
const CAUSES_SHOWN: usize = 12;

/// Which steps and lines.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    /// Where the page of steps begins.
    pub(super) steps: Option<String>,
    /// Log lines behind this one; the last ones if left out.
    pub(super) logs: Option<u64>,
    /// As it was at this event of its journal; as it is now if left out.
    at: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Context {
    pub(super) nav: &'static str,
    pub(super) title: String,
    pub(super) run: Head,
    pub(super) graph: String,
    pub(super) why: Option<WhyBody>,
    pub(super) steps: Vec<StepRowView>,
    pub(super) steps_next: Option<String>,
    pub(super) is_first_page: bool,
    pub(super) lines: Vec<Line>,
    pub(super) lines_before: Option<u64>,
    pub(super) lines_after: Option<u64>,
    pub(super) live: Option<String>,
    /// The event at which the run is looked at, if that is not now.
    pub(super) place: Option<Place>,
    /// What links to other parts of this page keep of its query.
    pub(super) keep: String,
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let row = find(&app, caller.project(), &word).await?;
    // What a file has does not go on: it is looked at, at its end unless somebody says where.
    if let Some(at) = query.at.or_else(|| app.is_file.then_some(row.last_seq)) {
        return run_at::page(&app, &caller, row, query, at).await;
    }
    let from: Option<StepPlace> = place(query.steps.as_deref())?;
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
    let why = if is_over { None } else { why(&app, &row).await };
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
        why,
        steps: shown.steps,
        steps_next: shown.next.map(|next| cursor(&next)),
        is_first_page: from.is_none(),
        lines_before: (after > 0).then(|| after.saturating_sub(window)),
        lines_after: last_line.filter(|_| lines.has_more),
        lines: lines.items.into_iter().map(Line::from).collect(),
        live,
        place: None,
        keep: String::new(),
    };
    Ok(page_for("run.html", &Me::of(&app, &caller), context).into_response())
}

/// Why a run does not move; `None` if it cannot be told now.
pub(super) async fn why(app: &App, row: &RunRow) -> Option<WhyBody> {
    let why = app.engine.why(row.run_id, None).await.ok()?;
    let mut why = WhyBody::of(row, why);
    why.has_more |= why.steps.len() > CAUSES_SHOWN;
    why.steps.truncate(CAUSES_SHOWN);
    Some(why)
}
