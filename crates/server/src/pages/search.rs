//! `/search?q=`: runs, steps and log lines that have a text.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use windlass_core::definition::{Graph, Plan};
use windlass_engine::Definitions;
use windlass_store::{FoundLine, LogLevel, LogSearch, RunFilter, RunRow, Store, StoreError};

use super::error::PageProblem;
use super::marks::{Marker, Piece};
use super::render::{Me, Moment, moment, page_for};
use super::runs::short_id;
use crate::access::Caller;
use crate::api::query::Asked;
use crate::app::Shared;
use crate::client::segment;
use crate::http::problem::Problem;

/// Runs, steps and lines that are shown.
const SHOWN: usize = 20;
/// Runs that are looked through for a text, the newest.
const RUNS_LOOKED_AT: usize = 8_000;
/// Workflows whose steps are looked through.
const WORKFLOWS_LOOKED_AT: usize = 1_000;
/// Flows whose steps nobody has described: those of their newest run are looked through.
const FLOWS_LOOKED_AT: usize = 200;
/// The first steps of such a run.
const STEPS_LOOKED_AT: usize = 200;
/// Characters of a line that are shown.
const LINE_CHARS_MAX: usize = 500;
/// The longest question, in characters.
const CHARS_MAX: usize = 200;

/// What is looked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    q: Option<String>,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    found: Found,
}

#[derive(Default, Serialize)]
struct Found {
    q: String,
    runs: Vec<Run>,
    has_more_runs: bool,
    runs_href: String,
    steps: Vec<Step>,
    lines: Vec<Line>,
    has_more_lines: bool,
}

#[derive(Serialize)]
struct Run {
    id: String,
    short_id: String,
    name: Option<String>,
    workflow: String,
    status: &'static str,
    error: Option<String>,
    created: Moment,
}

/// A step of a workflow, and its life in the newest run.
#[derive(Serialize)]
struct Step {
    node: String,
    title: Option<String>,
    kind: String,
    workflow: String,
    href: String,
    last: Option<String>,
}

#[derive(Serialize)]
struct Line {
    href: String,
    workflow: String,
    /// What the caller calls its run, as above.
    name: Option<String>,
    short_id: String,
    path: String,
    at: Moment,
    level: Option<&'static str>,
    pieces: Vec<Piece>,
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let q = query.q.unwrap_or_default().trim().to_owned();
    if q.chars().count() > CHARS_MAX {
        let message = format!("at most {CHARS_MAX} characters");
        return Err(Problem::parameter("q", message).into());
    }
    let mut found = Found { runs_href: format!("/runs?text={}", segment(&q)), ..Found::default() };
    if !q.is_empty() {
        let (project, definitions) =
            (caller.project().to_owned(), app.engine.definitions().clone());
        let text = q.clone();
        let look = move |store: &dyn Store| {
            let filter = RunFilter {
                text: Some(text.clone()),
                look_at_most: Some(RUNS_LOOKED_AT),
                ..RunFilter::default()
            };
            let runs = store.runs(&project, &filter, None, SHOWN)?;
            found.has_more_runs = runs.next.is_some() && !runs.items.is_empty();
            // Whoever knows what a run is called finds it however old it is.
            let called = store.run(&project, &text)?;
            let others = runs.items.into_iter();
            let others =
                others.filter(|row| called.as_ref().is_none_or(|it| it.run_id != row.run_id));
            let others: Vec<RunRow> = others.collect();
            found.runs = called.into_iter().chain(others).map(Run::from).collect();
            found.steps = steps(store, &definitions, &project, &text)?;
            let marker = Marker::of(&text);
            let search =
                LogSearch { text, level: None, from: None, until: None, workflow_id: None };
            let lines = store.find_logs(&project, &search, None, SHOWN)?;
            found.has_more_lines = lines.has_more;
            let mut names = BTreeMap::new();
            for line in lines.items {
                let name = match names.entry(line.run_id) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => {
                        let row = store.run(&project, &line.run_id.to_string())?;
                        entry.insert(row.and_then(|row| row.external_id))
                    }
                };
                found.lines.push(Line::of(line, name.clone(), &marker));
            }
            Ok(found)
        };
        found = app.engine.read(look).await?;
    }
    found.q = q;
    let context = Context { nav: "search", title: "Search", found };
    Ok(page_for("search.html", &Me::of(&app, &caller), context).into_response())
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Run {
        let id = row.run_id.to_string();
        Run {
            short_id: short_id(&id),
            id,
            name: row.external_id,
            workflow: row.workflow,
            status: row.status.as_str(),
            error: row.error.map(|error| error.to_string()),
            created: moment(row.created_at),
        }
    }
}

impl Line {
    fn of(found: FoundLine, name: Option<String>, marker: &Marker) -> Line {
        let id = found.run_id.to_string();
        Line {
            href: line_href(&id, found.line.log_seq),
            workflow: found.workflow,
            name,
            short_id: short_id(&id),
            path: found.line.path,
            at: moment(found.line.at),
            level: found.line.level.map(LogLevel::as_str),
            pieces: marker.excerpt(&found.line.text, LINE_CHARS_MAX),
        }
    }
}

/// Where a line stands in the page of its run, with those before it.
pub(super) fn line_href(run: &str, log_seq: u64) -> String {
    format!("/runs/{run}?logs={}#line-{log_seq}", log_seq.saturating_sub(50))
}

/// Steps of workflows by their ids and titles.
fn steps(
    store: &dyn Store,
    definitions: &Definitions,
    project: &str,
    text: &str,
) -> Result<Vec<Step>, StoreError> {
    let text = text.to_lowercase();
    let mut found = Vec::new();
    let mut flows = 0;
    for row in store.workflows(project, None, WORKFLOWS_LOOKED_AT)?.items {
        let plan: Option<Arc<Plan>> = definitions.plan(row.definition_id).ok();
        let Some(plan) = plan.filter(|plan| plan.tokens.is_none()) else { continue };
        let mut named = Vec::new();
        look(&plan.graph, "", &text, &mut named);
        let is_unknown = plan.flow.is_some() && plan.graph.is_empty() && flows < FLOWS_LOOKED_AT;
        if named.is_empty() && !is_unknown {
            continue;
        }
        let filter = RunFilter { workflow_id: Some(row.workflow_id), ..RunFilter::default() };
        let last = store.runs(project, &filter, None, 1)?.items.pop();
        if let Some(last) = last.as_ref().filter(|_| is_unknown) {
            flows += 1;
            let steps = store.steps(last.run_id, None, STEPS_LOOKED_AT)?.items.into_iter();
            let steps = steps.filter(|step| step.path.to_lowercase().contains(&text));
            named.extend(steps.map(|step| (step.path, None, step.kind)));
        }
        for (path, title, kind) in named {
            // Inside of a block there may be many of them.
            let step = segment(&path);
            found.push(Step {
                last: last.as_ref().map(|last| format!("/runs/{}?step={step}", last.run_id)),
                href: format!("/workflows/{}", segment(&row.name)),
                workflow: row.name.clone(),
                node: path,
                title,
                kind,
            });
            if found.len() >= SHOWN {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// Nodes with a text in their id or title, with their address and kind.
fn look(graph: &Graph, scope: &str, text: &str, found: &mut Vec<(String, Option<String>, String)>) {
    for node in &graph.nodes {
        let address =
            if scope.is_empty() { node.id.clone() } else { format!("{scope}.{}", node.id) };
        let says = |said: &str| said.to_lowercase().contains(text);
        if says(&node.id) || node.title.as_deref().is_some_and(says) {
            found.push((address.clone(), node.title.clone(), node.kind.name.to_owned()));
        }
        for body in &node.bodies {
            look(&body.graph, &address, text, found);
        }
    }
}
