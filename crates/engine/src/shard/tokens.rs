//! Rows that follow from units of work and from steps that workers make.

use std::sync::Arc;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::json;
use windlass_core::run::token::{PilotAsk, Unit};
use windlass_core::run::{Offer, RunState, UnitChanged};
use windlass_store::{InterventionRow, MemoryRow, TaskRow, UnitRow};

use super::messages::TaskChange;
use crate::desk::Over;

/// Bytes of the input of a task that is kept beside it, for whoever looks at the queue. What is
/// larger is in the run.
const INPUT_BYTES_MAX: usize = 64 * 1024;
/// How sure a role is of what an actor has told it.
const CONFIDENCE: u32 = 100;

/// The id of a step's task: the same for every attempt and on every server, so that one who comes too
/// late, even after a restart, is told by the fence rather than by an id that nobody knows.
pub fn step_task_id(run_id: Uuid, path: &str) -> Uuid {
    derived_id(&format!("{run_id}/{path}"))
}

/// The id of an actor in an instance, as what it calls itself: its own, if that is an id.
pub fn actor_id(instance_id: Uuid, name: &str) -> Uuid {
    Uuid::parse_str(name).unwrap_or_else(|_| derived_id(&format!("{instance_id}@{name}")))
}

/// An id of something in an instance that has none of its own, such as a role.
pub fn id_in(instance_id: Uuid, what: &str) -> Uuid {
    derived_id(&format!("{instance_id}:{what}"))
}

/// The id of the `number`th question that a unit has asked its pilots.
pub fn ask_id(unit_id: Uuid, number: u32) -> Uuid {
    derived_id(&format!("{unit_id}?{number}"))
}

fn derived_id(of: &str) -> Uuid {
    let hash = json::sha256(&serde_json::Value::from(of));
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let digits = hash.get(index * 2..index * 2 + 2).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The id of the task at a path, if there may be one.
pub(crate) fn task_id(state: &RunState, path: &str) -> Uuid {
    let unit = state.tokens().and_then(|tokens| tokens.unit(path));
    unit.map_or_else(|| step_task_id(state.created.run_id, path), |unit| unit.id)
}

pub(crate) fn task_row(project: &str, state: &RunState, path: &str) -> Option<TaskRow> {
    let Offer { queue, kind, title, priority, fairness_key, since, attempt, fence, holder, .. } =
        state.offer(path)?;
    let shown = state.step(path).filter(|_| &*kind == "actor").and_then(|step| step.input.as_ref());
    let field = |name: &str| {
        let value = shown?.get(name).filter(|value| !value.is_null())?;
        (json::size(value) <= INPUT_BYTES_MAX).then(|| value.clone())
    };
    Some(TaskRow {
        task_id: task_id(state, path),
        run_id: state.created.run_id,
        path: path.to_owned(),
        project: project.to_owned(),
        queue,
        kind: kind.to_string(),
        title: title.unwrap_or_default(),
        priority,
        fairness_key,
        offered_at: since,
        attempt,
        fence,
        claimed_at: holder.as_ref().map(|holder| holder.since),
        lease_micros: holder.as_ref().map(|holder| micros(holder.lease.0)),
        holder: holder.map(|holder| holder.by),
        form: field("form"),
        input: field("input"),
    })
}

/// How every task that a run has, or had, stands: a commit that was reported lost may have changed any
/// of them, and then nobody was told. What a paused run offers is said when it goes on: whoever has
/// just asked for it would ask again, and again.
pub(super) fn all_tasks(project: &str, state: &RunState) -> Vec<TaskChange> {
    let units = state.tokens().into_iter().flat_map(|tokens| tokens.units()).map(|(path, _)| path);
    let steps = state.steps().filter(|(_, step)| step.task().is_some()).map(|(path, _)| path);
    let is_paused = state.pause().is_some();
    let change = |path: &str| match task_row(project, state, path) {
        Some(row) if is_paused && row.holder.is_none() => None,
        Some(row) => Some(TaskChange::Stands(Box::new(row))),
        None => Some(TaskChange::Over { task_id: task_id(state, path), how: Over::Cancelled }),
    };
    let mut all: Vec<TaskChange> = units.chain(steps).filter_map(change).collect();
    all.push(TaskChange::Learned);
    all
}

fn micros(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

pub(crate) fn unit_row(project: &str, state: &RunState, path: &str, unit: &Unit) -> UnitRow {
    let parent = unit.parent.as_deref();
    let parent = parent.and_then(|parent| state.tokens()?.unit(parent));
    let holder = unit.holder.as_deref().map(|held| &held.holder);
    UnitRow {
        unit_id: unit.id,
        run_id: state.created.run_id,
        path: path.to_owned(),
        ordinal: unit.ordinal,
        project: project.to_owned(),
        instance_id: state.created.workflow_id,
        workflow: unit.workflow.to_string(),
        parent_id: parent.map(|parent| parent.id),
        place: unit.place.as_deref().map(str::to_owned),
        role: unit.role.as_deref().map(str::to_owned),
        status: unit.status.as_str().to_owned(),
        reason: unit.reason.as_deref().map(str::to_owned),
        holder: holder.map(|holder| holder.by.clone()),
        fence: unit.fence,
        interaction_count: unit.interaction_count,
        max_interactions: unit.max_interactions,
        child_count: u32::try_from(unit.children.len()).unwrap_or(u32::MAX),
        finished_child_count: unit.finished_children,
        version: unit.version(),
        hash: unit.hash.to_string(),
        priority: unit.priority,
        created_at: unit.created_at,
        entered_at: unit.entered_at,
        updated_at: unit.changed_at,
        lease_micros: holder.map(|holder| micros(holder.lease.0)),
        due_at: unit.until,
    }
}

/// A question to pilots that is open, with where its unit is and how long there is for it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    ask: PilotAsk,
    place: Option<Arc<str>>,
    until: Option<Time>,
}

impl Asked {
    pub(super) fn of(unit: &Unit) -> Option<Asked> {
        let ask = unit.ask.as_deref()?.clone();
        Some(Asked { ask, place: unit.place.clone(), until: unit.until })
    }
}

/// A question to pilots as it stands after a change: a new one, or one that was answered by it.
pub(super) fn interventions(
    project: &str,
    state: &RunState,
    (path, before): (&str, Option<&Asked>),
    change: &UnitChanged,
    now: Time,
) -> Vec<InterventionRow> {
    let Some(unit) = state.tokens().and_then(|tokens| tokens.unit(path)) else { return Vec::new() };
    let row = |number: u32, kind: &str, since: Time, place: Option<&str>| InterventionRow {
        request_id: ask_id(unit.id, number),
        project: project.to_owned(),
        instance_id: state.created.workflow_id,
        run_id: state.created.run_id,
        unit_id: unit.id,
        path: path.to_owned(),
        kind: kind.to_owned(),
        status: "PENDING".to_owned(),
        priority: priority(kind).to_owned(),
        title: title(kind, place),
        description: change.reasoning.clone().unwrap_or_default(),
        context: serde_json::json!({
            "workflow": unit.workflow, "place": place, "role": unit.role, "because": change.because,
            "original_target_status": unit.parked.as_ref().map(|parked| parked.status),
        }),
        required_role: "OPERATOR".to_owned(),
        assigned_to: None,
        created_at: since,
        expires_at: change.until.unwrap_or_else(|| since.plus(EXPIRES_AFTER)),
        updated_at: now,
        action_by: None,
        action_reason: None,
        action_at: None,
    };
    let mut rows = Vec::new();
    if let (Some(answered), Some(before)) = (&change.answered, before) {
        let ask = &before.ask;
        let answered_row = row(ask.number, &ask.kind, ask.since, before.place.as_deref());
        rows.push(InterventionRow {
            status: answered.to_uppercase(),
            expires_at: before.until.unwrap_or(answered_row.expires_at),
            action_by: Some(change.by.clone()),
            action_reason: change.reasoning.clone(),
            action_at: Some(now),
            ..answered_row
        });
    }
    if let (Some(_), Some(ask)) = (&change.asks, unit.ask.as_deref()) {
        rows.push(row(ask.number, &ask.kind, ask.since, unit.place.as_deref()));
    }
    rows
}

/// How long a question is open on which nothing depends by itself.
const EXPIRES_AFTER: std::time::Duration = std::time::Duration::from_secs(3_600);

fn priority(kind: &str) -> &'static str {
    match kind {
        "kill_switch" => "critical",
        "resume" => "high",
        _ => "normal",
    }
}

fn title(kind: &str, place: Option<&str>) -> String {
    let at = place.map(|place| format!(" at {place}")).unwrap_or_default();
    match kind {
        "kill_switch" => format!("A unit of work was stopped{at}: may it go on?"),
        "resume" => format!("What was made of a unit of work{at} waits for approval"),
        _ => format!("A unit of work is stuck{at}: what is it to do?"),
    }
}

/// What a role of an instance is called in rows: a child workflow may have one of the same name.
pub(crate) fn role_word(state: &RunState, workflow: &str, role: &str) -> String {
    // The base unit stays in the workflow by which work enters.
    let master = state.tokens().and_then(|tokens| Some(&*tokens.unit("u0")?.workflow));
    match master {
        Some(master) if master != workflow => format!("{workflow}/{role}"),
        _ => role.to_owned(),
    }
}

/// What a role has learned by a change.
pub(super) fn learned(
    state: &RunState,
    path: &str,
    change: &UnitChanged,
    now: Time,
) -> Option<MemoryRow> {
    let (key, value) = change.learned.as_deref()?;
    let instance_id = state.created.workflow_id;
    let actor = actor_id(instance_id, &change.by);
    let role = role_word(state, &state.tokens()?.unit(path)?.workflow, change.role.as_deref()?);
    Some(MemoryRow {
        memory_id: derived_id(&format!("{instance_id}/{role}/{actor}/{key}")),
        instance_id,
        role,
        context_type: "ACTOR".to_owned(),
        context_id: actor.to_string(),
        actor_id: Some(actor),
        key: key.clone(),
        value: value.clone(),
        confidence: CONFIDENCE,
        is_toxic: false,
        toxic_reason: None,
        created_at: now,
        accessed_at: None,
    })
}
