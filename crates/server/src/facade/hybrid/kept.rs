//! Documents of runs that were over when they came in: what an observed run cannot say of them is kept
//! as its metadata, and shown again.

use serde_json::{Map, Value, json};

use super::create::{StateRequest, stamp};
use super::state::{StateBody, StateMetrics, StepState};

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

/// Where a step stood.
fn word(said: Option<&str>) -> Option<&'static str> {
    let words = ["PENDING", "WAITING_FOR_DEPENDENCY", "RUNNING", "COMPLETED", "FAILED", "STOPPED"];
    words.into_iter().find(|word| said == Some(*word))
}
