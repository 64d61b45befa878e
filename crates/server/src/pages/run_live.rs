//! Parts of a run's page, anew whenever they have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;
use windlass_core::run::path;
use windlass_store::{LogFilter, LogRow, Store, StoreError};

use super::conversation::last_words;
use super::drawer;
use super::error::PageProblem;
use super::live::{COLLECT, Part, Sender, stream, whole};
use super::render::{For, Me, render};
use super::run::{self, why};
use super::run_view::{Line, Shown, Wanted, read};
use super::step_filter::StepFilter;
use super::timeline::Span;
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::api::step::StepPlace;
use crate::app::{App, Shared};
use crate::follow::{Follower, Portion};
use crate::http::paging::place;

/// What the reader has.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Query {
    /// The number of the last event that is in the page.
    after: u64,
    /// The number of the last log line in it; left out if the page ends before the newest line, so that
    /// none would stand where it belongs.
    logs: Option<u64>,
    /// Where the page of steps begins.
    steps: Option<String>,
    /// The step whose drawer is open.
    step: Option<String>,
    /// Which log lines are wanted, as the page says it.
    level: Option<String>,
    of: Option<String>,
    q: Option<String>,
    /// Only steps of this status.
    status: Option<String>,
    /// Behind which log line those of the page begin, if its address says so: ways to steps keep it.
    window: Option<u64>,
}

/// Log lines that are told of at once.
const LINES_MAX: usize = 2_000;

/// A page is made anew that often even if nothing happens, so that the bars of its timeline grow: the
/// longer a run has gone, the less often.
const TICK_MIN: Duration = Duration::from_secs(1);
const TICK_MAX: Duration = Duration::from_secs(60);

pub(super) async fn live(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let place: Option<StepPlace> = place(query.steps.as_deref())?;
    let row = find(&app, caller.project(), &word).await?;
    if row.status.is_terminal() && query.after >= row.last_seq {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let (sender, response) = stream();
    let follower = Follower::new(app.clone(), row.run_id);
    let mut follower = follower.after(query.after).with_live();
    if let Some(log_seq) = query.logs {
        follower = follower.with_logs_after(log_seq);
    }
    let Query { steps, step, level, of, q, status, window, .. } = query;
    let page =
        run::Query { steps, step, level, of, q, status, logs: window, ..run::Query::default() };
    let filter = page.steps(None)?;
    let watched =
        Watched { run_id: row.run_id, place, filter, page, log_seq: query.logs.unwrap_or(0) };
    tokio::spawn(async move {
        let _count = app.metrics.stream();
        let is_left = sender.closed();
        tokio::select! {
            result = follow(&app, &caller, watched, follower, sender) => {
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

/// What one reader looks at.
struct Watched {
    run_id: Uuid,
    /// Where their page of steps begins.
    place: Option<StepPlace>,
    /// Which steps they look at.
    filter: StepFilter,
    /// The page's own query.
    page: run::Query,
    /// The number of the last log line that was looked at.
    log_seq: u64,
}

async fn follow(
    app: &Arc<App>,
    caller: &Caller,
    mut watched: Watched,
    mut follower: Follower,
    mut sender: Sender,
) -> Result<(), StoreError> {
    let me = Me::of(app, caller);
    let (mut is_over, mut tick) = (false, TICK_MIN);
    while !is_over {
        let mut heard = Heard::default();
        let news = tokio::time::timeout(tick, follower.next()).await;
        if let Ok(news) = news {
            let Some(first) = news? else { break };
            heard.take(first);
            is_over = collect(&mut follower, &mut heard).await?;
            if !heard.is_durable && !is_over {
                // Words come several times a second, and change nothing else on the page.
                if !sender.send(said(app, &watched, &heard.speaking)).await {
                    return Ok(());
                }
                continue;
            }
        }
        let Heard { lines, is_durable: has_news, .. } = heard;
        let began = Instant::now();
        let (definitions, now) = (app.engine.definitions().clone(), app.engine.clock().now());
        let Watched { run_id, place, filter: steps, ref page, log_seq } = watched;
        let wanted = Wanted { run_id, place, filter: steps, now, here: page.without_step(run_id) };
        let filter = page.lines();
        let of_some = (filter != LogFilter::default()).then_some(filter);
        let look = move |store: &dyn Store| {
            let shown = read(store, &definitions, &wanted)?;
            // The store knows best which lines have the words that are asked for.
            let some = match of_some {
                Some(filter) => Some(store.logs(run_id, log_seq, &filter, LINES_MAX)?),
                None => None,
            };
            Ok(shown.map(|shown| (shown, some)))
        };
        let Some((shown, some)) = app.engine.read(look).await? else { break };
        let newest = lines.last().map_or(log_seq, |line| line.log_seq);
        let (lines, has_more) = match some {
            Some(some) => (some.items, some.has_more),
            None => (lines, false),
        };
        // None is told that was not heard of yet: it comes with the next news.
        let mut lines: Vec<LogRow> =
            lines.into_iter().filter(|line| line.log_seq <= newest).collect();
        let is_cut = has_more || lines.len() > LINES_MAX;
        lines.truncate(LINES_MAX);
        // A burst is more than anybody reads; what is left out can be gone to.
        let left_out = lines.last().filter(|last| is_cut && last.log_seq < newest);
        let left_out = left_out.map(|last| gap(run_id, last.log_seq, page));
        watched.log_seq = newest;
        tick = (Span::of(&shown.row, now).length / 100).clamp(TICK_MIN, TICK_MAX);
        let marker = page.marker();
        let lines = lines.into_iter().map(|row| Line::from(row).marked(&marker)).collect();
        let mut parts = Vec::new();
        if has_news {
            let row = &shown.row;
            let why = if row.status.is_terminal() { None } else { why(app, row).await };
            parts.push(whole("why", render("parts/why.html", BTreeMap::from([("why", why)]))));
            // A step that is gone with its run is not worth the end of the stream.
            let drawer = drawer::now(app, row.clone(), page).await.ok().flatten();
            parts.extend(drawer.map(|drawer| {
                whole("drawer", render("parts/drawer.html", about(&me, "drawer", drawer)))
            }));
        }
        parts.extend(self::parts(&me, shown, lines, steps.status.is_some()));
        parts.extend(left_out);
        if !sender.send(parts).await {
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

/// What stands where lines were left out.
fn gap(run_id: Uuid, log_seq: u64, page: &run::Query) -> Part {
    let href = format!("/runs/{run_id}?{}logs={log_seq}#log-title", page.lines_kept());
    let id = format!("gap-{log_seq}");
    let gap = BTreeMap::from([("href", href), ("id", id.clone())]);
    Part {
        id,
        into: Some("lines"),
        html: render("parts/log_gap.html", BTreeMap::from([("gap", gap)])),
    }
}

/// What has come since the page was last looked at.
#[derive(Default)]
struct Heard {
    lines: Vec<LogRow>,
    /// Whether any of it will stay.
    is_durable: bool,
    /// The steps in which somebody speaks.
    speaking: BTreeSet<String>,
}

impl Heard {
    fn take(&mut self, portion: Portion) {
        self.is_durable |= !portion.is_empty();
        self.lines.extend(portion.logs);
        self.speaking.extend(portion.live.map(|note| note.path.clone()));
    }
}

/// The words of a model, if they are said in the step whose drawer is open.
fn said(app: &App, watched: &Watched, speaking: &BTreeSet<String>) -> Vec<Part> {
    let step = watched.page.step.as_deref();
    let is_open =
        |path: &&String| step.is_some_and(|step| step == **path || step == path::address_of(path));
    let said =
        speaking.iter().find(is_open).and_then(|path| app.engine.live().said(watched.run_id, path));
    let part = said.map(|said| {
        let said = BTreeMap::from([("said", last_words(&said.text))]);
        whole("said", render("parts/said.html", said))
    });
    part.into_iter().collect()
}

/// What comes within a moment of the first news is shown with it. Answers whether the run is over.
async fn collect(follower: &mut Follower, heard: &mut Heard) -> Result<bool, StoreError> {
    let until = tokio::time::sleep(COLLECT);
    tokio::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return Ok(false),
            more = follower.next() => match more? {
                Some(more) => heard.take(more),
                None => return Ok(true),
            },
        }
    }
}

fn parts(me: &Me, shown: Shown, lines: Vec<Line>, is_of_some: bool) -> Vec<Part> {
    let is_tokens = shown.head.instance.is_some();
    let timeline = BTreeMap::from([("timeline", shown.timeline)]);
    let mut parts = vec![
        whole("head", render("parts/run_head.html", about(me, "run", shown.head))),
        whole("timeline", render("parts/timeline.html", timeline)),
    ];
    if let Some(graph) = shown.graph {
        let graph = BTreeMap::from([("graph", graph)]);
        parts.push(whole("graph", render("parts/graph.html", graph)));
    }
    if is_tokens {
        let rows = BTreeMap::from([("units", shown.units)]);
        parts.push(whole("units", render("parts/unit_rows.html", rows)));
    }
    let choices = BTreeMap::from([("choices", shown.choices)]);
    parts.push(whole("step-choices", render("parts/step_choices.html", choices)));
    // Among some steps, one that has gone on has to leave.
    let steps = if is_of_some {
        let rows = BTreeMap::from([("steps", shown.steps)]);
        parts.push(whole("steps", render("parts/step_rows.html", rows)));
        Vec::new()
    } else {
        shown.steps
    };
    for step in steps {
        let id = step.key.clone();
        let html = render("parts/step_row.html", BTreeMap::from([("step", step)]));
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
