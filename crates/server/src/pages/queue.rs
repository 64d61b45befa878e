//! `/queues/{name}`: one queue, with the first tasks that wait in it and those that are out. Live.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use windlass_core::HumanDuration;
use windlass_engine::desk::TaskLine;

use super::error::PageProblem;
use super::live::{TICK, watch, whole};
use super::queues::{Row, names, row};
use super::render::{Me, Moment, moment, page_for, render};
use super::runs::short_id;
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::{App, Shared};
use crate::client::segment;
use crate::http::problem::{self, Problem};

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    tab: &'static str,
    title: String,
    #[serde(flatten)]
    shown: Shown,
    live: String,
}

#[derive(Serialize)]
struct Shown {
    queue: Row,
    tasks: Vec<Task>,
}

/// A task in a queue, or in somebody's hands.
#[derive(Debug, Serialize)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) short_id: String,
    /// Where more of it is.
    pub(super) href: String,
    pub(super) path: String,
    pub(super) is_unit: bool,
    pub(super) kind: String,
    pub(super) priority: i32,
    pub(super) fairness_key: String,
    pub(super) since: Moment,
    pub(super) attempt: u32,
    pub(super) held: Option<Held>,
}

/// In whose hands something is.
#[derive(Debug, Serialize)]
pub(super) struct Held {
    pub(super) worker: String,
    pub(super) fence: u64,
    pub(super) since: String,
    pub(super) lease: String,
    pub(super) progress: Option<String>,
}

/// How much time is left, to the second, of hours to the minute: what is shown more exactly would be
/// sent anew all the time.
pub(super) fn left(time: Duration) -> String {
    let seconds = time.as_secs();
    let shown = if seconds >= 3_600 { seconds / 60 * 60 } else { seconds };
    HumanDuration(Duration::from_secs(shown)).to_string()
}

impl From<TaskLine> for Task {
    fn from(line: TaskLine) -> Task {
        let id = line.task_id.to_string();
        let is_unit = line.kind == "unit";
        let href = match is_unit {
            true => format!("/uows/{id}"),
            false => format!("/runs/{}?step={}", line.run_id, segment(&line.path)),
        };
        let held = line.held.map(|held| Held {
            worker: held.worker,
            fence: held.fence,
            since: left(held.since),
            lease: left(held.lease),
            progress: held
                .progress
                .map(|progress| progress.to_string().chars().take(120).collect()),
        });
        Task {
            short_id: short_id(&id),
            id,
            href,
            path: line.path,
            is_unit,
            kind: line.kind,
            priority: line.priority,
            fairness_key: line.fairness_key,
            since: moment(line.since),
            attempt: line.attempt,
            held,
        }
    }
}

async fn read(app: &App, caller: &Caller, name: &str) -> Result<Shown, Problem> {
    let found = app.engine.desk().queue(caller.project(), name);
    let (view, lines) = found.ok_or_else(|| {
        let message =
            format!("nothing waits in a queue `{name:.100}`, and nobody has anything of it");
        Problem::new(problem::QUEUE_NOT_FOUND, message)
    })?;
    let names = names(app, caller.project(), std::iter::once(name.to_owned())).await?;
    Ok(Shown { queue: row(view, &names), tasks: lines.into_iter().map(Task::from).collect() })
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, PageProblem> {
    let shown = read(&app, &caller, &name).await?;
    let context = Context {
        nav: "queues",
        tab: "queues",
        title: shown.queue.title.name.clone(),
        shown,
        live: format!("/queues/{}/live", segment(&name)),
    };
    Ok(page_for("queue.html", &Me::of(&app, &caller), context).into_response())
}

/// The queue anew whenever it has changed.
pub(super) async fn live(
    State(app): Shared,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, PageProblem> {
    read(&app, &caller, &name).await?;
    let (of, whose): (Arc<App>, Caller) = (app.clone(), caller.clone());
    Ok(watch(&app, &caller, Some(TICK), move || {
        let (app, caller, name) = (of.clone(), whose.clone(), name.clone());
        async move {
            let shown = read(&app, &caller, &name).await?;
            let facts = render("parts/queue_facts.html", &shown);
            Ok(vec![
                whole("queue-facts", facts),
                whole("rows", render("parts/task_rows.html", &shown)),
            ])
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_is_left_is_short() {
        let told = |millis| left(Duration::from_millis(millis));
        assert_eq!([told(900), told(59_900), told(3_599_000)], ["0s", "59s", "59m59s"]);
        assert_eq!(told(86_399_000), "23h59m");
    }
}
