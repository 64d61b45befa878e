//! What documents say that came in from another engine, and that a run of ours cannot say: of runs that
//! were over it is kept as their metadata, of steps that were done in the definition.

use serde_json::{Map, Value, json};
use windlass_core::Time;
use windlass_core::definition::Plan;

use super::create::{StateRequest, stamp};
use super::state::{StateBody, StateMetrics, StepState, in_words, origin};
use super::steps::StepRequest;

/// The field of the metadata.
const DOCUMENT: &str = "document";

/// What is kept of a document beside what its steps came to and wrote, which the run itself has.
pub(super) fn metadata(request: &StateRequest) -> Value {
    let mut document = request.clone();
    for step in &mut document.steps {
        (step.outputs, step.error, step.logs) = (None, None, None);
    }
    json!({ DOCUMENT: document })
}

/// Completes a state by the document that it was made of.
pub(super) fn complete(state: &mut StateBody, metadata: &Value) {
    let said = metadata.get(DOCUMENT).cloned().unwrap_or_default();
    let Ok(document) = serde_json::from_value::<StateRequest>(said) else { return };
    let time = |said: Option<String>| stamp(said.as_deref());
    state.created_at = time(document.created_at).unwrap_or_else(|| state.created_at.clone());
    state.updated_at = time(document.updated_at).unwrap_or_else(|| state.updated_at.clone());
    state.description = document.description;
    let more = &document.more;
    let text = |name: &str| more.get(name).and_then(Value::as_str).map(str::to_owned);
    state.parent_id = text("parentId").or_else(|| state.parent_id.take());
    let costs = more.get("cost_breakdown").cloned();
    state.cost_breakdown = costs.and_then(|costs| serde_json::from_value(costs).ok()).flatten();
    let mut known = std::mem::take(&mut state.steps);
    for (place, step) in document.steps.into_iter().enumerate() {
        let id = step.id.unwrap_or_else(|| format!("step_{}", place + 1));
        let mut shown = match known.iter().position(|known| known.id == id) {
            Some(place) => known.remove(place),
            None => StepState::nothing(&id),
        };
        shown.name = step.name.unwrap_or(id);
        shown.action = step.action.unwrap_or(shown.action);
        shown.status = word(step.status.as_deref()).unwrap_or(shown.status);
        shown.dependencies = step.dependencies.unwrap_or_default();
        shown.params = step.params.unwrap_or_else(|| Map::new().into());
        shown.start_time = time(step.start_time).or(shown.start_time);
        shown.end_time = time(step.end_time).or(shown.end_time);
        let said = |name: &str| step.more.get(name).filter(|value| !value.is_null()).cloned();
        shown.metadata = said("metadata");
        shown.execution_metrics = said("execution_metrics");
        if step.on_failure.as_deref() == Some("continue") {
            shown.on_failure = "continue";
        }
        state.steps.push(shown);
    }
    state.steps.append(&mut known);
    let taken = || state.steps.iter().filter_map(|step| step.metadata.as_ref());
    state.metrics = StateMetrics {
        total_tokens: taken().filter_map(|taken| taken.get("tokens")?.as_i64()).sum(),
        total_cost: taken().filter_map(|taken| taken.get("cost")?.as_f64()).sum(),
    };
}

/// What is kept of a step that was done before its run came in. `logs_left` is how many bytes of logs are.
pub(super) fn of_done(step: &StepRequest, logs_left: &mut usize) -> Value {
    let said = |name: &str| step.more.get(name).filter(|value| !value.is_null());
    let mut logs = Vec::new();
    for line in step.logs.iter().flatten() {
        let line = line.as_str().map_or_else(|| line.to_string(), str::to_owned);
        let Some(left) = logs_left.checked_sub(line.len()) else { break };
        *logs_left = left;
        logs.push(line);
    }
    json!({
        "start_time": stamp(step.start_time.as_deref()),
        "end_time": stamp(step.end_time.as_deref()),
        "logs": logs,
        "metadata": said("metadata"),
        "execution_metrics": said("execution_metrics"),
    })
}

/// Completes a state by what is kept of its steps that were done before.
pub(super) fn restore(state: &mut StateBody, plan: &Plan) {
    let Some(hybrid) = plan.vars.get("hybrid") else { return };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    for node in &plan.graph.nodes {
        let Some(origin) = origin(plan, &node.id) else { continue };
        let (id, Some(done)) = (text(origin.get("id")), origin.get("done")) else { continue };
        let Some(step) = state.steps.iter_mut().find(|step| Some(&step.id) == id.as_ref()) else {
            continue;
        };
        step.start_time = text(done.get("start_time"));
        step.end_time = text(done.get("end_time"));
        let time = |at: &Option<String>| at.as_deref().and_then(Time::parse);
        let lasted = time(&step.end_time).zip(time(&step.start_time));
        step.duration = lasted.map(|(end, start)| in_words(end.since(start)));
        let lines = done.get("logs").and_then(Value::as_array).into_iter().flatten();
        step.logs = lines.filter_map(|line| text(Some(line))).collect();
        let said = |name: &str| done.get(name).filter(|value| !value.is_null()).cloned();
        step.metadata = said("metadata");
        step.execution_metrics = said("execution_metrics");
        let taken = |name: &str| step.metadata.as_ref().and_then(|taken| taken.get(name));
        state.metrics.total_tokens += taken("tokens").and_then(Value::as_i64).unwrap_or(0);
        state.metrics.total_cost += taken("cost").and_then(Value::as_f64).unwrap_or(0.0);
    }
    if let Some(created_at) = text(hybrid.get("created_at")) {
        state.created_at = created_at;
    }
}

/// Where a step stood.
fn word(said: Option<&str>) -> Option<&'static str> {
    let words = ["PENDING", "WAITING_FOR_DEPENDENCY", "RUNNING", "COMPLETED", "FAILED", "STOPPED"];
    words.into_iter().find(|word| said == Some(*word))
}
