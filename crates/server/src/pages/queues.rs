//! `/queues`: what waits for workers and people, how long, and who has what. Live.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;
use windlass_core::HumanDuration;
use windlass_engine::desk::QueueView;
use windlass_store::Store;

use super::error::PageProblem;
use super::live::{TICK, watch, whole};
use super::render::{Me, Moment, moment, page_for, render};
use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::app::{App, Shared};
use crate::http::paging::{cursor, place};
use crate::http::problem::Problem;

/// Queues of a page.
const PAGE_SIZE: usize = 100;

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    tab: &'static str,
    title: &'static str,
    rows: Vec<Row>,
    is_first: bool,
    next: Option<String>,
    live: Option<String>,
}

/// A queue.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) title: Title,
    pub(super) depth: usize,
    pub(super) held: usize,
    pub(super) oldest: Option<Moment>,
    /// How much of it may be handed out, in words.
    pub(super) limits: Vec<String>,
    /// Whether that holds it up now.
    pub(super) is_limited: bool,
    /// How many have asked for work of late.
    pub(super) workers: usize,
}

/// What a queue is for, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Title {
    pub(super) name: String,
    /// What sort of queue it is.
    pub(super) of: String,
    /// The instance, if it is one of units of work.
    pub(super) instance_id: Option<Uuid>,
}

/// Names of instances, by id, as they are shown beside their queues.
pub(super) type Names = BTreeMap<Uuid, String>;

/// The instance that a queue belongs to.
fn instance_of(queue: &str) -> Option<(Uuid, &str, &str)> {
    let mut parts = queue.splitn(3, '/');
    let id = Uuid::parse_str(parts.next()?).ok()?;
    Some((id, parts.next()?, parts.next()?))
}

/// The names of the instances that queues belong to.
///
/// # Errors
///
/// That the store is away.
pub(super) async fn names(
    app: &App,
    project: &str,
    queues: impl Iterator<Item = String>,
) -> Result<Names, Problem> {
    let ids: std::collections::BTreeSet<Uuid> =
        queues.filter_map(|queue| instance_of(&queue).map(|(id, ..)| id)).collect();
    let project = project.to_owned();
    let read = move |store: &dyn Store| {
        let mut names = Names::new();
        for id in ids {
            if let Some(row) = store.instance(&project, &id.to_string())? {
                names.insert(id, row.name);
            }
        }
        Ok(names)
    };
    Ok(app.engine.read(read).await?)
}

/// What a queue is for.
pub(super) fn title(queue: &str, names: &Names) -> Title {
    let plain = |name: &str, of: &str| Title {
        name: name.to_owned(),
        of: of.to_owned(),
        instance_id: None,
    };
    if let Some((id, workflow, place)) = instance_of(queue) {
        let instance = names.get(&id).cloned().unwrap_or_else(|| id.to_string());
        let of = match workflow == instance || instance == format!("Instance_{workflow}") {
            true => instance,
            false => format!("{instance} · {workflow}"),
        };
        return Title { name: place.to_owned(), of, instance_id: Some(id) };
    }
    match queue.split_once(':') {
        Some(("role", role)) => plain(role, "role"),
        Some(("kind", kind)) => plain(kind, "kind of a plugin"),
        _ => plain(queue, "workers"),
    }
}

/// A queue for people.
pub(super) fn row(view: QueueView, names: &Names) -> Row {
    let concurrency = view.limits.concurrency.map(|most| format!("{most} at once"));
    let rate =
        view.limits.rate.map(|rate| format!("{} in {}", rate.count, HumanDuration(rate.per)));
    Row {
        title: title(&view.name, names),
        name: view.name,
        depth: view.depth,
        held: view.held_count,
        oldest: view.oldest.map(moment),
        limits: concurrency.into_iter().chain(rate).collect(),
        is_limited: view.is_limited,
        workers: view.worker_count,
    }
}

async fn rows(
    app: &App,
    caller: &Caller,
    after: Option<&str>,
) -> Result<(Vec<Row>, Option<String>), Problem> {
    let project = caller.project();
    let mut views = app.engine.desk().queues(project, after, PAGE_SIZE + 1);
    let has_more = views.len() > PAGE_SIZE;
    views.truncate(PAGE_SIZE);
    let next = views.last().filter(|_| has_more).map(|last| last.name.clone());
    let names = names(app, project, views.iter().map(|view| view.name.clone())).await?;
    Ok((views.into_iter().map(|view| row(view, &names)).collect(), next))
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, PageProblem> {
    let after: Option<String> = place(query.cursor.as_deref())?;
    let (rows, next) = rows(&app, &caller, after.as_deref()).await?;
    let context = Context {
        nav: "queues",
        tab: "queues",
        title: "Queues",
        rows,
        is_first: after.is_none(),
        next: next.map(|next| format!("/queues?cursor={}", cursor(&next))),
        live: after.is_none().then(|| "/live/queues".to_owned()),
    };
    Ok(page_for("queues.html", &Me::of(&app, &caller), context).into_response())
}

/// The table anew whenever it has changed.
pub(super) async fn live(State(app): Shared, caller: Caller) -> Response {
    let (of, whose): (Arc<App>, Caller) = (app.clone(), caller.clone());
    watch(&app, &caller, Some(TICK), move || {
        let (app, caller) = (of.clone(), whose.clone());
        async move {
            let (rows, _) = rows(&app, &caller, None).await?;
            let html = render("parts/queue_rows.html", BTreeMap::from([("rows", rows)]));
            Ok(vec![whole("rows", html)])
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_told_in_words() {
        let id = Uuid::from_u128(7);
        let names = Names::from([(id, "Instance_Desk".to_owned())]);
        let told = |queue: &str| {
            let title = title(queue, &names);
            (title.name, title.of)
        };
        let pair = |name: &str, of: &str| (name.to_owned(), of.to_owned());
        assert_eq!(told("role:clerk"), pair("clerk", "role"));
        assert_eq!(told("kind:resize"), pair("resize", "kind of a plugin"));
        assert_eq!(told("gpu"), pair("gpu", "workers"));
        assert_eq!(told(&format!("{id}/Desk/Ate")), pair("Ate", "Instance_Desk"));
        let child = pair("a/b", "Instance_Desk · Child");
        assert_eq!(told(&format!("{id}/Child/a/b")), child);
    }
}
