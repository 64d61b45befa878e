//! The definition as it is tested: its `shell` steps count what they do, and its waits are short.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use windlass_core::definition;
use windlass_core::{Finding, HumanDuration, source};
use windlass_nodes::Registry;

use super::effects;

/// A definition that is ready to be tested.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// The workflow's name.
    pub(super) name: String,
    /// The definition.
    pub(super) document: Value,
    /// Ids of nodes with `effect: never`.
    pub(super) never: BTreeSet<String>,
    /// The first example of the input's schema.
    pub(super) example: Option<Value>,
}

/// Checks and prepares a definition. Without a file to count them in, effects are not counted.
///
/// # Errors
///
/// Everything that is wrong with it.
pub(super) fn definition(
    text: &str,
    effect_log: Option<&Path>,
    wait_max: Duration,
) -> Result<Prepared, Vec<Finding>> {
    let checked = definition::check(text, Registry::builtin().kinds());
    if !checked.is_ok() {
        return Err(checked.findings);
    }
    let mut document = source::read(text).map_err(|finding| vec![finding])?.value;
    let mut preparation =
        Preparation { note: effect_log.map(effects::note), wait_max, never: BTreeSet::new() };
    preparation.retries(document.get_mut("defaults"));
    preparation.graph(&mut document);
    Ok(Prepared {
        name: document["name"].as_str().unwrap_or_default().to_owned(),
        never: preparation.never,
        example: document.pointer("/input/examples/0").cloned(),
        document,
    })
}

struct Preparation {
    /// The line of shell that counts an effect.
    note: Option<String>,
    wait_max: Duration,
    never: BTreeSet<String>,
}

impl Preparation {
    /// The nodes of a graph, and of every graph in their configs.
    fn graph(&mut self, graph: &mut Value) {
        let nodes = graph.get_mut("nodes").and_then(Value::as_array_mut);
        for node in nodes.into_iter().flatten() {
            let id = node["id"].as_str().unwrap_or_default().to_owned();
            self.node(node, &id);
            if let Some(undo) = node.get_mut("compensate") {
                self.node(undo, &format!("{id}{}", windlass_core::run::path::UNDO));
            }
        }
    }

    fn node(&mut self, node: &mut Value, id: &str) {
        if node["effect"] == "never" {
            self.never.insert(id.to_owned());
        }
        let kind = node.get("type").or_else(|| node.get("kind")).and_then(Value::as_str);
        let kind = kind.unwrap_or_default().to_owned();
        self.retries(Some(node));
        let Some(config) = node.get_mut("config").and_then(Value::as_object_mut) else { return };
        match kind.as_str() {
            "shell" => self.shell(config),
            "delay" => self.shorten(config, "duration", None),
            _ => config.values_mut().for_each(|value| self.graphs_in(value)),
        }
    }

    /// A block keeps its graphs in its config, directly or in a list of ways.
    fn graphs_in(&mut self, value: &mut Value) {
        match value {
            Value::Object(fields) if fields.get("nodes").is_some_and(Value::is_array) => {
                self.graph(value);
            }
            Value::Object(fields) => fields.values_mut().for_each(|field| self.graphs_in(field)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.graphs_in(item)),
            _ => {}
        }
    }

    fn shell(&self, config: &mut Map<String, Value>) {
        let Some(note) = &self.note else { return };
        if let Some(Value::String(script)) = config.get_mut("script") {
            *script = format!("{note}\n{script}");
        }
        if let Some(Value::Array(words)) = config.get_mut("argv") {
            let first = format!("{note}; exec \"$@\"");
            let shell = [json!("/bin/sh"), json!("-c"), json!(first), json!("sh")];
            words.splice(0..0, shell);
        }
    }

    /// The pauses between attempts.
    fn retries(&self, of: Option<&mut Value>) {
        let retry = of.and_then(|of| of.get_mut("retry")).and_then(Value::as_object_mut);
        let Some(retry) = retry else { return };
        self.shorten(retry, "delay", Some("1s"));
        self.shorten(retry, "max_delay", Some("60s"));
    }

    fn shorten(&self, fields: &mut Map<String, Value>, name: &str, default: Option<&str>) {
        let text = fields.get(name).and_then(Value::as_str).or(default);
        let wait = text.and_then(|text| text.parse::<HumanDuration>().ok());
        if wait.is_some_and(|wait| wait.0 > self.wait_max) {
            fields.insert(name.to_owned(), json!(HumanDuration(self.wait_max).to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
name: t
input: {type: object, examples: [{a: 1}]}
nodes:
  - {id: a, type: shell, effect: never, config: {script: echo hi}}
  - id: each
    type: map
    config:
      items: '{{ [1] }}'
      body:
        nodes:
          - {id: nap, type: delay, config: {duration: 1h}}
          - {id: b, type: shell, retry: {delay: 20s}, config: {argv: [ls, -l]}}
  - {id: short, type: delay, config: {duration: 5ms}}
  - {id: data, type: noop, config: {output: {type: shell, config: {script: same}}}}
";

    #[test]
    fn shell_steps_count_and_waits_are_short_wherever_they_stand() {
        let wait_max = Duration::from_millis(50);
        let prepared = definition(TEXT, Some(Path::new("/tmp/e'f")), wait_max).unwrap();
        assert_eq!(prepared.never, ["a".to_owned()].into());
        assert_eq!(prepared.example, Some(json!({ "a": 1 })));
        let at = |pointer: &str| prepared.document.pointer(pointer).unwrap().clone();
        let script = at("/nodes/0/config/script");
        let (note, rest) = script.as_str().unwrap().split_once('\n').unwrap();
        assert_eq!(rest, "echo hi");
        assert!(note.ends_with(">> '/tmp/e'\\''f'"), "{note}");
        let body = "/nodes/1/config/body/nodes";
        assert_eq!(at(&format!("{body}/0/config/duration")), "50ms");
        assert_eq!(at(&format!("{body}/1/retry/delay")), "50ms");
        assert_eq!(at(&format!("{body}/1/config/argv/4")), "ls");
        assert_eq!(at("/nodes/2/config/duration"), "5ms");
        assert_eq!(at("/nodes/3/config/output/config/script"), "same", "data is left alone");
        let text = prepared.document.to_string();
        assert!(definition::check(&text, Registry::builtin().kinds()).is_ok());
    }

    #[test]
    fn what_is_wrong_is_found_before_anything_runs() {
        let findings = definition("name: t\nnodes: []\n", None, Duration::ZERO);
        assert!(!findings.unwrap_err().is_empty());
    }
}
