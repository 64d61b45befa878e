//! `/runs/{id}`: one run, with its graph, steps and log lines, live.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use windlass_store::{LogFilter, LogLevel, RunFilter, RunRow, Store, StoreError};

use super::drawer::{self, Drawer};
use super::error::PageProblem;
use super::marks::Marker;
use super::render::{Me, page_for};
use super::run_at::{self, Place};
use super::run_view::{Head, LINES_SHOWN, Line, StepRowView, Wanted, read};
use super::step_filter::{Choice, StepFilter};
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
    /// Only log lines that are at least this serious.
    pub(super) level: Option<String>,
    /// Only log lines of this step.
    pub(super) of: Option<String>,
    /// Only log lines with these words.
    pub(super) q: Option<String>,
    /// As it was at this event of its journal; as it is now if left out.
    pub(super) at: Option<u64>,
    /// The step whose drawer is open.
    pub(super) step: Option<String>,
    /// Only steps of this status.
    pub(super) status: Option<String>,
}

impl Query {
    /// Which steps are wanted.
    pub(super) fn steps(&self, at: Option<u64>) -> Result<StepFilter, Problem> {
        StepFilter::of(self.status.as_deref(), at)
    }

    /// What says which steps are wanted, to be gone on with.
    pub(super) fn steps_kept(&self) -> String {
        let status = self.status.as_deref().filter(|status| !status.is_empty());
        status.map(|status| format!("status={}&", segment(status))).unwrap_or_default()
    }

    /// What marks the words of the lines that are wanted.
    pub(super) fn marker(&self) -> Marker {
        self.q.as_deref().map(Marker::of).unwrap_or_default()
    }

    /// Which log lines are wanted.
    pub(super) fn lines(&self) -> LogFilter {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        LogFilter {
            path: said(&self.of),
            level: self.level.as_deref().and_then(LogLevel::parse),
            text: said(&self.q),
            ..LogFilter::default()
        }
    }

    /// What of the query says which log lines are wanted.
    pub(super) fn lines_kept(&self) -> String {
        let pairs = [("level", &self.level), ("of", &self.of), ("q", &self.q)];
        let pairs = pairs.into_iter().filter_map(|(name, value)| {
            let value = value.as_deref().filter(|value| !value.trim().is_empty())?;
            Some(format!("{name}={}&", segment(value)))
        });
        pairs.collect()
    }

    /// What says which log lines are shown, and from which one on.
    pub(super) fn log_kept(&self) -> String {
        let logs = self.logs.map(|logs| format!("logs={logs}&")).unwrap_or_default();
        self.lines_kept() + &logs
    }

    /// The event at which the run is looked at; `None` for now. What a file has does not go on: it is
    /// looked at, at its end unless somebody says where.
    pub(super) fn at(&self, app: &App, row: &RunRow) -> Option<u64> {
        self.at.or_else(|| app.is_file.then_some(row.last_seq))
    }

    /// The address of the page without its drawer.
    pub(super) fn without_step(&self, run_id: Uuid) -> String {
        let at = self.at.map(|at| format!("at={at}"));
        let steps = self.steps.as_ref().map(|steps| format!("steps={}", segment(steps)));
        let others = [self.steps_kept(), self.log_kept()];
        let others = others.into_iter().map(|kept| kept.trim_end_matches('&').to_owned());
        let others = others.filter(|kept| !kept.is_empty());
        let kept: Vec<String> = at.into_iter().chain(others).chain(steps).collect();
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
    /// `None` if nobody has described what it would be of.
    pub(super) graph: Option<String>,
    pub(super) timeline: Timeline,
    pub(super) why: Option<WhyBody>,
    pub(super) steps: Vec<StepRowView>,
    /// The ways to steps of one status, and which is shown.
    pub(super) choices: Vec<Choice>,
    pub(super) step_status: String,
    pub(super) units: Vec<UnitLine>,
    pub(super) steps_next: Option<String>,
    pub(super) is_first_page: bool,
    pub(super) lines: Vec<Line>,
    pub(super) wanted_lines: WantedLines,
    pub(super) lines_before: Option<u64>,
    pub(super) lines_after: Option<u64>,
    /// Where it is compared with the run before it, or the one that it repeats.
    pub(super) compare: Option<String>,
    pub(super) live: Option<String>,
    /// The event at which the run is looked at, if that is not now.
    pub(super) place: Option<Place>,
    /// What links to other parts of this page keep of its query.
    pub(super) keep: String,
    /// The step that is open.
    pub(super) drawer: Option<Drawer>,
}

/// Which log lines are shown, as the form says it.
#[derive(Default, Serialize)]
pub(super) struct WantedLines {
    level: String,
    of: String,
    q: String,
    /// The query of it, to be gone on with; empty if all lines are.
    kept: String,
    /// The same, and from which line on.
    kept_place: String,
}

impl WantedLines {
    fn of(query: &Query) -> WantedLines {
        WantedLines {
            level: query.level.clone().unwrap_or_default(),
            of: query.of.clone().unwrap_or_default(),
            q: query.q.clone().unwrap_or_default(),
            kept: query.lines_kept(),
            kept_place: query.log_kept(),
        }
    }
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
    let steps = query.steps(None)?;
    let wanted = Wanted { run_id, place, filter: steps, now, here: query.without_step(run_id) };
    let (definitions, logs) = (app.engine.definitions().clone(), query.logs);
    let (filter, is_all) = (query.lines(), query.lines() == LogFilter::default());
    let look = move |store: &dyn Store| {
        let Some(shown) = read(store, &definitions, &wanted)? else { return Ok(None) };
        let last = u64::try_from(LINES_SHOWN).unwrap_or(u64::MAX);
        // Of some lines the first ones are shown: how far back the last ones go, nobody has counted.
        let newest = if is_all { shown.log_seq.saturating_sub(last) } else { 0 };
        let after = logs.unwrap_or(newest);
        let lines = store.logs(run_id, after, &filter, LINES_SHOWN)?;
        let compare = compared(store, &shown.row)?;
        Ok(Some((shown, lines, after, compare)))
    };
    let found = app.engine.read(look).await?;
    let (shown, lines, after, compare) = found.ok_or_else(|| Problem::no_run(&word))?;
    let drawer = drawer::now(&app, row, &query).await?;
    let is_over = shown.head.is_over;
    let why = if is_over { None } else { why(&app, &shown.row).await };
    let live = (!is_over).then(|| {
        let steps = query.steps.as_ref();
        let steps = steps.map(|steps| format!("&steps={}", segment(steps))).unwrap_or_default();
        let seq = shown.row.last_seq;
        // New lines stand behind the newest, and nowhere else.
        let logs = if lines.has_more { None } else { Some(format!("&logs={}", shown.log_seq)) };
        let logs = logs.unwrap_or_default();
        let window = query.logs.map(|logs| format!("window={logs}&")).unwrap_or_default();
        let kept = format!("{}{}{window}", query.steps_kept(), query.lines_kept());
        let kept = kept.trim_end_matches('&');
        let joint = if kept.is_empty() { "" } else { "&" };
        format!("/runs/{run_id}/live?after={seq}{logs}{steps}{joint}{kept}")
    });
    let window = u64::try_from(LINES_SHOWN).unwrap_or(u64::MAX);
    let marker = query.marker();
    let last_line = lines.items.last().map(|line| line.log_seq);
    let context = Context {
        nav: "runs",
        title: format!("{} · {}", shown.head.workflow, shown.head.short_id),
        run: shown.head,
        graph: shown.graph,
        timeline: shown.timeline,
        why,
        steps: shown.steps,
        choices: shown.choices,
        step_status: query.status.clone().unwrap_or_default(),
        units: shown.units,
        steps_next: shown.next.map(|next| cursor(&next)),
        is_first_page: place.is_none(),
        wanted_lines: WantedLines::of(&query),
        lines_before: (after > 0).then(|| after.saturating_sub(window)),
        lines_after: last_line.filter(|_| lines.has_more),
        lines: lines.items.into_iter().map(|row| Line::from(row).marked(&marker)).collect(),
        compare,
        live,
        place: None,
        keep: query.steps_kept(),
        drawer,
    };
    Ok(page_for("run.html", &Me::of(&app, &caller), context).into_response())
}

/// Where a run is compared with the one that it repeats, else with the one before it of its workflow.
fn compared(store: &dyn Store, row: &RunRow) -> Result<Option<String>, StoreError> {
    let other = match row.rerun_of {
        Some(other) => Some(other),
        None => {
            let filter = RunFilter { workflow_id: Some(row.workflow_id), ..RunFilter::default() };
            let before = store.runs(&row.project, &filter, Some(row.run_id), 1)?;
            before.items.first().map(|before| before.run_id)
        }
    };
    Ok(other.map(|other| format!("/runs/compare?a={other}&b={}", row.run_id)))
}

/// Why a run does not move; `None` if it cannot be told now.
pub(super) async fn why(app: &App, row: &RunRow) -> Option<WhyBody> {
    let why = app.engine.why(row.run_id, None).await.ok()?;
    let mut why = WhyBody::of(row, why);
    why.has_more |= why.steps.len() > CAUSES_SHOWN;
    why.steps.truncate(CAUSES_SHOWN);
    Some(why)
}
