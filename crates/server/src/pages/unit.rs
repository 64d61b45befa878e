//! `/uows/{id}`: the life of one unit of work: where it is and why, its attributes by version, its
//! history, what guardians have said, its children, who has it, and what a pilot can do. Live.
//!
//! To a program the same address is JSON: `pages/mod.rs` is where the two meet.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;
use windlass_core::run::token::UnitStatus;
use windlass_core::template::GuardianKind;
use windlass_store::{Store, UnitFilter, UnitRow};

use super::error::PageProblem;
use super::live::{TICK, watch, whole};
use super::queue::left;
use super::render::{For, Me, Moment, moment, page_for, render};
use super::runs::short_id;
use super::unit_rows::UnitLine;
use super::unit_story::{self, Story};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::why::WhyBody;
use crate::app::{App, Shared};
use crate::http::problem::{self, Problem};
use crate::units::{Instance, instance, pilot};

/// Children that the page shows.
const CHILDREN_SHOWN: usize = 100;

/// Everything that the page shows.
#[derive(Serialize)]
pub(super) struct Context {
    nav: &'static str,
    tab: &'static str,
    title: String,
    unit: Head,
    story: Story,
    children: Vec<UnitLine>,
    live: Option<String>,
}

/// What the unit is and how it stands.
#[derive(Debug, Serialize)]
struct Head {
    line: UnitLine,
    run_id: String,
    run_short: String,
    path: String,
    instance_id: String,
    instance: String,
    version: u32,
    hash: String,
    priority: i32,
    max_interactions: Option<u32>,
    created: Moment,
    due: Option<Moment>,
    /// Why it is where it is.
    why: Option<String>,
    /// How long it is its holder's own still, if nothing is heard of them.
    lease: Option<String>,
    /// What a pilot can do with it now.
    acts: Vec<&'static str>,
    /// The guardians that may be waived.
    guardians: Vec<String>,
    is_over: bool,
}

/// The page for people.
pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    let context = read(&app, &caller, id_of(&word)?).await?;
    Ok(page_for("unit.html", &Me::of(&app, &caller), context).into_response())
}

/// The id in an address.
///
/// # Errors
///
/// `unit-not-found`: what is no id is nobody's.
pub(super) fn id_of(word: &str) -> Result<Uuid, Problem> {
    Uuid::parse_str(word).map_err(|_| {
        Problem::new(problem::UNIT_NOT_FOUND, format!("there is no unit of work `{word:.64}`"))
    })
}

async fn read(app: &App, caller: &Caller, id: Uuid) -> Result<Context, Problem> {
    let row = pilot::unit(app, caller.project(), id).await?;
    let instance = instance::find(app, caller.project(), &row.instance_id.to_string()).await?;
    let (run_id, path, project) = (row.run_id, row.path.clone(), caller.project().to_owned());
    let look = move |store: &dyn Store| {
        let story = unit_story::read(store, run_id, &path)?;
        let filter = UnitFilter { parent_id: Some(id), ..UnitFilter::default() };
        let children = store.units(&project, &filter, None, CHILDREN_SHOWN)?.items;
        Ok((story, children))
    };
    let (story, children) = app.engine.read(look).await?;
    let unit = head(app, row, &instance).await;
    Ok(Context {
        nav: "instances",
        tab: "instances",
        title: format!("Unit {}", unit.line.short_id),
        live: (!unit.is_over).then(|| format!("/uows/{id}/live")),
        unit,
        story,
        children: children.into_iter().map(UnitLine::from).collect(),
    })
}

async fn head(app: &App, row: UnitRow, instance: &Instance) -> Head {
    let status = UnitStatus::parse(&row.status);
    let is_over = status.is_some_and(UnitStatus::is_final)
        || status == Some(UnitStatus::Failed) && row.place.is_none();
    let why = if is_over { None } else { why(app, &row).await };
    let wait = app.engine.desk().wait_of(row.unit_id);
    let held = wait.and_then(|wait| wait.held);
    let acts = status.map(|status| acts(status, &row)).unwrap_or_default();
    let workflow = instance.workflows().into_iter().find(|one| one.name == row.workflow);
    let guardians = workflow.iter().flat_map(|one| &one.components).flat_map(|one| &one.guardians);
    // Of what has come to the end, nothing but CERBERUS holds it.
    let is_last = status == Some(UnitStatus::Completed);
    let guardians = guardians.filter(|one| !is_last || one.kind == GuardianKind::Cerberus);
    Head {
        run_id: row.run_id.to_string(),
        run_short: short_id(&row.run_id.to_string()),
        path: row.path.clone(),
        instance_id: row.instance_id.to_string(),
        instance: instance.row.name.clone(),
        version: row.version,
        hash: row.hash.clone(),
        priority: row.priority,
        max_interactions: row.max_interactions,
        created: moment(row.created_at),
        due: row.due_at.map(moment),
        why,
        lease: held.map(|held| left(held.lease)),
        acts,
        guardians: guardians.map(|guardian| guardian.name.clone()).collect(),
        is_over,
        line: UnitLine::from(row),
    }
}

/// Why it does not move; `None` if it cannot be told now.
async fn why(app: &App, row: &UnitRow) -> Option<String> {
    let run_id = row.run_id;
    let run = app.engine.read(move |store| Ok(store.overview(run_id, 0)?.map(|one| one.row))).await;
    let run = run.ok().flatten()?;
    let why = app.engine.why(run_id, Some(row.path.clone())).await.ok()?;
    let why = WhyBody::of(&run, why);
    let whole = why.because.into_iter().map(|cause| cause.message);
    let own = why.steps.into_iter().filter(|step| step.path == row.path).map(|step| step.message);
    let told: Vec<String> = whole.chain(own).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// What a pilot can do with a unit that stands there.
fn acts(status: UnitStatus, row: &UnitRow) -> Vec<&'static str> {
    match status {
        UnitStatus::ZombiedSoft => vec!["clarify", "cancel"],
        UnitStatus::ZombiedDead => vec!["cancel", "archive"],
        UnitStatus::PendingPilotApproval => vec!["resume", "cancel"],
        UnitStatus::Paused => vec!["resume", "waive", "cancel"],
        UnitStatus::Completed if row.parent_id.is_none() => vec!["waive"],
        UnitStatus::Failed if row.reason.as_deref() == Some("rejected") => vec!["waive"],
        _ => Vec::new(),
    }
}

/// The parts of the page that change while the unit moves.
pub(super) async fn live(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, PageProblem> {
    let id = id_of(&word)?;
    pilot::unit(&app, caller.project(), id).await?;
    let (of, whose) = (app.clone(), caller.clone());
    Ok(watch(&app, &caller, Some(TICK), move || {
        let (app, caller) = (of.clone(), whose.clone());
        async move {
            let Context { unit, story, children, .. } = read(&app, &caller, id).await?;
            let me = Me::of(&app, &caller);
            let about = BTreeMap::from([("unit", unit)]);
            let head = render("parts/unit_head.html", For { me: &me, context: about });
            let told = render("parts/unit_story.html", BTreeMap::from([("story", story)]));
            let rows = BTreeMap::from([("units", children)]);
            let rows = render("parts/unit_rows.html", rows);
            Ok(vec![whole("unit-head", head), whole("unit-story", told), whole("units", rows)])
        }
    }))
}
