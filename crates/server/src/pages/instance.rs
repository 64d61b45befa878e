//! `/instances/{id}`: one instance, with its graph and how many units are where, its units, who acts in
//! it, and what a person can do with it. Live.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;
use windlass_core::run::token::UnitStatus;
use windlass_store::{Store, UnitFilter};

use super::error::PageProblem;
use super::instance_view::{Actor, Head, actors, read};
use super::live::{TICK, watch, whole};
use super::render::{For, Me, page_for, render};
use super::template_view::{Shape, graph};
use super::unit_rows::UnitLine;
use super::workflow::Told;
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::app::{App, Shared};
use crate::client::segment;
use crate::http::paging::{cursor, place};
use crate::http::problem::Problem;
use crate::units::{Instance, instance};

/// Which units.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    status: Option<String>,
    place: Option<String>,
    cursor: Option<String>,
}

/// The form that adds a unit, as it was filled in.
#[derive(Debug, Default, Serialize)]
pub(super) struct UnitForm {
    pub(super) attributes: String,
    pub(super) reasoning: String,
    pub(super) priority: String,
    pub(super) max_interactions: String,
    /// Why the last try was refused.
    pub(super) refused: Option<Told>,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    tab: &'static str,
    title: String,
    instance: Head,
    shapes: Vec<Shape>,
    units: Vec<UnitLine>,
    is_first: bool,
    next: Option<String>,
    status_word: String,
    place_word: String,
    is_filtered: bool,
    statuses: Vec<&'static str>,
    places: Vec<String>,
    actors: Vec<Actor>,
    /// The roles that actors act in.
    roles: Vec<String>,
    form: UnitForm,
    live: Option<String>,
}

impl Query {
    fn filter(&self, instance_id: Uuid) -> Result<UnitFilter, Problem> {
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let status = some(&self.status);
        if let Some(word) = &status
            && UnitStatus::parse(word).is_none()
        {
            return Err(Problem::parameter("status", format!("no unit is ever `{word:.64}`")));
        }
        let instance_id = Some(instance_id);
        Ok(UnitFilter { instance_id, status, place: some(&self.place), ..UnitFilter::default() })
    }

    /// The query without its cursor, to be gone on with.
    fn kept(&self) -> String {
        let pairs = [("status", &self.status), ("place", &self.place)];
        let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        pairs.map(|(name, value)| format!("{name}={}&", segment(value))).collect()
    }
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let instance = instance::find(&app, caller.project(), &word).await?;
    show(&app, &caller, &instance, query, UnitForm::default()).await
}

/// The page, with the form as it was filled in if the last try was refused.
pub(super) async fn show(
    app: &Arc<App>,
    caller: &Caller,
    instance: &Instance,
    query: Query,
    form: UnitForm,
) -> Result<Response, PageProblem> {
    let after: Option<Uuid> = place(query.cursor.as_deref())?;
    let (id, row) = (instance.id(), instance.row.clone());
    let filter = query.filter(id)?;
    let look = move |store: &dyn Store| Ok((read(store, row, &filter, after)?, actors(store, id)?));
    let (shown, actors) = app.engine.read(look).await?;
    let workflows = instance.workflows();
    let mut shapes: Vec<Shape> = (1..)
        .zip(&workflows)
        .map(|(number, workflow)| Shape::with_units(workflow, number, &shown.counts, id))
        .collect();
    let words: std::collections::HashMap<(String, String), String> = instance
        .roles()
        .map(|role| ((role.workflow.name.clone(), role.role.name.clone()), role.word()))
        .collect();
    for shape in &mut shapes {
        for role in &mut shape.roles {
            let word = words.get(&(shape.name.clone(), role.name.clone()));
            let has = |actor: &&Actor| actor.roles.iter().any(|(one, _)| Some(one) == word);
            role.assigned = actors.iter().filter(has).map(|actor| actor.name.clone()).collect();
        }
    }
    let places = workflows.iter().flat_map(|workflow| &workflow.interactions);
    let places: std::collections::BTreeSet<String> =
        places.map(|place| place.name.clone()).collect();
    let roles = instance.roles().filter(|role| role.is_for_actors());
    let kept = query.kept();
    let context = Context {
        nav: "instances",
        tab: "instances",
        title: shown.head.name.clone(),
        instance: shown.head,
        units: shown.units,
        is_first: after.is_none(),
        next: shown.next.map(|next| format!("/instances/{id}?{kept}cursor={}", cursor(&next))),
        is_filtered: !kept.is_empty(),
        status_word: query.status.unwrap_or_default(),
        place_word: query.place.unwrap_or_default(),
        statuses: UnitStatus::ALL.iter().map(|status| status.as_str()).collect(),
        places: places.into_iter().collect(),
        actors,
        roles: roles.map(|role| role.word()).collect(),
        shapes,
        form,
        // Older pages do not change under their reader.
        live: after.is_none().then(|| format!("/instances/{id}/live?{kept}")),
    };
    Ok(page_for("instance.html", &Me::of(app, caller), context).into_response())
}

/// The parts of the page that change while units move.
pub(super) async fn live(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let found = instance::find(&app, caller.project(), &word).await?;
    let (id, filter) = (found.id(), query.filter(found.id())?);
    let (of, whose, found) = (app.clone(), caller.clone(), Arc::new(found));
    Ok(watch(&app, &caller, Some(TICK), move || {
        let (app, caller, found, filter) =
            (of.clone(), whose.clone(), found.clone(), filter.clone());
        async move {
            let project = caller.project().to_owned();
            let before = found.row.clone();
            let look = move |store: &dyn Store| {
                let row = store.instance(&project, &id.to_string())?.unwrap_or(before);
                read(store, row, &filter, None)
            };
            let shown = app.engine.read(look).await?;
            let me = Me::of(&app, &caller);
            let about = BTreeMap::from([("instance", shown.head)]);
            let mut parts = Vec::new();
            let head = render("parts/instance_head.html", For { me: &me, context: about });
            parts.push(whole("instance-head", head));
            for (number, workflow) in (1..).zip(found.workflows()) {
                let svg = graph(workflow, number, &shown.counts, id);
                let html = render("parts/template_graph.html", GraphPart { number, graph: svg });
                parts.push(whole(format!("graph-frame-{number}"), html));
            }
            let rows = BTreeMap::from([("units", shown.units)]);
            parts.push(whole("units", render("parts/unit_rows.html", rows)));
            Ok(parts)
        }
    }))
}

#[derive(Serialize)]
struct GraphPart {
    number: usize,
    graph: String,
}
