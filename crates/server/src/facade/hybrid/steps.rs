//! A document of steps as a definition: what a step is called, does and waits for.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use windlass_core::expr::RESERVED;

use super::{DATA_PREFIX, PREFIX, kept};
use crate::facade::Detail;

/// Steps of one document.
const STEPS_MAX: usize = 1_000;

/// Models that are asked if a step names none, by action.
const CHATS: [(&str, &str, &str); 3] = [
    ("openai_chat", "openai", "gpt-4o-mini"),
    ("gemini_chat", "gemini", "gemini-2.5-flash"),
    ("deepseek_chat", "deepseek", "deepseek-chat"),
];

/// What is kept of the logs of steps that were done before, in bytes.
const LOG_BYTES_MAX: usize = 64 * 1024;

/// A step of a document.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, ToSchema)]
#[serde(default)]
pub struct StepRequest {
    /// Its id; made up if left out.
    pub id: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// What it does: a kind of node, `openai_chat`, `deepseek_chat`, `gemini_chat`, `external_data`
    /// (it waits for data of its name), or the name of a workflow. `noop` if left out.
    pub action: Option<String>,
    /// Where it stood, if the document was written by an engine. What is `COMPLETED` does not run
    /// again.
    pub status: Option<String>,
    /// The ids of the steps that have to be completed before.
    pub dependencies: Option<Vec<String>>,
    /// What it came to, if it is completed.
    pub outputs: Option<Value>,
    /// Why it failed.
    pub error: Option<Value>,
    /// When it began.
    #[serde(rename = "startTime")]
    pub start_time: Option<String>,
    /// When it ended.
    #[serde(rename = "endTime")]
    pub end_time: Option<String>,
    /// What it wrote.
    pub logs: Option<Vec<Value>>,
    /// `stop_workflow` (if left out) or `continue`.
    pub on_failure: Option<String>,
    /// What it needs to know: the config of its node, `prompt` and `model` of a chat, the input of a
    /// workflow.
    pub params: Option<Value>,
    /// What else an engine wrote.
    #[serde(flatten)]
    #[schema(ignore)]
    #[schemars(skip)]
    pub more: Map<String, Value>,
}

/// What steps may do.
pub(super) struct Actions<'a> {
    /// Whether there is such a kind of node.
    pub(super) is_kind: &'a dyn Fn(&str) -> bool,
    /// Whether there is such a workflow.
    pub(super) is_workflow: &'a dyn Fn(&str) -> bool,
}

/// The words of a document that say what steps do, once each.
pub(super) fn actions(steps: &[StepRequest]) -> BTreeSet<String> {
    steps.iter().filter_map(|step| step.action.clone()).collect()
}

/// The definition of a document's steps.
///
/// # Errors
///
/// 400 for an id that is used twice, a dependency that is not there, an action that nobody knows.
pub(super) fn definition(
    name: &str,
    description: Option<&str>,
    created_at: Option<&str>,
    steps: &[StepRequest],
    actions: &Actions<'_>,
) -> Result<Value, Detail> {
    if steps.is_empty() || steps.len() > STEPS_MAX {
        return Err(Detail::field("steps", &format!("1 to {STEPS_MAX} are possible")));
    }
    let ids = ids(steps)?;
    let (mut nodes, mut edges, mut origins) = (Vec::new(), Vec::new(), Map::new());
    let (mut outputs, mut logs_left) = (Map::new(), LOG_BYTES_MAX);
    for (place, step) in steps.iter().enumerate() {
        let (said, id) = &ids.list[place];
        let title = step.name.clone().unwrap_or_else(|| said.clone());
        let is_done = step.status.as_deref() == Some("COMPLETED");
        let mut node = if is_done {
            outputs.insert(id.clone(), step.outputs.clone().unwrap_or_default());
            json!({ "type": "transform", "config": { "output": format!("{{{{ vars.hybrid.outputs.{id} }}}}") } })
        } else {
            does(step, &title, place, actions)?
        };
        node["id"] = id.as_str().into();
        node["name"] = title.as_str().into();
        // What is done has had what it waited for.
        let before = step.dependencies.as_deref().unwrap_or_default();
        let mut needs = Vec::new();
        for dependency in before {
            let Some(id) = ids.by_said.get(dependency.as_str()) else {
                let message =
                    format!("`{said:.60}` depends on `{dependency:.60}`, which is not there");
                return Err(Detail::field(&format!("steps.{place}.dependencies"), &message));
            };
            needs.push(id.clone());
        }
        if !needs.is_empty() && !is_done {
            node["needs"] = json!(needs);
            node["join"] = "all".into();
        }
        if step.on_failure.as_deref() == Some("continue") {
            // A failure that leads somewhere does not fail the run.
            let handled = format!("after_{id}");
            edges.push(json!({ "source": id, "target": handled, "on": "failure" }));
            nodes.push(json!({ "id": handled, "type": "noop" }));
        }
        origins.insert(
            id.clone(),
            json!({
                "id": said, "name": title, "action": step.action.as_deref().unwrap_or("noop"),
                "on_failure": step.on_failure, "params": step.params,
            }),
        );
        if is_done {
            origins[id]["done"] = kept::of_done(step, &mut logs_left);
        }
        nodes.push(node);
    }
    let outputs_are_none = outputs.is_empty();
    let mut document = json!({
        "name": format!("{PREFIX}{name}"),
        "nodes": nodes,
        "edges": edges,
        "vars": { "hybrid": { "steps": origins, "outputs": outputs } },
    });
    // An engine has begun it.
    if let (Some(created_at), false) = (created_at, outputs_are_none) {
        document["vars"]["hybrid"]["created_at"] = created_at.into();
    }
    if let Some(description) = description {
        document["description"] = description.into();
    }
    Ok(document)
}

/// What steps are called: in the document, and as nodes.
struct Ids {
    list: Vec<(String, String)>,
    by_said: BTreeMap<String, String>,
}

fn ids(steps: &[StepRequest]) -> Result<Ids, Detail> {
    let mut ids = Ids { list: Vec::new(), by_said: BTreeMap::new() };
    let mut taken = BTreeSet::new();
    for (place, step) in steps.iter().enumerate() {
        let said = step.id.clone().filter(|id| !id.is_empty());
        let said = said.unwrap_or_else(|| format!("step_{}", place + 1));
        let id = free(&word(&said), &mut taken);
        if ids.by_said.insert(said.clone(), id.clone()).is_some() {
            let message = format!("`{said:.60}` is the id of two steps");
            return Err(Detail::field(&format!("steps.{place}.id"), &message));
        }
        ids.list.push((said, id));
    }
    Ok(ids)
}

/// The id of a node: letters, digits and `_`, a letter first, and no word that means something else.
fn word(said: &str) -> String {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let word: String = said.chars().map(|c| if is_letter(c) { c } else { '_' }).take(64).collect();
    let is_good = word.starts_with(|first: char| first.is_ascii_alphabetic())
        && !RESERVED.contains(&word.as_str())
        && !word.starts_with("after_");
    if is_good { word } else { format!("step_{word}") }
}

/// The word, or, if another step has it, the word with a number.
fn free(word: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{word}_{number}"));
    let mut words = std::iter::once(word.to_owned()).chain(numbered);
    let found = words.find(|word| !taken.contains(word)).unwrap_or_default();
    taken.insert(found.clone());
    found
}

/// The kind and config of a step that has not been done.
fn does(
    step: &StepRequest,
    title: &str,
    place: usize,
    actions: &Actions<'_>,
) -> Result<Value, Detail> {
    let action = step.action.as_deref().unwrap_or("noop");
    let params = step.params.clone().filter(|params| !params.is_null());
    let params = params.unwrap_or_else(|| Value::Object(Map::new()));
    if action == "external_data" {
        return Ok(json!({
            "type": "wait_signal", "config": { "signal": format!("{DATA_PREFIX}{title}") },
        }));
    }
    if let Some((_, provider, model)) = CHATS.iter().find(|(chat, ..)| *chat == action) {
        return Ok(json!({ "type": "llm", "config": chat(provider, model, params) }));
    }
    if (actions.is_kind)(action) {
        return Ok(json!({ "type": action, "config": params }));
    }
    if (actions.is_workflow)(action) {
        return Ok(
            json!({ "type": "workflow", "config": { "workflow": action, "input": params } }),
        );
    }
    let message = format!(
        "`{action:.60}` is neither a kind of node, nor openai_chat, deepseek_chat, gemini_chat or \
         external_data, nor the name of a workflow"
    );
    Err(Detail::field(&format!("steps.{place}.action"), &message))
}

/// The config of a question to a model.
fn chat(provider: &str, model: &str, params: Value) -> Value {
    let mut config = match params {
        Value::Object(params) => params,
        prompt => Map::from_iter([("prompt".to_owned(), prompt)]),
    };
    let model = match config.get("model").and_then(Value::as_str) {
        Some(said) if said.contains('/') => said.to_owned(),
        Some(said) => format!("{provider}/{said}"),
        None => format!("{provider}/{model}"),
    };
    config.insert("model".to_owned(), model.into());
    Value::Object(config)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Actions, StepRequest, definition};

    fn steps(steps: serde_json::Value) -> Vec<StepRequest> {
        serde_json::from_value(steps).unwrap()
    }

    fn read(list: serde_json::Value) -> Result<serde_json::Value, crate::facade::Detail> {
        let is_kind = |word: &str| ["noop", "shell", "http"].contains(&word);
        let is_workflow = |word: &str| word == "data_processing";
        let actions = Actions { is_kind: &is_kind, is_workflow: &is_workflow };
        definition("try", None, None, &steps(list), &actions)
    }

    #[test]
    fn steps_become_nodes() {
        let document = read(json!([
            { "id": "1-a", "action": "data_processing", "params": { "rows": 2 }, "status": "COMPLETED",
              "outputs": { "said": "{{ not a template }}" } },
            { "id": "run", "name": "Ask", "action": "gemini_chat", "params": { "prompt": "hello" },
              "dependencies": ["1-a"], "on_failure": "continue" },
            { "id": "mail", "action": "external_data" },
        ]))
        .unwrap();
        assert_eq!(document["name"], "hybrid/try");
        let nodes = document["nodes"].as_array().unwrap();
        assert_eq!(nodes[0]["id"], "step_1_a");
        assert_eq!(nodes[0]["config"]["output"], "{{ vars.hybrid.outputs.step_1_a }}");
        assert_eq!(
            document["vars"]["hybrid"]["outputs"]["step_1_a"]["said"],
            "{{ not a template }}"
        );
        assert_eq!(nodes[1], json!({ "id": "after_step_run", "type": "noop" }));
        assert_eq!(
            nodes[2]["config"],
            json!({ "prompt": "hello", "model": "gemini/gemini-2.5-flash" })
        );
        assert_eq!(nodes[2]["needs"], json!(["step_1_a"]));
        assert_eq!(nodes[3]["config"]["signal"], "external-data/mail");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for list in [
            json!([]),
            json!([{ "id": "a" }, { "id": "a" }]),
            json!([{ "id": "a", "dependencies": ["b"] }]),
            json!([{ "action": "juggle" }]),
        ] {
            assert!(read(list.clone()).is_err(), "{list}");
        }
    }
}
