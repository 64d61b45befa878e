//! `/inbox/{task}`: one task as a person sees it: what it is about, and, once it is theirs, the form to
//! fill in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use windlass_core::run::token::{Unit, UnitStatus};
use windlass_engine::desk::{HeldView, TaskLine};
use windlass_engine::{TaskOf, UnitView};

use super::error::PageProblem;
use super::form::{Field, fields, mark};
use super::inbox::{chosen, query_of, unit_title};
use super::inbox_roles::word_of;
use super::queue::left;
use super::render::{Me, Moment, moment, page_for};
use super::runs::short_id;
use super::subject::{Row, subject_of};
use super::task_form::{self, has_fields};
use super::unit_story::who;
use super::workflow::Told;
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::api::tasks::refused;
use crate::app::{App, Shared};
use crate::http::problem::{self, Problem};
use crate::units::instance;

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: String,
    task: Head,
    /// What it is about, field by field, or as a whole.
    rows: Vec<Row>,
    subject: Option<String>,
    children: Vec<Child>,
    /// What guardians tell whoever takes it.
    instructions: Option<String>,
    fields: Vec<Field>,
    /// What goes beside the fields of a unit.
    unit: Option<UnitFields>,
    problem: Option<Told>,
    /// What was typed, if there is no form any more that it could stand in.
    typed: Vec<Row>,
    /// Whether the fields hold what somebody has typed.
    has_typed: bool,
    /// The role that the list has named.
    wanted_role: Option<String>,
    keep: String,
}

#[derive(Serialize)]
struct Head {
    id: String,
    /// `waiting`, `mine`, `other` or `gone`.
    stands: &'static str,
    of: String,
    of_href: String,
    href: String,
    href_name: String,
    since: Option<Moment>,
    attempt: u32,
    holder: Option<String>,
    lease: Option<String>,
    fence: u64,
    /// The roles in which a unit may be taken: word and name.
    roles: Vec<(String, String)>,
    role: Option<String>,
}

/// A part of a unit, or where it has come from.
#[derive(Serialize)]
struct Child {
    id: String,
    short_id: String,
    status: &'static str,
    rows: Vec<Row>,
}

/// Fields that all units have.
#[derive(Default, Serialize)]
struct UnitFields {
    reasoning: String,
    /// Further attributes, as JSON.
    more: String,
    /// Parts that it is split into, as JSON; nothing, if the role does not split.
    children: Option<String>,
}

/// A task with all that is known of it.
pub(super) struct Task {
    pub(super) line: TaskLine,
    pub(super) of: Of,
}

/// What a person is asked.
pub(super) enum Of {
    Step { title: String, form: Option<Value>, input: Value, workflow: String },
    Unit(Box<UnitView>),
}

impl Task {
    /// The schema of its form.
    pub(super) fn schema(&self) -> Option<Value> {
        match &self.of {
            Of::Step { form, .. } => form.clone(),
            Of::Unit(view) => Some(task_form::schema(&view.unit)),
        }
    }

    pub(super) fn held(&self) -> Option<&HeldView> {
        self.line.held.as_ref()
    }
}

/// The task of an id, if it is one for people.
///
/// # Errors
///
/// `task-not-found`.
pub(super) async fn find(app: &App, caller: &Caller, id: Uuid) -> Result<Task, Problem> {
    let project = caller.project().to_owned();
    let gone = || {
        let message = "it was handed in, or is not wanted any more, or there never was such a task";
        Problem::new(problem::TASK_NOT_FOUND, message)
    };
    let line = app.engine.desk().task(&project, id).ok_or_else(gone)?;
    let of = match line.kind.as_str() {
        "unit" => {
            let view = app.engine.show_task(line.run_id, &line.path).await.map_err(refused)?;
            match view.of {
                TaskOf::Unit(view) => Of::Unit(view),
                TaskOf::Step(_) => return Err(gone()),
            }
        }
        "actor" => {
            let run_id = line.run_id;
            let read = move |store: &dyn windlass_store::Store| {
                Ok((store.task(id)?, store.run(&project, &run_id.to_string())?))
            };
            let (row, run) = app.engine.read(read).await?;
            let row = row.ok_or_else(gone)?;
            Of::Step {
                title: if row.title.is_empty() { row.path } else { row.title },
                form: row.form,
                input: row.input.unwrap_or_default(),
                workflow: run.map(|run| run.workflow).unwrap_or_default(),
            }
        }
        kind => {
            let message = format!("a task of the kind `{kind}` is for programs");
            return Err(Problem::new(problem::TASK_NOT_FOUND, message));
        }
    };
    Ok(Task { line, of })
}

/// What was filled in, and what was wrong with it.
#[derive(Default)]
pub(super) struct Tried {
    pub(super) filled: Option<BTreeMap<String, String>>,
    pub(super) problem: Option<(&'static str, Problem)>,
    pub(super) chosen: BTreeSet<String>,
    /// The role that the list has named.
    pub(super) role: Option<String>,
}

/// The id in an address.
///
/// # Errors
///
/// `task-not-found`: what is no id is nobody's.
pub(super) fn id_of(word: &str) -> Result<Uuid, Problem> {
    Uuid::parse_str(word).map_err(|_| {
        Problem::new(problem::TASK_NOT_FOUND, format!("there is no task `{word:.64}`"))
    })
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Vec<(String, String)>>,
) -> Result<Response, PageProblem> {
    let role = query.iter().find(|(name, _)| name == "role").map(|(_, value)| value.clone());
    let tried = Tried { chosen: chosen(&query), role, ..Tried::default() };
    show(&app, &caller, id_of(&word)?, tried).await
}

/// The page as it stands now, with what was typed if that was refused.
pub(super) async fn show(
    app: &Arc<App>,
    caller: &Caller,
    id: Uuid,
    tried: Tried,
) -> Result<Response, PageProblem> {
    let status = tried.problem.as_ref().map(|(_, problem)| problem.status());
    let keep = query_of(&tried.chosen);
    let task = match find(app, caller, id).await {
        Ok(task) => task,
        Err(problem) if tried.filled.is_some() => return gone(app, caller, id, tried, problem),
        Err(problem) => return Err(problem.into()),
    };
    let head = head(app, caller, &task).await?;
    let schema = task.schema();
    let filled = tried.filled.as_ref();
    let mut fields = fields(schema.as_ref(), filled);
    if let [only] = fields.as_mut_slice()
        && schema.is_none()
    {
        only.label = "Result".to_owned();
    }
    if matches!(task.of, Of::Unit(_)) && !has_fields(schema.as_ref()) {
        fields.clear();
    }
    if let Some((_, problem)) = &tried.problem {
        mark(&mut fields, problem);
    }
    let (rows, subject, children, unit) = match &task.of {
        Of::Step { input, .. } => {
            let (rows, subject) = subject_of(input);
            (rows, subject, Vec::new(), None)
        }
        Of::Unit(view) => {
            let splits = splits(app, caller, view).await?;
            let children = view.children.iter().map(child).collect();
            (task_form::rows(&view.unit), None, children, Some(unit_fields(filled, splits)))
        }
    };
    let context = Context {
        nav: "inbox",
        title: match &task.of {
            Of::Step { title, .. } => title.clone(),
            Of::Unit(view) => unit_title(id, view.unit.place.as_deref()),
        },
        instructions: match &task.of {
            Of::Unit(view) => view.unit.injected.instructions.clone(),
            Of::Step { .. } => None,
        },
        task: head,
        rows,
        subject,
        children,
        fields,
        unit,
        has_typed: tried.filled.is_some(),
        wanted_role: tried.role,
        problem: tried.problem.map(|(title, problem)| Told::titled(title, problem)),
        typed: Vec::new(),
        keep,
    };
    let page = page_for("task.html", &Me::of(app, caller), context);
    Ok((status.unwrap_or(StatusCode::OK), page).into_response())
}

/// The task is not there any more, but what somebody has typed for it is.
fn gone(
    app: &App,
    caller: &Caller,
    id: Uuid,
    tried: Tried,
    problem: Problem,
) -> Result<Response, PageProblem> {
    let status = problem.status();
    let typed = tried.filled.unwrap_or_default().into_iter().filter_map(|(name, value)| {
        let name = match name.as_str() {
            "csrf" | "fence" | "again" | "as" => return None,
            other => other.strip_prefix("input.").unwrap_or(other).to_owned(),
        };
        let is_block = value.contains('\n');
        (!value.is_empty()).then_some(Row { name, value, is_block })
    });
    let context = Context {
        nav: "inbox",
        title: "The task is over".to_owned(),
        task: Head {
            id: id.to_string(),
            stands: "gone",
            of: String::new(),
            of_href: String::new(),
            href: String::new(),
            href_name: String::new(),
            since: None,
            attempt: 0,
            holder: None,
            lease: None,
            fence: 0,
            roles: Vec::new(),
            role: None,
        },
        rows: Vec::new(),
        subject: None,
        children: Vec::new(),
        instructions: None,
        fields: Vec::new(),
        unit: None,
        typed: typed.collect(),
        has_typed: true,
        wanted_role: None,
        keep: query_of(&tried.chosen),
        problem: Some(match tried.problem {
            Some((title, problem)) => Told::titled(title, problem),
            None => Told::from(problem),
        }),
    };
    Ok((status, page_for("task.html", &Me::of(app, caller), context)).into_response())
}

async fn head(app: &App, caller: &Caller, task: &Task) -> Result<Head, Problem> {
    let id = task.line.task_id.to_string();
    let held = task.held();
    let stands = match held {
        None => "waiting",
        Some(held) if held.worker == caller.name() => "mine",
        Some(_) => "other",
    };
    let lease = held.map(|held| left(held.lease));
    let mut head = Head {
        stands,
        of: String::new(),
        of_href: String::new(),
        href: format!(
            "/runs/{}?step={}",
            task.line.run_id,
            crate::client::segment(&task.line.path)
        ),
        href_name: format!("run {}", short_id(&task.line.run_id.to_string())),
        since: Some(moment(task.line.since)),
        attempt: task.line.attempt,
        holder: held.map(|held| who(&held.worker)),
        lease,
        fence: held.map_or(0, |held| held.fence),
        roles: Vec::new(),
        role: None,
        id,
    };
    match &task.of {
        Of::Step { workflow, .. } => {
            head.of = workflow.clone();
            head.of_href = format!("/workflows/{}", crate::client::segment(workflow));
        }
        Of::Unit(view) => {
            let word = view.instance_id.to_string();
            let instance = instance::find(app, caller.project(), &word).await?;
            head.of = instance.row.name.clone();
            head.of_href = format!("/instances/{word}");
            head.href = format!("/uows/{}", head.id);
            head.href_name = format!("unit {}", short_id(&head.id));
            head.role = view.unit.role.as_deref().map(str::to_owned);
            let place = view.unit.place.as_deref().unwrap_or_default();
            let queue = format!("{word}/{}/{place}", view.unit.workflow);
            let takers = instance.roles().filter(|role| {
                role.is_for_actors() && role.wants(instance.id()).iter().any(|it| it.queue == queue)
            });
            let takers = takers.map(|role| (word_of(&instance, &role), role.role.name.clone()));
            head.roles = takers.collect();
        }
    }
    Ok(head)
}

/// Whether the role in which a unit is held may split it.
async fn splits(app: &App, caller: &Caller, view: &UnitView) -> Result<bool, Problem> {
    let Some(role) = view.unit.role.as_deref().filter(|_| view.unit.status == UnitStatus::Active)
    else {
        return Ok(false);
    };
    let instance = instance::find(app, caller.project(), &view.instance_id.to_string()).await?;
    let found = instance.role(&format!("{}/{role}", view.unit.workflow));
    Ok(found.is_ok_and(|found| found.role.kind == windlass_core::template::RoleKind::Beta))
}

fn unit_fields(filled: Option<&BTreeMap<String, String>>, splits: bool) -> UnitFields {
    let field = |name: &str| filled.and_then(|all| all.get(name)).cloned().unwrap_or_default();
    UnitFields {
        reasoning: field("reasoning"),
        more: field("more"),
        children: splits.then(|| field("children")),
    }
}

fn child(part: &Unit) -> Child {
    let id = part.id.to_string();
    let rows = task_form::rows(part);
    Child { short_id: short_id(&id), id, status: part.status.as_str(), rows }
}
