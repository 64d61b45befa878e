//! A step as the API shows it.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use windlass_core::definition::Plan;
use windlass_core::run::{Fact, StepStatus, path};
use windlass_core::{Failure, json};
use windlass_store::{Page, RunRow, StepRow, Store, StoreError};

use crate::http::paging::PAGE_BYTES_MAX;

/// A step: one node's life inside one run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StepBody {
    /// Its address in the run, such as `fetch` or `each[3].fetch`.
    pub path: String,
    /// The id of its node.
    pub node: String,
    /// The kind of its node.
    pub kind: String,
    /// `pending`, `queued`, `running`, `backing_off`, `waiting`, `paused`, `succeeded`, `failed`,
    /// `skipped` or `cancelled`.
    pub status: &'static str,
    /// Why it stands there, in a word.
    pub reason: Option<String>,
    /// The current or last attempt; 0 before the first.
    pub attempt: u32,
    /// The node's rendered config, with secrets as they were written.
    pub input: Option<Value>,
    /// The output, once it has succeeded.
    pub output: Option<Value>,
    /// The error, once it or its last attempt has failed.
    #[schema(value_type = Option<super::run::FailureBody>)]
    pub error: Option<Failure>,
    /// When its turn came, RFC 3339.
    #[schema(format = DateTime)]
    pub queued_at: Option<String>,
    /// When its first attempt began.
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub finished_at: Option<String>,
    /// Until when it waits.
    #[schema(format = DateTime)]
    pub due_at: Option<String>,
}

/// A place in the list of a run's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepPlace {
    /// Behind the step of this ordinal.
    After(u32),
    /// Behind the last step that has come up: at this node among those that have not.
    Pending(u32),
}

/// Steps of a run from a place on: first those that have come up, in that order, then the nodes
/// whose turn has not come. Answers where the next page begins.
///
/// # Errors
///
/// If the store cannot be read.
pub fn read_steps(
    store: &dyn Store,
    row: &RunRow,
    plan: Option<&Plan>,
    place: Option<StepPlace>,
    limit: usize,
) -> Result<(Vec<StepBody>, Option<StepPlace>), StoreError> {
    let after = match place {
        Some(StepPlace::Pending(node)) => return pending(store, row, plan, node, limit),
        Some(StepPlace::After(ordinal)) => Some(ordinal),
        None => None,
    };
    bodies(store, row, store.steps(row.run_id, after, limit)?, plan, limit)
}

/// A page of steps with what the journal has of them, filled up with the nodes whose turn has not
/// come if the list ends in it. Answers where the next page begins.
///
/// # Errors
///
/// If the store cannot be read.
pub fn bodies(
    store: &dyn Store,
    row: &RunRow,
    page: Page<StepRow>,
    plan: Option<&Plan>,
    limit: usize,
) -> Result<(Vec<StepBody>, Option<StepPlace>), StoreError> {
    let mut bodies = with_payloads(store, row, &page.items)?;
    let is_cut = bodies.len() < page.items.len();
    if is_cut || page.has_more {
        let last = bodies.len().checked_sub(1).map(|index| page.items[index].ordinal);
        return Ok((bodies, last.map(StepPlace::After)));
    }
    let (rest, next) = pending(store, row, plan, 0, limit - bodies.len().min(limit))?;
    bodies.extend(rest);
    Ok((bodies, next))
}

/// Nodes of the run's own graph whose turn has not come, from one on.
fn pending(
    store: &dyn Store,
    row: &RunRow,
    plan: Option<&Plan>,
    from: u32,
    limit: usize,
) -> Result<(Vec<StepBody>, Option<StepPlace>), StoreError> {
    let Some(plan) = plan.filter(|_| !row.status.is_terminal()) else {
        return Ok((Vec::new(), None));
    };
    let come_up = come_up(store, row, plan)?;
    let mut bodies = Vec::new();
    for (index, node) in plan.graph.nodes.iter().enumerate().skip(from as usize) {
        if come_up.contains(node.id.as_str()) {
            continue;
        }
        if bodies.len() >= limit {
            let next = u32::try_from(index).unwrap_or(u32::MAX);
            return Ok((bodies, Some(StepPlace::Pending(next))));
        }
        bodies.push(not_yet(&node.id, node.kind.name));
    }
    Ok((bodies, None))
}

/// A node whose turn has not come.
pub fn not_yet(id: &str, kind: &str) -> StepBody {
    StepBody {
        path: id.to_owned(),
        node: id.to_owned(),
        kind: kind.to_owned(),
        status: StepStatus::Pending.as_str(),
        reason: None,
        attempt: 0,
        input: None,
        output: None,
        error: None,
        queued_at: None,
        started_at: None,
        finished_at: None,
        due_at: None,
    }
}

/// One step with what the journal has of it.
///
/// # Errors
///
/// If the store cannot be read.
pub fn whole(store: &dyn Store, row: &RunRow, step: &StepRow) -> Result<StepBody, StoreError> {
    let body = with_payloads(store, row, std::slice::from_ref(step))?.pop();
    Ok(body.unwrap_or_else(|| not_yet(&step.path, &step.kind)))
}

/// Nodes of the run's own graph that have come up. Looks through the steps only as long as some
/// node is missing.
fn come_up(store: &dyn Store, row: &RunRow, plan: &Plan) -> Result<BTreeSet<String>, StoreError> {
    let mut found = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.steps(row.run_id, after, 1_000)?;
        let top = page.items.iter().filter(|step| path::scope_of(&step.path).is_empty());
        found.extend(top.map(|step| step.path.clone()));
        after = page.items.last().map(|step| step.ordinal);
        if !page.has_more || found.len() >= plan.graph.nodes.len() {
            return Ok(found);
        }
    }
}

/// Steps with what the journal has of them. Ends early once the page is too heavy.
fn with_payloads(
    store: &dyn Store,
    row: &RunRow,
    rows: &[StepRow],
) -> Result<Vec<StepBody>, StoreError> {
    let mut bodies = Vec::with_capacity(rows.len());
    let mut weight = 0;
    // In portions, so that a page of large payloads is not all read to be thrown away.
    for portion in rows.chunks(100) {
        let seqs: BTreeSet<u64> =
            portion.iter().flat_map(|step| [step.input_seq, step.end_seq]).flatten().collect();
        let seqs: Vec<u64> = seqs.into_iter().collect();
        let events = store.events_at(row.run_id, &seqs)?;
        let facts: HashMap<u64, Fact> =
            events.into_iter().map(|numbered| (numbered.seq, numbered.event.fact)).collect();
        for step in portion {
            let body = body(step, &facts);
            weight += body.input.as_ref().map_or(0, json::size)
                + body.output.as_ref().map_or(0, json::size);
            bodies.push(body);
            if weight > PAGE_BYTES_MAX {
                return Ok(bodies);
            }
        }
    }
    Ok(bodies)
}

fn body(step: &StepRow, facts: &HashMap<u64, Fact>) -> StepBody {
    let input = step.input_seq.and_then(|seq| facts.get(&seq)).and_then(input_of);
    let (output, error) = step.end_seq.and_then(|seq| facts.get(&seq)).map_or((None, None), end_of);
    let time = |at: Option<windlass_core::Time>| at.map(|at| at.to_string());
    StepBody {
        path: step.path.clone(),
        node: path::node_of(&step.path).to_owned(),
        kind: step.kind.clone(),
        status: step.status.as_str(),
        reason: step.reason.clone(),
        attempt: step.attempt,
        input,
        output,
        error,
        queued_at: time(step.queued_at),
        started_at: time(step.started_at),
        finished_at: time(step.finished_at),
        due_at: time(step.due_at),
    }
}

fn input_of(fact: &Fact) -> Option<Value> {
    match fact {
        Fact::StepQueued { input, .. }
        | Fact::StepWaiting { input, .. }
        | Fact::StepAwaiting { input, .. } => Some((**input).clone()),
        Fact::TaskSeen { seen, .. } => seen.about.as_deref().cloned(),
        Fact::MapOpened { items, concurrency, .. } => {
            let mut input = serde_json::Map::new();
            input.insert("items".to_owned(), Value::Array((**items).clone()));
            input.extend(concurrency.map(|count| ("concurrency".to_owned(), count.into())));
            Some(Value::Object(input))
        }
        Fact::LoopOpened { item, max_iterations, .. } => {
            Some(json!({ "initial": item, "max_iterations": max_iterations }))
        }
        _ => None,
    }
}

fn end_of(fact: &Fact) -> (Option<Value>, Option<Failure>) {
    match fact {
        Fact::StepSucceeded { output, .. } => (Some(Value::clone(output)), None),
        Fact::StepFailed { error, .. } | Fact::AttemptFailed { error, .. } => {
            (None, Some(error.clone()))
        }
        Fact::TaskSeen { seen, .. } => (seen.output.as_deref().cloned(), seen.error.clone()),
        _ => (None, None),
    }
}
