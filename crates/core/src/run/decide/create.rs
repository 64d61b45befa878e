use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::start::expression_failure;
use crate::definition::{Plan, SharedRuns};
use crate::expr::Environment;
use crate::failure::Failure;
use crate::json;
use crate::limits::{JSON_DEPTH_MAX, LABEL_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::run::RunState;
use crate::run::event::{
    Concurrency, Event, Fact, ObservedTerms, Parent, Reused, RunCreated, UnitTerms,
};
use crate::run::input::Refused;
use crate::run::names::RunNames;
use crate::run::token::{bad, check_attributes};
use crate::time::Time;

/// What is needed for a run to come into being.
#[derive(Clone, Debug, Default)]
pub struct CreateRun {
    /// The run's id.
    pub run_id: Uuid,
    /// The workflow's id.
    pub workflow_id: Uuid,
    /// Its version.
    pub version: u32,
    /// That version's definition.
    pub definition_id: Uuid,
    /// The input.
    pub input: Value,
    /// Labels, besides those of the definition.
    pub labels: BTreeMap<String, String>,
    /// The run this one repeats.
    pub rerun_of: Option<Uuid>,
    /// What the caller calls the run.
    pub external_id: Option<String>,
    /// The step that has asked for it, if it is a sub-run.
    pub parent: Option<Parent>,
    /// Its priority, if not the definition's.
    pub priority: Option<i32>,
    /// Whether it has to be admitted although it shares nothing.
    pub held: bool,
    /// Who creates it.
    pub by: Option<String>,
    /// What it takes over from the run it repeats, see [`RunState::reusable`].
    pub reused: BTreeMap<String, Reused>,
    /// What its base unit of work is to be like, if actors drive it.
    pub unit: Option<UnitTerms>,
    /// That another program drives it, if one does.
    pub observed: Option<ObservedTerms>,
    /// How many triggers lie between it and a run that nobody's end has started.
    pub trigger_depth: u32,
}

/// Decides whether a run comes into being.
///
/// # Errors
///
/// [`Refused::BadInput`] if the input does not fit the definition's schema,
/// [`Refused::InputTooLarge`] and [`Refused::InputTooDeep`] if a journal could not hold it,
/// [`Refused::BadConcurrencyKey`] if the key it shares with others has no value,
/// [`Refused::OnlyWatched`] if another program drives it, [`Refused::NotAGraph`] if it is one of actors and no unit of work is asked for, or the other way.
pub fn create(plan: &Plan, request: CreateRun, now: Time) -> Result<Event, Refused> {
    let size = json::size(&request.input);
    if size > PAYLOAD_BYTES_MAX {
        return Err(Refused::InputTooLarge { size, max: PAYLOAD_BYTES_MAX });
    }
    if json::depth(&request.input) > JSON_DEPTH_MAX {
        return Err(Refused::InputTooDeep { max: JSON_DEPTH_MAX });
    }
    if let Some(schema) = &plan.input {
        let violations = schema.violations(&request.input);
        if !violations.is_empty() {
            return Err(Refused::BadInput(violations));
        }
    }
    if plan.flow.is_some() != request.observed.is_some() {
        return Err(if plan.flow.is_some() { Refused::OnlyWatched } else { Refused::NotWatched });
    }
    if plan.tokens.is_some() != request.unit.is_some() {
        return Err(Refused::NotAGraph);
    }
    if plan.tokens.is_some() {
        let attributes = request
            .input
            .as_object()
            .ok_or_else(|| bad("the attributes of a unit of work are an object".to_owned()))?;
        check_attributes(attributes.iter())?;
    }
    let mut labels = plan.labels.clone();
    labels.extend(request.labels);
    let created = RunCreated {
        run_id: request.run_id,
        workflow: plan.name.clone(),
        workflow_id: request.workflow_id,
        version: request.version,
        definition_id: request.definition_id,
        input: Arc::new(request.input),
        labels,
        rerun_of: request.rerun_of,
        external_id: request.external_id,
        parent: request.parent,
        concurrency: None,
        priority: request.priority.unwrap_or(plan.priority),
        held: request.held,
        by: request.by,
        reused: request.reused,
        unit: request.unit.map(Box::new),
        observed: request.observed.map(Box::new),
        trigger_depth: request.trigger_depth,
    };
    let mut event = Event { at: now, fact: Fact::RunCreated(Box::new(created)) };
    if let Some(shared) = &plan.concurrency {
        let key = concurrency_key(plan, shared, &event)?;
        if let Fact::RunCreated(created) = &mut event.fact {
            let SharedRuns { limit, on_limit, .. } = *shared;
            created.concurrency = Some(Concurrency { key, limit, on_limit });
            created.held = true;
        }
    }
    Ok(event)
}

/// The workflow's id and, if the definition names a key, what that is for this run.
fn concurrency_key(plan: &Plan, shared: &SharedRuns, created: &Event) -> Result<String, Refused> {
    let state = RunState::from_first(created);
    let state = state.expect("the event is the creation of a run");
    let workflow_id = state.created.workflow_id;
    let Some(key) = &shared.key else { return Ok(workflow_id.to_string()) };
    let names = RunNames { state: &state, plan, scope: "", ended: None };
    let rendered = key.render(&Environment::new(&names, created.at));
    let value = rendered
        .map_err(|(place, error)| expression_failure(&format!("/concurrency/key{place}"), &error))
        .map_err(Refused::BadConcurrencyKey)?
        .value;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.len() > LABEL_BYTES_MAX {
        let message = format!("it has more than {LABEL_BYTES_MAX} bytes");
        return Err(Refused::BadConcurrencyKey(Failure::new("too_long", message)));
    }
    Ok(format!("{workflow_id}:{text}"))
}
