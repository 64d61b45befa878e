//! `/runs/{id}`: one run, with its graph, steps and log lines, live.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use windlass_store::{LogFilter, RunRow, Store};

use super::drawer::{self, Drawer};
use super::error::PageProblem;
use super::render::{Me, page_for};
use super::run_at::{self, Place};
use super::run_view::{Head, LINES_SHOWN, Line, StepRowView, Wanted, read};
use super::timeline::Timeline;
use super::unit_rows::UnitLine;
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::api::step::StepPlace;
use crate::api::why::WhyBody;
use crate::app::{App, Shared};
use crate::client::segment;
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
    pub(super) at: Option<u64>,
    /// The step whose drawer is open.
    pub(super) step: Option<String>,
}

impl Query {
    /// The event at which the run is looked at; `None` for now. What a file has does not go on: it is
    /// looked at, at its end unless somebody says where.
    pub(super) fn at(&self, app: &App, row: &RunRow) -> Option<u64> {
        self.at.or_else(|| app.is_file.then_some(row.last_seq))
    }

    /// The address of the page without its drawer.
    pub(super) fn without_step(&self, run_id: Uuid) -> String {
        let at = self.at.map(|at| format!("at={at}"));
        let steps = self.steps.as_ref().map(|steps| format!("steps={}", segment(steps)));
        let kept: Vec<String> = at.into_iter().chain(steps).collect();
        match kept.as_slice() {
            [] => format!("/runs/{run_id}"),
            kept => format!("/runs/{run_id}?{}", kept.join("&")),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Context {
    pub(super) nav: &'static str,
    pub(super) title: String,
    pub(super) run: Head,
    pub(super) graph: String,
    pub(super) timeline: Timeline,
    pub(super) why: Option<WhyBody>,
    pub(super) steps: Vec<StepRowView>,
    pub(super) units: Vec<UnitLine>,
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
    /// The step that is open.
    pub(super) drawer: Option<Drawer>,
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let row = find(&app, caller.project(), &word).await?;
    if let Some(at) = query.at(&app, &row) {
        return run_at::page(&app, &caller, row, query, at).await;
    }
    let place: Option<StepPlace> = place(query.steps.as_deref())?;
    let (run_id, now) = (row.run_id, app.engine.clock().now());
    let wanted = Wanted { run_id, place, now, here: query.without_step(run_id) };
    let (definitions, logs) = (app.engine.definitions().clone(), query.logs);
    let look = move |store: &dyn Store| {
        let Some(shown) = read(store, &definitions, &wanted)? else { return Ok(None) };
        let last = u64::try_from(LINES_SHOWN).unwrap_or(u64::MAX);
        let after = logs.unwrap_or_else(|| shown.log_seq.saturating_sub(last));
        let lines = store.logs(run_id, after, &LogFilter::default(), LINES_SHOWN)?;
        Ok(Some((shown, lines, after)))
    };
    let found = app.engine.read(look).await?;
    let (shown, lines, after) = found.ok_or_else(|| Problem::no_run(&word))?;
    let drawer = drawer::now(&app, row, &query).await?;
    let is_over = shown.head.is_over;
    let why = if is_over { None } else { why(&app, &shown.row).await };
    let live = (!is_over).then(|| {
        let steps = query.steps.as_ref();
        let steps = steps.map(|steps| format!("&steps={}", segment(steps))).unwrap_or_default();
        let (seq, log_seq) = (shown.row.last_seq, shown.log_seq);
        format!("/runs/{run_id}/live?after={seq}&logs={log_seq}{steps}")
    });
    let window = u64::try_from(LINES_SHOWN).unwrap_or(u64::MAX);
    let last_line = lines.items.last().map(|line| line.log_seq);
    let context = Context {
        nav: "runs",
        title: format!("{} · {}", shown.head.workflow, shown.head.short_id),
        run: shown.head,
        graph: shown.graph,
        timeline: shown.timeline,
        why,
        steps: shown.steps,
        units: shown.units,
        steps_next: shown.next.map(|next| cursor(&next)),
        is_first_page: place.is_none(),
        lines_before: (after > 0).then(|| after.saturating_sub(window)),
        lines_after: last_line.filter(|_| lines.has_more),
        lines: lines.items.into_iter().map(Line::from).collect(),
        live,
        place: None,
        keep: String::new(),
        drawer,
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
