//! `/workers`: who was heard of of late, and what they have. Live.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::Instant;
use windlass_engine::desk::WorkerView;

use super::error::PageProblem;
use super::live::{TICK, watch, whole};
use super::queue::{Task, left};
use super::queues::{Title, names, title};
use super::render::{Me, page_for, render};
use crate::access::Caller;
use crate::app::{App, Shared};
use crate::http::problem::Problem;

/// Workers that are shown, and tasks of each.
const SHOWN_MAX: usize = 200;
const TASKS_SHOWN: usize = 5;

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    tab: &'static str,
    title: &'static str,
    rows: Vec<Row>,
    live: &'static str,
}

#[derive(Serialize)]
struct Row {
    name: String,
    plugin: Option<String>,
    queues: Vec<(String, Title)>,
    seen: String,
    is_polling: bool,
    tasks: Vec<Task>,
    more: usize,
}

async fn rows(app: &App, caller: &Caller) -> Result<Vec<Row>, Problem> {
    let now = Instant::now();
    let mut views = app.engine.desk().workers(caller.project());
    views.truncate(SHOWN_MAX);
    let queues: Vec<String> = views.iter().flat_map(|view| view.queues.clone()).collect();
    let names = names(app, caller.project(), queues.into_iter()).await?;
    let row = |view: WorkerView| Row {
        name: view.name,
        plugin: view.plugin,
        queues: view.queues.into_iter().map(|name| (name.clone(), title(&name, &names))).collect(),
        // Whoever waits for work is there now.
        seen: match now.saturating_duration_since(view.seen) {
            since if view.is_polling || since < Duration::from_secs(1) => "now".to_owned(),
            since => format!("{} ago", left(since)),
        },
        is_polling: view.is_polling,
        more: view.task_count.saturating_sub(TASKS_SHOWN),
        tasks: view.tasks.into_iter().take(TASKS_SHOWN).map(Task::from).collect(),
    };
    Ok(views.into_iter().map(row).collect())
}

pub(super) async fn page(State(app): Shared, caller: Caller) -> Result<Response, PageProblem> {
    let context = Context {
        nav: "queues",
        tab: "workers",
        title: "Workers",
        rows: rows(&app, &caller).await?,
        live: "/live/workers",
    };
    Ok(page_for("workers.html", &Me::of(&app, &caller), context).into_response())
}

/// The table anew whenever it has changed.
pub(super) async fn live(State(app): Shared, caller: Caller) -> Response {
    let (of, whose): (Arc<App>, Caller) = (app.clone(), caller.clone());
    watch(&app, &caller, Some(TICK), move || {
        let (app, caller) = (of.clone(), whose.clone());
        async move {
            let rows = rows(&app, &caller).await?;
            let html = render("parts/worker_rows.html", BTreeMap::from([("rows", rows)]));
            Ok(vec![whole("rows", html)])
        }
    })
}
