//! `/inbox`: what a person holds, and what waits for the roles that they choose: steps of the kind
//! `actor`, and units of work. Live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;
use windlass_engine::desk::TaskLine;
use windlass_store::{Store, StoreError};

use super::error::PageProblem;
use super::inbox_roles::{Choice, choices};
use super::live::{TICK, watch, whole};
use super::queue::left;
use super::render::{Me, Moment, moment, page_for, render};
use super::runs::short_id;
use crate::access::Caller;
use crate::api::query::Asked;
use crate::app::{App, Shared};
use crate::client::segment;
use crate::http::problem::Problem;

/// Tasks of one role, and of all, that are listed.
const OF_A_ROLE: usize = 50;
const SHOWN_MAX: usize = 100;

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    #[serde(flatten)]
    shown: Shown,
    /// What was just handed in: where it is, and its name.
    done: Option<(String, String)>,
    /// The roles that are chosen, to come back to.
    keep: String,
    live: String,
}

#[derive(Serialize)]
struct Shown {
    mine: Vec<Mine>,
    waiting: Vec<Waiting>,
    choices: Vec<Choice>,
    has_more: bool,
}

/// What the person holds.
#[derive(Debug, Serialize)]
struct Mine {
    id: String,
    title: String,
    of: String,
    lease: String,
    is_ending: bool,
}

/// What waits.
#[derive(Debug, Serialize)]
struct Waiting {
    id: String,
    title: String,
    /// The role in which it would be taken.
    role: String,
    role_word: String,
    of: String,
    priority: i32,
    since: Moment,
}

/// What is chosen in a query: each `as` is a role.
pub(super) fn chosen(query: &[(String, String)]) -> BTreeSet<String> {
    let own = query.iter().filter(|(name, value)| name == "as" && !value.is_empty());
    own.map(|(_, value)| value.clone()).collect()
}

/// A query that chooses these roles.
pub(super) fn query_of(chosen: &BTreeSet<String>) -> String {
    chosen.iter().map(|role| format!("as={}&", segment(role))).collect()
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Vec<(String, String)>>,
) -> Result<Response, PageProblem> {
    let chosen = chosen(&query);
    let keep = query_of(&chosen);
    let shown = read(&app, &caller, &chosen).await?;
    let context = Context {
        nav: "inbox",
        title: "Inbox",
        shown,
        done: query.iter().find_map(done),
        live: format!("/live/inbox?{keep}"),
        keep,
    };
    Ok(page_for("inbox.html", &Me::of(&app, &caller), context).into_response())
}

/// Where what was handed in is, as the address says it.
fn done((name, value): &(String, String)) -> Option<(String, String)> {
    let id = Uuid::parse_str(value).ok()?.to_string();
    match name.as_str() {
        "done" => Some((format!("/runs/{id}"), format!("run {}", short_id(&id)))),
        "done_uow" => Some((format!("/uows/{id}"), format!("unit {}", short_id(&id)))),
        _ => None,
    }
}

async fn read(app: &App, caller: &Caller, chosen: &BTreeSet<String>) -> Result<Shown, Problem> {
    let project = caller.project().to_owned();
    let desk = app.engine.desk();
    let held = desk.held_by(&project, caller.name());
    let mut choices = choices(app, caller, chosen).await?;
    let mut lines: Vec<(usize, TaskLine)> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut has_more = false;
    for (number, choice) in choices.iter_mut().enumerate() {
        let is_wanted = chosen.is_empty() || choice.is_chosen;
        for queue in choice.queues.iter().filter(|_| is_wanted) {
            let found = desk.waiting(&project, queue, OF_A_ROLE);
            has_more |= found.len() == OF_A_ROLE;
            // Two roles may take from one place.
            lines.extend(
                found
                    .into_iter()
                    .filter(|line| seen.insert(line.task_id))
                    .map(|line| (number, line)),
            );
        }
    }
    lines.sort_by_key(|(_, line)| (-line.priority, line.since, line.task_id));
    has_more |= lines.len() > SHOWN_MAX;
    lines.truncate(SHOWN_MAX);
    let ids: Vec<(Uuid, bool)> = held
        .iter()
        .chain(lines.iter().map(|(_, line)| line))
        .map(|line| (line.task_id, line.kind == "unit"))
        .collect();
    let names = app.engine.read(move |store| titles(store, &project, &ids)).await?;
    let title = |line: &TaskLine| names.get(&line.task_id).cloned().unwrap_or_default();
    let mine = held.iter().filter_map(|line| {
        let (title, of) = title(line);
        let lease = line.held.as_ref()?.lease;
        Some(Mine {
            id: line.task_id.to_string(),
            title,
            of,
            lease: left(lease),
            is_ending: lease.as_secs() < 3_600,
        })
    });
    let mine = mine.collect();
    let waiting = lines.iter().map(|(number, line)| {
        let choice = &choices[*number];
        let (title, of) = title(line);
        Waiting {
            id: line.task_id.to_string(),
            title,
            role: choice.role.clone(),
            role_word: choice.value.clone(),
            of,
            priority: line.priority,
            since: moment(line.since),
        }
    });
    let waiting = waiting.collect();
    Ok(Shown { mine, waiting, choices, has_more })
}

/// What tasks are called, and what they are of.
fn titles(
    store: &dyn Store,
    project: &str,
    ids: &[(Uuid, bool)],
) -> Result<BTreeMap<Uuid, (String, String)>, StoreError> {
    let mut names = BTreeMap::new();
    let mut instances: BTreeMap<Uuid, String> = BTreeMap::new();
    for (id, is_unit) in ids {
        let name = match is_unit {
            true => {
                let Some(row) = store.unit(project, *id)? else { continue };
                if !instances.contains_key(&row.instance_id) {
                    let found = store.instance(project, &row.instance_id.to_string())?;
                    instances.extend(found.map(|found| (row.instance_id, found.name)));
                }
                let of = instances.get(&row.instance_id).cloned().unwrap_or_default();
                (unit_title(*id, row.place.as_deref()), of)
            }
            false => {
                let Some(row) = store.task(*id)?.filter(|row| row.project == project) else {
                    continue;
                };
                let run = store.run(project, &row.run_id.to_string())?;
                let title = if row.title.is_empty() { row.path } else { row.title };
                (title, run.map(|run| run.workflow).unwrap_or_default())
            }
        };
        names.insert(*id, name);
    }
    Ok(names)
}

/// What a unit is called.
pub(super) fn unit_title(id: Uuid, place: Option<&str>) -> String {
    let short = short_id(&id.to_string());
    match place {
        Some(place) => format!("{place}: unit {short}"),
        None => format!("Unit {short}"),
    }
}

/// The lists anew whenever they have changed.
pub(super) async fn live(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Vec<(String, String)>>,
) -> Response {
    let chosen = Arc::new(chosen(&query));
    let (of, whose) = (app.clone(), caller.clone());
    watch(&app, &caller, Some(TICK), move || {
        let (app, caller, chosen) = (of.clone(), whose.clone(), chosen.clone());
        async move {
            let shown = read(&app, &caller, &chosen).await?;
            let about = InboxPart { shown, keep: query_of(&chosen) };
            let mine = render("parts/inbox_mine.html", &about);
            let waiting = render("parts/inbox_waiting.html", &about);
            Ok(vec![whole("mine", mine), whole("waiting", waiting)])
        }
    })
}

#[derive(Serialize)]
struct InboxPart {
    #[serde(flatten)]
    shown: Shown,
    keep: String,
}
