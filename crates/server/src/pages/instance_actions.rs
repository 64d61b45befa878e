//! What a person can do with an instance: add units, hold it up, put it away, stop everything at once,
//! say who acts in which role.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use uuid::Uuid;
use windlass_core::limits::PRIORITY_MAX;
use windlass_core::run::UnitTerms;
use windlass_store::InstanceStatus;

use super::error::PageProblem;
use super::instance::{Query, UnitForm, show};
use super::template_instantiate::{Filled, attributes, fields_of};
use crate::access::Caller;
use crate::api::instances::assign::{ActorKind, AssignRequest};
use crate::api::query::Named;
use crate::app::{App, Shared};
use crate::http::problem::Problem;
use crate::units::create::{WantedUnit, add_unit};
use crate::units::{Instance, assign, instance, pilot, status};

/// The longest reason and name, in characters.
const TEXT_LENGTH_MAX: usize = 1_000;

fn back(instance: &Instance) -> Response {
    Redirect::to(&format!("/instances/{}", instance.id())).into_response()
}

/// A text that was filled in; `None` if it is empty.
pub(super) fn text_of(name: &str, filled: &BTreeMap<String, String>) -> Option<String> {
    let text = filled.get(name)?.trim();
    (!text.is_empty()).then(|| text.chars().take(TEXT_LENGTH_MAX).collect())
}

async fn set(
    app: &App,
    caller: &Caller,
    word: &str,
    to: InstanceStatus,
) -> Result<Response, PageProblem> {
    let reason = match to {
        InstanceStatus::Active => None,
        _ => Some(format!("by {}", caller.name())),
    };
    let row = status::set(app, caller, word, to, reason).await?;
    Ok(Redirect::to(&format!("/instances/{}", row.instance_id)).into_response())
}

pub(super) async fn pause(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    set(&app, &caller, &word, InstanceStatus::Paused).await
}

pub(super) async fn resume(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    set(&app, &caller, &word, InstanceStatus::Active).await
}

pub(super) async fn archive(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    confirmed(&fields_of(filled)?)?;
    set(&app, &caller, &word, InstanceStatus::Archived).await
}

/// What cannot be taken back is not done by a slip of the hand.
fn confirmed(filled: &BTreeMap<String, String>) -> Result<(), Problem> {
    match filled.get("confirm").map(String::as_str) {
        Some("yes") => Ok(()),
        _ => Err(Problem::parameter("confirm", "tick the box to say that this is meant")),
    }
}

pub(super) async fn kill(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let filled = fields_of(filled)?;
    confirmed(&filled)?;
    let reason = text_of("reason", &filled);
    let reason = reason.ok_or_else(|| Problem::parameter("reason", "say why"))?;
    let instance = instance::find(&app, caller.project(), &word).await?;
    pilot::kill(&app, &caller, &instance, &reason).await?;
    Ok(back(&instance))
}

pub(super) async fn add(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let filled = fields_of(filled)?;
    let instance = instance::find(&app, caller.project(), &word).await?;
    let added = match wanted(&filled) {
        Ok(wanted) => add_unit(&app, &caller, &instance, wanted).await,
        Err(problem) => Err(problem),
    };
    match added {
        Ok(unit) => Ok(Redirect::to(&format!("/uows/{unit}")).into_response()),
        // What was typed must not be lost with the refusal.
        Err(problem) => {
            let status = problem.status();
            let field = |name: &str| filled.get(name).cloned().unwrap_or_default();
            let form = UnitForm {
                attributes: field("attributes"),
                reasoning: field("reasoning"),
                priority: field("priority"),
                max_interactions: field("max_interactions"),
                refused: Some(problem.into()),
            };
            let page = show(&app, &caller, &instance, Query::default(), form).await?;
            Ok((status, page).into_response())
        }
    }
}

fn wanted(filled: &BTreeMap<String, String>) -> Result<WantedUnit, Problem> {
    let priority = match text_of("priority", filled) {
        None => None,
        Some(text) => {
            let number = text.parse().ok();
            let number = number.filter(|number| (-PRIORITY_MAX..=PRIORITY_MAX).contains(number));
            Some(number.ok_or_else(|| {
                let message = format!("a whole number from -{PRIORITY_MAX} to {PRIORITY_MAX}");
                Problem::parameter("priority", message)
            })?)
        }
    };
    let max_interactions =
        match text_of("max_interactions", filled) {
            None => None,
            Some(text) => Some(text.parse().ok().filter(|most| *most > 0).ok_or_else(|| {
                Problem::parameter("max_interactions", "a whole number from 1 on")
            })?),
        };
    let reasoning = text_of("reasoning", filled);
    Ok(WantedUnit {
        attributes: attributes("attributes", filled)?,
        terms: UnitTerms { reasoning, max_interactions, ..UnitTerms::default() },
        priority,
        ..WantedUnit::default()
    })
}

/// Gives an actor a role; from then on it is for those alone who have it.
pub(super) async fn assign(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let filled = fields_of(filled)?;
    let instance = instance::find(&app, caller.project(), &word).await?;
    let kind = match text_of("kind", &filled).as_deref() {
        None | Some("HUMAN") => ActorKind::Human,
        Some("AI_AGENT") => ActorKind::AiAgent,
        Some("SYSTEM") => ActorKind::System,
        Some(_) => return Err(Problem::parameter("kind", "HUMAN, AI_AGENT or SYSTEM").into()),
    };
    let wanted = AssignRequest {
        actor: text_of("actor", &filled).unwrap_or_default(),
        role: text_of("role", &filled).unwrap_or_default(),
        name: None,
        description: None,
        kind: Some(kind),
        capabilities: None,
    };
    assign::assign(&app, &caller, &instance, wanted).await?;
    Ok(back(&instance))
}

pub(super) async fn revoke(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let filled = fields_of(filled)?;
    let instance = instance::find(&app, caller.project(), &word).await?;
    let wanted = filled.get("assignment").and_then(|word| Uuid::parse_str(word).ok());
    let wanted = wanted.ok_or_else(|| Problem::parameter("assignment", "an id is expected"))?;
    assign::revoke(&app, &instance, wanted).await?;
    Ok(back(&instance))
}
