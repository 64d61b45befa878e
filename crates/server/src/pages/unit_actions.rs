//! What a pilot does with a unit of work on its page.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use windlass_core::run::PilotAct;

use super::error::PageProblem;
use super::instance_actions::text_of;
use super::template_instantiate::{Filled, fields_of};
use super::unit::id_of;
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::{App, Shared};
use crate::http::problem::Problem;
use crate::units::pilot;

async fn told(
    app: &App,
    caller: &Caller,
    word: &str,
    act: PilotAct,
) -> Result<Response, PageProblem> {
    let row = pilot::act(app, caller, id_of(word)?, act).await?;
    Ok(Redirect::to(&format!("/uows/{}", row.unit_id)).into_response())
}

fn needed(name: &str, filled: &BTreeMap<String, String>) -> Result<String, Problem> {
    text_of(name, filled).ok_or_else(|| Problem::parameter(name, "this is needed"))
}

pub(super) async fn resume(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    told(&app, &caller, &word, PilotAct::Resume).await
}

pub(super) async fn clarify(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let text = needed("text", &fields_of(filled)?)?;
    told(&app, &caller, &word, PilotAct::Clarify { text }).await
}

pub(super) async fn waive(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let filled = fields_of(filled)?;
    let (rule, reason) = (needed("rule", &filled)?, needed("reason", &filled)?);
    told(&app, &caller, &word, PilotAct::Waive { rule, reason }).await
}

pub(super) async fn cancel(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let reason = needed("reason", &fields_of(filled)?)?;
    told(&app, &caller, &word, PilotAct::Cancel { reason }).await
}

pub(super) async fn archive(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let reason = needed("reason", &fields_of(filled)?)?;
    told(&app, &caller, &word, PilotAct::Archive { reason }).await
}
