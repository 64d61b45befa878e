//! `/templates/{name}`: one template, with its graph, a form that makes an instance of it, its source,
//! versions and instances.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use windlass_store::{DefinitionRow, InstanceRow, Store, StoreError, WorkflowRow};

use super::error::PageProblem;
use super::render::{Me, Moment, moment, page_for};
use super::template_view::Shape;
use super::workflow::Told;
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::app::{App, Shared};
use crate::http::problem::{self, Problem};

/// Versions and instances that the page shows.
const SHOWN_MAX: usize = 10;
/// Instances that are looked at for those of the template.
const LOOK_MAX: usize = 1_000;

/// Which version.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Query {
    version: Option<u32>,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    tab: &'static str,
    title: String,
    name: String,
    description: Option<String>,
    version: u32,
    newest: u32,
    format: String,
    source: String,
    shape: Option<Shape>,
    problem: Option<Told>,
    versions: Vec<Version>,
    instances: Vec<Instance>,
    form: Form,
}

/// The form that makes an instance, as it was filled in.
#[derive(Debug, Default, Serialize)]
pub(super) struct Form {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) context: String,
    /// Why the last try was refused.
    pub(super) refused: Option<Told>,
}

#[derive(Serialize)]
struct Version {
    version: u32,
    deployed: Moment,
    is_shown: bool,
}

/// An instance of the template.
#[derive(Serialize)]
struct Instance {
    id: String,
    name: String,
    version: u32,
    status: &'static str,
    created: Moment,
}

impl Form {
    /// As somebody has filled it in.
    pub(super) fn filled(filled: &BTreeMap<String, String>) -> Form {
        let field = |name: &str| filled.get(name).cloned().unwrap_or_default();
        Form {
            name: field("name"),
            description: field("description"),
            context: field("context"),
            refused: None,
        }
    }
}

/// The row of a template.
///
/// # Errors
///
/// `template-not-found`.
pub(super) async fn find(app: &App, project: &str, word: &str) -> Result<WorkflowRow, Problem> {
    let (project, name) = (project.to_owned(), word.to_owned());
    let row = app.engine.read(move |store| store.workflow(&project, &name)).await?;
    row.ok_or_else(|| not_found(word))
}

fn not_found(word: &str) -> Problem {
    Problem::new(problem::TEMPLATE_NOT_FOUND, format!("there is no template `{word:.64}`"))
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let row = find(&app, caller.project(), &word).await?;
    show(&app, &caller, row, query.version, Form::default()).await
}

/// The page, with the form as it was filled in if the last try was refused.
pub(super) async fn show(
    app: &Arc<App>,
    caller: &Caller,
    row: WorkflowRow,
    version: Option<u32>,
    form: Form,
) -> Result<Response, PageProblem> {
    let version = version.unwrap_or(row.version);
    let (workflow_id, definitions) = (row.workflow_id, app.engine.definitions().clone());
    let (project, name) = (caller.project().to_owned(), row.name.clone());
    let read = move |store: &dyn Store| {
        let versions = store.versions(workflow_id, None, SHOWN_MAX)?.items;
        let shown = store.versions(workflow_id, version.checked_add(1), 1)?.items.pop();
        let instances = instances_of(store, &project, &name)?;
        let plan = shown.as_ref().map(|shown| definitions.plan(shown.definition_id));
        Ok((versions, shown, instances, plan))
    };
    let (versions, shown, instances, plan) = app.engine.read(read).await?;
    let missing = || Problem::parameter("version", format!("there is no version {version}"));
    let shown = shown.filter(|shown| shown.version == version).ok_or_else(missing)?;
    let (plan, problem) = match plan {
        Some(Ok(plan)) if plan.tokens.is_none() => return Err(not_found(&row.name).into()),
        Some(Ok(plan)) => (Some(plan), None),
        Some(Err(error)) => (None, Some(Told::from(Problem::from(error)))),
        None => (None, None),
    };
    let tokens = plan.as_ref().and_then(|plan| plan.tokens.as_ref());
    let template = tokens.and_then(|tokens| tokens.workflows.get(&tokens.master));
    let version_row = |definition: DefinitionRow| Version {
        version: definition.version,
        deployed: moment(definition.created_at),
        is_shown: definition.version == version,
    };
    let context = Context {
        nav: "instances",
        tab: "templates",
        title: row.name.clone(),
        name: row.name,
        description: template.and_then(|template| template.description.clone()),
        version,
        newest: row.version,
        format: shown.format,
        source: shown.source,
        shape: template.map(Shape::of),
        problem,
        versions: versions.into_iter().map(version_row).collect(),
        instances,
        form,
    };
    Ok(page_for("template.html", &Me::of(app, caller), context).into_response())
}

/// The newest instances of a template.
fn instances_of(store: &dyn Store, project: &str, name: &str) -> Result<Vec<Instance>, StoreError> {
    let rows = store.instances(project, None, None, LOOK_MAX)?.items;
    let own = rows.into_iter().filter(|row| row.template == name);
    Ok(own.take(SHOWN_MAX).map(Instance::from).collect())
}

impl From<InstanceRow> for Instance {
    fn from(row: InstanceRow) -> Instance {
        Instance {
            id: row.instance_id.to_string(),
            name: row.name,
            version: row.template_version,
            status: row.status.as_str(),
            created: moment(row.created_at),
        }
    }
}
