//! `/workflows/{name}`: one workflow, with its graph, a form to run it, its source and versions.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use windlass_core::run::observed;
use windlass_store::{DefinitionRow, Pause, RunFilter, UsageFilter, WorkflowRow};

use super::error::PageProblem;
use super::form::{Field, fields};
use super::graph;
use super::health::{self, Health};
use super::render::{Me, Moment, moment, page_for, took};
use super::runs::{lasted, short_id};
use super::usage::{Day, days};
use crate::access::Caller;
use crate::api::flow::tags;
use crate::api::query::{Asked, Named};
use crate::api::workflow::find_row;
use crate::app::{App, Shared};
use crate::http::problem::{ErrorItem, Problem};

/// Versions and runs that the page shows.
const SHOWN_MAX: usize = 10;
/// Rows of what models took in a month that are added up.
const USAGE_ROWS_MAX: usize = 10_000;

/// Which version.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Query {
    version: Option<u32>,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: String,
    name: String,
    description: Option<String>,
    version: u32,
    newest: u32,
    deployed: Moment,
    format: String,
    source: String,
    graph: Option<String>,
    /// What is known of it, if another program runs it.
    flow: Option<Flow>,
    problem: Option<Told>,
    paused: Option<Paused>,
    form: Form,
    versions: Vec<Version>,
    runs: Vec<Run>,
    /// How its runs have fared of late.
    health: Health,
    /// Whether it stands for runs of which no program has said what they are.
    is_unknown: bool,
    /// What models took, by day.
    days: Vec<Day>,
}

/// What is known of a flow that another program runs.
#[derive(Serialize)]
struct Flow {
    name: Option<String>,
    owner: Option<String>,
    tags: Vec<String>,
}

/// Who has paused it.
#[derive(Serialize)]
struct Paused {
    at: Moment,
    by: String,
    reason: Option<String>,
}

/// The form that runs it.
#[derive(Default, Serialize)]
pub(super) struct Form {
    /// One for each property of the input, or one for all of it.
    pub(super) fields: Vec<Field>,
    /// Why the last try was refused.
    pub(super) refused: Option<Told>,
}

/// A problem in the middle of a page.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    title: &'static str,
    detail: String,
    errors: Vec<ErrorItem>,
}

impl Told {
    /// A problem under words of the page's own.
    pub(super) fn titled(title: &'static str, problem: Problem) -> Told {
        Told { title, ..Told::from(problem) }
    }
}

impl From<Problem> for Told {
    fn from(problem: Problem) -> Told {
        Told { title: problem.code.title, detail: problem.detail, errors: problem.errors }
    }
}

#[derive(Serialize)]
struct Version {
    version: u32,
    deployed: Moment,
    is_shown: bool,
}

#[derive(Serialize)]
struct Run {
    id: String,
    short_id: String,
    status: &'static str,
    created: Moment,
    took: Option<String>,
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let row = find_row(&app, caller.project(), &word).await?;
    show(&app, &caller, row, query.version, None).await
}

/// The page, with the form as it was filled in if the last try was refused.
pub(super) async fn show(
    app: &Arc<App>,
    caller: &Caller,
    row: WorkflowRow,
    version: Option<u32>,
    form: Option<Form>,
) -> Result<Response, PageProblem> {
    let version = version.unwrap_or(row.version);
    let (workflow_id, definitions) = (row.workflow_id, app.engine.definitions().clone());
    let (project, name) = (caller.project().to_owned(), row.name.clone());
    let now = app.engine.clock().now();
    let today = windlass_engine::day_of(now);
    let read = move |store: &dyn windlass_store::Store| {
        let versions = store.versions(workflow_id, None, SHOWN_MAX)?.items;
        let shown = store.versions(workflow_id, version.checked_add(1), 1)?.items.pop();
        let filter = RunFilter { workflow_id: Some(workflow_id), ..RunFilter::default() };
        let runs = store.runs(&project, &filter, None, SHOWN_MAX)?.items;
        let health = health::read(store, &project, (workflow_id, &name), now)?;
        let filter = UsageFilter {
            workflow: Some(name),
            from_day: today - 29,
            to_day: today,
            by_hour: false,
        };
        let usage = store.usage(&project, &filter, USAGE_ROWS_MAX)?;
        let plan = shown.as_ref().map(|shown| definitions.plan(shown.definition_id));
        Ok((versions, shown, runs, usage, plan, health))
    };
    let (versions, shown, runs, usage, plan, health) = app.engine.read(read).await?;
    let missing = || Problem::parameter("version", format!("there is no version {version}"));
    let shown = shown.filter(|shown| shown.version == version).ok_or_else(missing)?;
    let (plan, problem) = match plan {
        // A template has a page of its own.
        Some(Ok(plan)) if plan.tokens.is_some() => {
            let place = format!("/templates/{}", crate::client::segment(&row.name));
            return Ok(axum::response::Redirect::to(&place).into_response());
        }
        Some(Ok(plan)) => (Some(plan), None),
        Some(Err(error)) => (None, Some(Told::from(Problem::from(error)))),
        None => (None, None),
    };
    let form = form.unwrap_or_else(|| {
        let schema = plan.as_ref().and_then(|plan| plan.input.as_ref());
        Form { fields: fields(schema.map(|schema| schema.source()), None), refused: None }
    });
    let version_row = |definition: DefinitionRow| Version {
        version: definition.version,
        deployed: moment(definition.created_at),
        is_shown: definition.version == version,
    };
    let paused = row.pause.clone();
    let flow = plan.as_ref().and_then(|plan| plan.flow.as_deref()).map(|flow| Flow {
        name: flow.name.clone(),
        owner: flow.owner.clone(),
        tags: tags(flow.tags.iter().cloned(), runs.first()),
    });
    let is_elsewhere = flow.is_some();
    let context = Context {
        nav: "workflows",
        title: row.name.clone(),
        health,
        is_unknown: row.name == observed::UNKNOWN_FLOW,
        name: row.name,
        description: plan.as_ref().and_then(|plan| plan.description.clone()),
        version,
        newest: row.version,
        deployed: moment(shown.created_at),
        source: laid_out(&shown.format, shown.source),
        format: shown.format,
        graph: plan.as_ref().map_or_else(|| Some(String::new()), |plan| graph::draw(plan, None)),
        flow,
        problem,
        paused: paused.map(|Pause { at, by, reason }| Paused { at: moment(at), by, reason }),
        form,
        versions: versions.into_iter().map(version_row).collect(),
        runs: runs.into_iter().map(|row| run_of(row, is_elsewhere)).collect(),
        days: days(usage),
    };
    Ok(page_for("workflow.html", &Me::of(app, caller), context).into_response())
}

/// What a program has sent in one line, in many. What somebody has laid out stays as it is.
fn laid_out(format: &str, source: String) -> String {
    if format != "json" || source.trim_end().contains('\n') {
        return source;
    }
    let value = serde_json::from_str::<serde_json::Value>(&source);
    value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or(source)
}

/// What another program runs was told of later than it began.
fn run_of(row: windlass_store::RunRow, is_elsewhere: bool) -> Run {
    let id = row.run_id.to_string();
    let began = row.started_at.filter(|_| is_elsewhere).unwrap_or(row.created_at);
    Run {
        short_id: short_id(&id),
        id,
        status: row.status.as_str(),
        created: moment(began),
        took: lasted(&row).map(took),
    }
}
