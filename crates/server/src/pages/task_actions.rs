//! Taking a task from the inbox, handing it in, giving it back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use uuid::Uuid;
use windlass_core::run::Hold;
use windlass_engine::Claimed;
use windlass_engine::desk::{Scope, TaskRefused};
use windlass_engine::shard::actor_id;
use windlass_store::ActorRow;

use super::error::PageProblem;
use super::inbox::{chosen, query_of};
use super::task::{Of, Task, Tried, find, id_of, show};
use super::task_form::outcome;
use super::template_instantiate::{Filled, fields_of};
use crate::access::Caller;
use crate::api::query::{Asked, Named, unreadable};
use crate::api::tasks::{refused, scope_of};
use crate::app::{App, Shared};
use crate::http::problem::{self, Problem};
use crate::units::{self, Instance, instance};

/// How long a task is a person's own: they have other things to do, and give no sign of life meanwhile.
const LEASE: Duration = Duration::from_secs(24 * 3_600);

/// What an actor is taken for that comes by itself.
const SYSTEM: &str = "SYSTEM";

const NOT_TAKEN: &str = "You could not take it";
const NOT_HANDED_IN: &str = "It was not handed in";
const NOT_RIGHT: &str = "This is not filled in rightly";

pub(super) async fn claim(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Vec<(String, String)>>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let id = id_of(&word)?;
    let filled = fields_of(filled)?;
    let chosen = chosen(&query);
    match take(&app, &caller, id, filled.get("role")).await {
        Ok(mut claimed) => {
            claimed.heard();
            let keep = query_of(&chosen);
            Ok(Redirect::to(&format!("/inbox/{id}?{keep}")).into_response())
        }
        Err(problem) => {
            // There may be nothing left to show but this.
            if find(&app, &caller, id).await.is_err() {
                return Err(problem.into());
            }
            let tried = Tried { problem: Some((NOT_TAKEN, problem)), chosen, ..Tried::default() };
            show(&app, &caller, id, tried).await
        }
    }
}

/// Takes a task for a person; a unit, in a role.
async fn take(
    app: &App,
    caller: &Caller,
    id: Uuid,
    role: Option<&String>,
) -> Result<Claimed, Problem> {
    let task = find(app, caller, id).await?;
    let role = match &task.of {
        Of::Step { .. } => None,
        Of::Unit(view) => {
            let word = view.instance_id.to_string();
            let instance = instance::find(app, caller.project(), &word).await?;
            instance.check_active()?;
            let place = view.unit.place.as_deref().unwrap_or_default();
            let queue = format!("{word}/{}/{place}", view.unit.workflow);
            let mut takers = instance.roles().filter(|one| {
                one.is_for_actors() && one.wants(instance.id()).iter().any(|it| it.queue == queue)
            });
            // Without a word, whichever role takes from there.
            let taker = match role.map(|role| role.trim_start_matches(&format!("{word}/"))) {
                None | Some("") => takers.next(),
                Some(word) => takers.find(|one| {
                    one.role.name == word
                        || format!("{}/{}", one.workflow.name, one.role.name) == word
                }),
            };
            let taker = taker.ok_or_else(|| {
                let message = "nobody takes a unit of work in this role from where it is now";
                Problem::new(problem::ROLE_NOT_FOUND, message)
            })?;
            units::actor::enter(app, &instance, &taker, caller.name()).await?;
            is_human(app, caller, &instance).await?;
            Some(taker.role.name.clone())
        }
    };
    let whose = (caller.name(), role);
    let claimed = app.engine.claim_task(&scope_of(caller), id, whose, LEASE).await;
    match claimed {
        Ok(claimed) => Ok(claimed),
        Err(error) => Err(why_not(app, caller, &task, error).await),
    }
}

/// Notes that an actor is a person: who is let in is taken for a program until somebody knows better.
async fn is_human(app: &App, caller: &Caller, instance: &Instance) -> Result<(), Problem> {
    let (now, instance_id) = (app.engine.clock().now(), instance.id());
    let name = caller.name().to_owned();
    let actor = ActorRow {
        actor_id: actor_id(instance_id, &name),
        instance_id,
        identity_key: name.clone(),
        name,
        description: None,
        kind: "HUMAN".to_owned(),
        capabilities: serde_json::json!({}),
        created_at: now,
        seen_at: now,
    };
    let note = move |store: &dyn windlass_store::Store| match store
        .actor(instance_id, &actor.actor_id.to_string())?
    {
        Some(known) if known.kind != SYSTEM => Ok(()),
        Some(known) => store.put_actor(&ActorRow { kind: actor.kind, ..known }).map(drop),
        None => store.put_actor(&actor).map(drop),
    };
    app.engine.call(note).await?;
    Ok(())
}

/// Why a task could not be taken, in words that help.
async fn why_not(app: &App, caller: &Caller, before: &Task, error: TaskRefused) -> Problem {
    let id = before.line.task_id;
    if !matches!(error, TaskRefused::LeaseLost(_) | TaskRefused::NotFound) {
        return refused(error);
    }
    let line = app.engine.desk().task(caller.project(), id);
    if let Some(held) = line.and_then(|line| line.held) {
        let message = match held.worker == caller.name() {
            true => "it is yours already".to_owned(),
            false => format!("`{}` has it: they were quicker", held.worker),
        };
        return Problem::new(problem::LEASE_LOST, message);
    }
    if matches!(before.of, Of::Unit(_))
        && let Ok(row) = units::pilot::unit(app, caller.project(), id).await
        && row.reason.as_deref() == Some("rejected")
    {
        let place = row.place.map(|place| format!(" to `{place}`")).unwrap_or_default();
        let message = format!("a guardian did not let it pass, and it has gone{place}");
        return Problem::new(problem::UNIT_STATE, message);
    }
    let message = "it is being taken by somebody else, or is not wanted any more; look again";
    Problem::new(problem::LEASE_LOST, message)
}

/// The hold that a form shows.
fn hold(caller: &Caller, filled: &BTreeMap<String, String>) -> Result<Hold, Problem> {
    let fence = filled.get("fence").and_then(|text| text.parse().ok());
    let fence = fence.ok_or_else(|| unreadable("missing field `fence`"))?;
    Ok(Hold { by: caller.name().to_owned(), fence: Some(fence) })
}

pub(super) async fn submit(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Vec<(String, String)>>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let id = id_of(&word)?;
    let filled = fields_of(filled)?;
    let chosen = chosen(&query);
    match hand_in(&app, &caller, id, &filled).await {
        Ok(task) => {
            let done = match task.of {
                Of::Unit(_) => format!("done_uow={id}"),
                Of::Step { .. } => format!("done={}", task.line.run_id),
            };
            let keep = query_of(&chosen);
            Ok(Redirect::to(&format!("/inbox?{keep}{done}")).into_response())
        }
        // What was typed must not be lost with the refusal.
        Err((title, problem)) => {
            let tried =
                Tried { filled: Some(filled), problem: Some((title, problem)), chosen, role: None };
            show(&app, &caller, id, tried).await
        }
    }
}

async fn hand_in(
    app: &Arc<App>,
    caller: &Caller,
    id: Uuid,
    filled: &BTreeMap<String, String>,
) -> Result<Task, (&'static str, Problem)> {
    let not = |problem| (NOT_HANDED_IN, problem);
    let mut hold = hold(caller, filled).map_err(not)?;
    let task = find(app, caller, id).await.map_err(not)?;
    let outcome = outcome(app, &task, filled).map_err(|problem| (NOT_RIGHT, problem))?;
    // The lease has ended, and they go on with what they had.
    if filled.contains_key("again") {
        let mut claimed = take(app, caller, id, filled.get("role")).await.map_err(not)?;
        hold.fence = Some(claimed.fence);
        claimed.heard();
    }
    let scope = scope_of(caller);
    let ended = app.engine.complete_task(&scope, id, &hold, outcome).await;
    ended.map_err(|error| match error {
        TaskRefused::LeaseLost(_) => not(lost(app, caller, id)),
        TaskRefused::Refused(_) => (NOT_RIGHT, refused(error)),
        error => not(refused(error)),
    })?;
    Ok(task)
}

/// That a task is not theirs any more, and whose it is.
fn lost(app: &App, caller: &Caller, id: Uuid) -> Problem {
    let line = app.engine.desk().task(caller.project(), id);
    let message = match line.and_then(|line| line.held) {
        Some(held) if held.worker != caller.name() => {
            format!(
                "your time with it was over, and `{}` has it now; what you have typed is below",
                held.worker
            )
        }
        Some(_) => "you have taken it anew since this form was shown; hand it in again".to_owned(),
        None => "your time with it was over, and nobody has it now; what you have typed is below"
            .to_owned(),
    };
    Problem::new(problem::LEASE_LOST, message)
}

pub(super) async fn release(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Vec<(String, String)>>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let id = id_of(&word)?;
    let hold = hold(&caller, &fields_of(filled)?)?;
    let scope: Scope = scope_of(&caller);
    app.engine.release_task(&scope, id, &hold).await.map_err(refused)?;
    Ok(Redirect::to(&format!("/inbox?{}", query_of(&chosen(&query)))).into_response())
}

/// Another day for it.
pub(super) async fn keep(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Vec<(String, String)>>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let id = id_of(&word)?;
    let hold = hold(&caller, &fields_of(filled)?)?;
    let beat =
        app.engine.heartbeat_task(&scope_of(&caller), id, &hold, None).await.map_err(refused)?;
    if let Some(over) = beat.cancel {
        return Err(refused(TaskRefused::Over(over)).into());
    }
    let keep = query_of(&chosen(&query));
    Ok(Redirect::to(&format!("/inbox/{id}?{keep}")).into_response())
}
