//! The document of a run: what `state.json` has, and what is answered.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use windlass_core::Time;
use windlass_core::definition::{Node, OnFailure, Plan, Policy};
use windlass_core::run::path::{scope_of, without_visit};
use windlass_core::run::{Fact, StepStatus};
use windlass_store::{LogFilter, RunFilter, RunRow, Store, StoreError};

use super::{DATA_PREFIX, KEPT_PREFIX, NAME_LABEL, PARENT_LABEL, PREFIX};
use super::{id_of, kept, run_word, step_word};
use crate::api::run::RunBody;
use crate::api::step::{StepBody, bodies};

/// Steps that a document has.
const STEPS_MAX: usize = 1_000;
/// Lines of the log that a document has.
const LINES_MAX: usize = 1_000;
/// Events that are looked through for data from outside.
const EVENTS_MAX: usize = 10_000;
/// Branches that are listed.
const BRANCHES_MAX: usize = 100;

/// A run as the hybrid engine shows it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateBody {
    /// What the client calls it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `PENDING`, `RUNNING`, `COMPLETED`, `FAILED` or `STOPPED`.
    pub status: &'static str,
    /// Its steps, in the order of the document; at most 1,000.
    pub steps: Vec<StepState>,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When something last happened in it.
    pub updated_at: String,
    /// What it is for.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: Option<Vec<String>>,
    /// How many of its steps are completed, in percent; 100 once it is over.
    pub progress: u32,
    /// The run that it is a branch of.
    pub parent_id: Option<String>,
    /// Its branches.
    pub branches: Option<Vec<BranchBody>>,
    /// What models have taken.
    pub metrics: StateMetrics,
    /// Which step has cost what, in US dollars.
    #[serde(rename = "cost_breakdown")]
    pub cost_breakdown: Option<BTreeMap<String, f64>>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepState {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it does: as the document says, else the kind of its node.
    pub action: String,
    /// `PENDING`, `WAITING_FOR_DEPENDENCY` (it is queued), `RUNNING`, `COMPLETED`, `FAILED` or
    /// `STOPPED`.
    pub status: &'static str,
    /// The ids of the steps that have to be completed before.
    pub dependencies: Vec<String>,
    /// Its output.
    pub outputs: Option<Value>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it began.
    pub start_time: Option<String>,
    /// When it ended.
    pub end_time: Option<String>,
    /// How long it took, such as `5 sec`.
    pub duration: Option<String>,
    /// What it wrote.
    pub logs: Vec<String>,
    /// `{tokens, cost}`, if it has asked a model.
    pub metadata: Option<Value>,
    /// `{attempts, queued_ms}`, once it has begun.
    #[serde(rename = "execution_metrics")]
    pub execution_metrics: Option<Value>,
    /// `stop_workflow` or `continue`.
    #[serde(rename = "on_failure")]
    pub on_failure: &'static str,
    /// What it was told to do.
    pub params: Value,
}

/// A branch of a run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BranchBody {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// What models have taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct StateMetrics {
    /// Tokens sent and answered.
    pub total_tokens: i64,
    /// US dollars.
    pub total_cost: f64,
}

/// What a node of a document was before it became one.
pub(super) fn origin<'a>(plan: &'a Plan, node: &str) -> Option<&'a Map<String, Value>> {
    plan.vars.get("hybrid")?.get("steps")?.get(node)?.as_object()
}

/// Nodes that stand for steps: all of a definition, and of a document those that were in it.
pub(super) fn steps_of(plan: &Plan) -> impl Iterator<Item = &Node> {
    let is_document = plan.vars.get("hybrid").is_some();
    plan.graph.nodes.iter().filter(move |node| !is_document || origin(plan, &node.id).is_some())
}

/// What the document called a node.
pub(super) fn step_id(plan: &Plan, node: &str) -> String {
    let said = origin(plan, node).and_then(|origin| origin.get("id")?.as_str());
    said.unwrap_or(node).to_owned()
}

/// The document of a run.
pub(super) fn of(
    store: &dyn Store,
    row: RunRow,
    plan: Option<&Plan>,
) -> Result<StateBody, StoreError> {
    let page = store.steps(row.run_id, None, STEPS_MAX)?;
    let (bodies, _) = bodies(store, &row, page, None, STEPS_MAX)?;
    let mut logs = lines(store, &row)?;
    let taken = taken(store, &row)?;
    let mut known: HashMap<String, StepBody> = HashMap::new();
    let mut order = Vec::new();
    for body in bodies.into_iter().filter(|body| scope_of(&body.path).is_empty()) {
        // Of several visits the latest counts.
        let node = without_visit(&body.path).to_owned();
        if known.insert(node.clone(), body).is_none() {
            order.push(node);
        }
    }
    let mut steps = Vec::new();
    for node in plan.into_iter().flat_map(steps_of).take(STEPS_MAX) {
        let life = known.remove(&node.id);
        let lines = logs.remove(&node.id).unwrap_or_default();
        steps.push(step(&row, plan, Some(node), &node.id, life, lines, taken.get(&node.id)));
    }
    // Another program's run has steps that no plan knows.
    let is_document = plan.is_some_and(|plan| plan.vars.get("hybrid").is_some());
    for node in order.into_iter().filter(|_| !is_document) {
        let Some(life) = known.remove(&node) else { continue };
        let lines = logs.remove(&node).unwrap_or_default();
        steps.push(step(&row, plan, None, &node, Some(life), lines, taken.get(&node)));
    }
    steps.extend(data(store, &row, plan)?);
    let is_over = row.status.is_terminal();
    let completed = steps.iter().filter(|step| step.status == "COMPLETED").count();
    let percent = (completed * 100).checked_div(steps.len()).unwrap_or(0);
    let last = store.events_at(row.run_id, &[row.last_seq])?.pop();
    let updated_at = last.map_or(row.created_at, |last| last.event.at);
    let breakdown: BTreeMap<String, f64> =
        taken.iter().map(|(node, (_, micros))| (node.clone(), dollars(*micros))).collect();
    let run = RunBody::read(store, row.clone())?;
    // Of what another engine has driven it also says when that was.
    let began = run.observed.as_ref().and(row.started_at).filter(|began| *began < row.created_at);
    let (metadata, tags) =
        run.observed.map_or((None, Vec::new()), |observed| (observed.metadata, observed.tags));
    let tags = Some(tags).filter(|tags| !tags.is_empty());
    let mut state = StateBody {
        id: id_of(&row),
        name: name(&row, plan),
        status: run_word(row.status),
        steps,
        created_at: began.unwrap_or(row.created_at).to_string(),
        updated_at: updated_at.to_string(),
        description: description(&row, plan),
        tags,
        progress: if is_over { 100 } else { u32::try_from(percent).unwrap_or(100) },
        parent_id: row.labels.get(PARENT_LABEL).cloned(),
        branches: branches(store, &row)?,
        metrics: StateMetrics {
            total_tokens: taken.values().map(|(tokens, _)| tokens).sum(),
            total_cost: dollars(taken.values().map(|(_, micros)| micros).sum()),
        },
        cost_breakdown: (!breakdown.is_empty()).then_some(breakdown),
    };
    if let Some(metadata) = metadata.filter(|_| row.workflow.starts_with(KEPT_PREFIX)) {
        kept::complete(&mut state, &metadata);
    }
    if let Some(plan) = plan {
        kept::restore(&mut state, plan);
    }
    Ok(state)
}

/// What people call a run.
pub(super) fn name(row: &RunRow, plan: Option<&Plan>) -> String {
    if let Some(name) = row.labels.get(NAME_LABEL) {
        return name.clone();
    }
    let name = row.workflow.strip_prefix(PREFIX);
    match name.or_else(|| row.workflow.strip_prefix(KEPT_PREFIX)) {
        Some(name) => name.to_owned(),
        None if is_elsewhere(plan) => row.workflow.clone(),
        None => format!("Workflow from {}", row.workflow),
    }
}

/// Whether another program runs it, so that there is no template.
fn is_elsewhere(plan: Option<&Plan>) -> bool {
    plan.is_some_and(|plan| plan.flow.is_some())
}

fn description(row: &RunRow, plan: Option<&Plan>) -> Option<String> {
    match row.workflow.starts_with(PREFIX) || is_elsewhere(plan) {
        true => plan.and_then(|plan| plan.description.clone()),
        false => Some(format!("Generated from template: {}", row.workflow)),
    }
}

fn step(
    row: &RunRow,
    plan: Option<&Plan>,
    node: Option<&Node>,
    id: &str,
    life: Option<StepBody>,
    lines: Vec<String>,
    taken: Option<&(i64, i64)>,
) -> StepState {
    let origin = plan.and_then(|plan| origin(plan, id));
    let said = |field: &str| origin.and_then(|origin| origin.get(field));
    let said_text = |field: &str| said(field).and_then(Value::as_str).map(str::to_owned);
    let kind = node.map_or_else(
        || life.as_ref().map_or("task", |life| life.kind.as_str()).to_owned(),
        |node| node.kind.name.to_owned(),
    );
    let status = life.as_ref().and_then(|life| StepStatus::parse(life.status));
    let time = |at: Option<&String>| at.and_then(|at| Time::parse(at));
    let started = time(life.as_ref().and_then(|life| life.started_at.as_ref()));
    let ended = time(life.as_ref().and_then(|life| life.finished_at.as_ref()));
    let queued = time(life.as_ref().and_then(|life| life.queued_at.as_ref()));
    let status = status.unwrap_or(StepStatus::Pending);
    let word = match status {
        // Nothing goes on in a run that is over: what has not come up never will.
        StepStatus::Pending if row.status.is_terminal() => "STOPPED",
        status => step_word(status, row.status),
    };
    // What another engine wrote of it is all there.
    let is_kept = row.workflow.starts_with(KEPT_PREFIX);
    let mut logs = Vec::with_capacity(lines.len() + 2);
    logs.extend(started.filter(|_| !is_kept).map(|at| format!("Started execution at {at}")));
    logs.extend(lines);
    logs.extend(ended.filter(|_| !is_kept).and_then(|at| match status {
        StepStatus::Succeeded => Some(format!("Completed successfully at {at}")),
        StepStatus::Failed => Some(format!("Failed at {at}")),
        _ => None,
    }));
    let error = life.as_ref().and_then(|life| life.error.as_ref());
    let error = error.map(|error| if is_kept { error.message.clone() } else { error.to_string() });
    StepState {
        id: said_text("id").unwrap_or_else(|| id.to_owned()),
        name: said_text("name")
            .or_else(|| node.and_then(|node| node.title.clone()))
            .unwrap_or_else(|| id.to_owned()),
        action: said_text("action").unwrap_or(kind),
        status: word,
        dependencies: plan.map(|plan| dependencies(plan, id)).unwrap_or_default(),
        outputs: life.as_ref().and_then(|life| life.output.clone()),
        error,
        start_time: started.map(|at| at.to_string()),
        end_time: ended.map(|at| at.to_string()),
        duration: ended.zip(started).map(|(end, start)| in_words(end.since(start))),
        logs,
        metadata: taken
            .map(|(tokens, micros)| json!({ "tokens": tokens, "cost": dollars(*micros) })),
        execution_metrics: started.zip(life.as_ref()).map(|(started, life)| {
            let waited = queued.map(|queued| started.since(queued).as_millis());
            let waited = waited.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX));
            json!({ "attempts": life.attempt, "queued_ms": waited })
        }),
        on_failure: on_failure(plan, node, said_text("on_failure").as_deref()),
        params: said("params").cloned().unwrap_or_else(|| {
            life.and_then(|life| life.input).unwrap_or_else(|| Value::Object(Map::new()))
        }),
    }
}

fn on_failure(plan: Option<&Plan>, node: Option<&Node>, said: Option<&str>) -> &'static str {
    let stops = match (said, node.and_then(|node| node.on_failure)) {
        (Some(word), _) => word != "continue",
        (None, Some(OnFailure::Stop)) => true,
        (None, Some(OnFailure::Continue)) => false,
        (None, None) => plan.is_none_or(|plan| plan.on_failure == Policy::FailFast),
    };
    if stops { "stop_workflow" } else { "continue" }
}

/// The steps that lead to one.
fn dependencies(plan: &Plan, id: &str) -> Vec<String> {
    let leads = |node: &&Node| {
        let targets =
            node.edges.iter().filter_map(|edge| plan.graph.nodes.get(edge.target as usize));
        targets.into_iter().any(|target| target.id == id)
    };
    steps_of(plan).filter(leads).map(|node| step_id(plan, &node.id)).collect()
}

/// What the steps have written, by node.
fn lines(store: &dyn Store, row: &RunRow) -> Result<HashMap<String, Vec<String>>, StoreError> {
    let mut lines: HashMap<String, Vec<String>> = HashMap::new();
    for line in store.logs(row.run_id, 0, &LogFilter::default(), LINES_MAX)?.items {
        let top = line.path.split(['.', '[']).next().unwrap_or_default();
        lines.entry(without_visit(top).to_owned()).or_default().push(line.text);
    }
    Ok(lines)
}

/// Tokens and millionths of a dollar, by node.
fn taken(store: &dyn Store, row: &RunRow) -> Result<BTreeMap<String, (i64, i64)>, StoreError> {
    let mut taken: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for usage in store.usage_of_run(row.run_id)? {
        let top = usage.node.split('.').next().unwrap_or_default();
        let of_node = taken.entry(top.to_owned()).or_default();
        of_node.0 += usage.taken.input_tokens + usage.taken.output_tokens;
        of_node.1 += usage.taken.cost_micros;
    }
    Ok(taken)
}

fn dollars(micros: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "nobody spends 2^53 millionths")]
    let micros = micros as f64;
    micros / 1e6
}

/// Data that came from outside and that no step of the document has waited for, as steps.
fn data(
    store: &dyn Store,
    row: &RunRow,
    plan: Option<&Plan>,
) -> Result<Vec<StepState>, StoreError> {
    let mut found = Vec::new();
    let mut after = 0;
    while usize::try_from(after).unwrap_or(usize::MAX) < EVENTS_MAX {
        let page = store.events(row.run_id, after, 1_000, 4 << 20)?;
        let Some(last) = page.items.last() else { break };
        after = last.seq;
        for numbered in page.items {
            let Fact::SignalReceived { name, payload, id, .. } = numbered.event.fact else {
                continue;
            };
            let Some(step) = name.strip_prefix(DATA_PREFIX) else { continue };
            if plan.is_some_and(|plan| waits(plan, step).is_some()) {
                continue;
            }
            found.push(received(step, id, &payload, numbered.event.at));
        }
        if !page.has_more {
            break;
        }
    }
    Ok(found)
}

/// The node that waits for data under this name or id, and its name.
pub(super) fn waits<'a>(plan: &'a Plan, word: &str) -> Option<(&'a Node, &'a str)> {
    let named = |node: &'a Node| Some((node, origin(plan, &node.id)?.get("name")?.as_str()?));
    let waiting = || steps_of(plan).filter(|node| node.kind.name == "wait_signal");
    let of_name = waiting().filter_map(named).find(|(_, name)| *name == word);
    of_name.or_else(|| waiting().find(|node| step_id(plan, &node.id) == word).and_then(named))
}

impl StepState {
    /// A step of which nothing is known but its id.
    pub(super) fn nothing(id: &str) -> StepState {
        StepState {
            id: id.to_owned(),
            name: id.to_owned(),
            action: "noop".to_owned(),
            status: "PENDING",
            dependencies: Vec::new(),
            outputs: None,
            error: None,
            start_time: None,
            end_time: None,
            duration: None,
            logs: Vec::new(),
            metadata: None,
            execution_metrics: None,
            on_failure: "stop_workflow",
            params: Value::Object(Map::new()),
        }
    }
}

fn received(name: &str, id: Option<String>, payload: &Value, at: Time) -> StepState {
    let action = payload.get("action_type").and_then(Value::as_str).unwrap_or("external_data");
    StepState {
        id: id.unwrap_or_else(|| name.to_owned()),
        action: action.to_owned(),
        status: "COMPLETED",
        outputs: Some(payload.clone()),
        start_time: Some(at.to_string()),
        end_time: Some(at.to_string()),
        duration: Some(in_words(Duration::ZERO)),
        logs: vec![format!("Received at {at}")],
        metadata: payload.get("metadata").filter(|metadata| !metadata.is_null()).cloned(),
        ..StepState::nothing(name)
    }
}

/// The branches of a run, the oldest first.
fn branches(store: &dyn Store, row: &RunRow) -> Result<Option<Vec<BranchBody>>, StoreError> {
    let label = (PARENT_LABEL.to_owned(), id_of(row));
    let filter = RunFilter { labels: vec![label], is_unrepeated: true, ..RunFilter::default() };
    let mut rows = store.runs(&row.project, &filter, None, BRANCHES_MAX)?.items;
    rows.reverse();
    let branches: Vec<BranchBody> =
        rows.iter().map(|row| BranchBody { id: id_of(row), name: name(row, None) }).collect();
    Ok((!branches.is_empty()).then_some(branches))
}

/// `5 sec`, `2 min 5 sec`, `1 hr 2 min`.
pub(super) fn in_words(took: Duration) -> String {
    let seconds = took.as_secs();
    match seconds {
        0..60 => format!("{seconds} sec"),
        60..3_600 => format!("{} min {} sec", seconds / 60, seconds % 60),
        _ => format!("{} hr {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::in_words;

    #[test]
    fn durations_are_said_in_two_words() {
        let said =
            [5, 59, 60, 125, 3_599, 3_600, 3_725].map(|it| in_words(Duration::from_secs(it)));
        let wanted = [
            "5 sec",
            "59 sec",
            "1 min 0 sec",
            "2 min 5 sec",
            "59 min 59 sec",
            "1 hr 0 min",
            "1 hr 2 min",
        ];
        assert_eq!(said, wanted);
    }
}
