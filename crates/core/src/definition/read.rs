//! From a value to documents: what has the right shape is kept, and every part that has not is a
//! finding. Reading goes on past a mistake, so that a wrong `retry` does not hide a wrong `when`.

use std::sync::OnceLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::doc::{DefinitionDoc, EdgeDoc, NodeDoc};
use super::findings::Findings;
use crate::finding::Finding;
use crate::json;
use crate::schema::{Schema, Violation};

/// A graph as it was written. Every part knows where it stands.
#[derive(Debug)]
pub(super) struct GraphDoc {
    pub(super) path: String,
    pub(super) nodes: Vec<(String, NodeDoc)>,
    pub(super) edges: Vec<(String, EdgeDoc)>,
    pub(super) output: Option<Value>,
}

/// The graph inside a block, for its schema.
#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used; its parts are read one by one")]
struct BodyDoc {
    nodes: Vec<NodeDoc>,
    #[serde(default)]
    edges: Vec<EdgeDoc>,
    #[serde(default)]
    output: Option<Value>,
}

/// The JSON Schema of a definition.
pub fn schema() -> &'static Value {
    definition_schema().source()
}

fn definition_schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(schema_of::<DefinitionDoc>)
}

fn body_schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(schema_of::<BodyDoc>)
}

fn schema_of<T: JsonSchema>() -> Schema {
    let generator = SchemaSettings::draft2020_12().into_generator();
    Schema::compile(&generator.into_root_schema_for::<T>().to_value())
        .expect("a derived schema compiles")
}

/// Reads the whole document. The definition's own `nodes` and `edges` are in the graph.
pub(super) fn definition(
    value: &Value,
    findings: &mut Findings<'_>,
) -> Option<(DefinitionDoc, GraphDoc)> {
    let violations = definition_schema().violations(value);
    violations.iter().for_each(|violation| findings.add_violation("", violation));
    let mut top = value.as_object()?.clone();
    top.insert("nodes".into(), Value::Array(vec![]));
    top.insert("edges".into(), Value::Array(vec![]));
    top.entry("name").or_insert_with(|| "?".into());
    let doc = lenient(&Value::Object(top), "", &violations, findings, "")?;
    Some((doc, graph(value, "", &violations, findings)))
}

/// Reads the body of a block that stands at `path`.
pub(super) fn body(value: &Value, path: &str, findings: &mut Findings<'_>) -> GraphDoc {
    let violations = body_schema().violations(value);
    violations.iter().for_each(|violation| findings.add_violation(path, violation));
    graph(value, path, &violations, findings)
}

fn graph(
    value: &Value,
    path: &str,
    violations: &[Violation],
    findings: &mut Findings<'_>,
) -> GraphDoc {
    GraphDoc {
        path: path.to_owned(),
        nodes: list(value, "nodes", path, violations, findings),
        edges: list(value, "edges", path, violations, findings),
        output: value.get("output").cloned(),
    }
}

fn list<T: DeserializeOwned>(
    value: &Value,
    field: &str,
    path: &str,
    violations: &[Violation],
    findings: &mut Findings<'_>,
) -> Vec<(String, T)> {
    let items = value.get(field).and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(|(index, item)| {
            let own_path = json::pointer(&json::pointer("", field), index);
            let place = format!("{path}{own_path}");
            let doc = lenient(item, &own_path, violations, findings, &place)?;
            Some((place, doc))
        })
        .collect()
}

/// Reads `value` without the parts that its schema refused. What the schema lets pass and the type
/// does not, such as a wait of eleven years, is a finding too: nothing disappears in silence.
fn lenient<T: DeserializeOwned>(
    value: &Value,
    path: &str,
    violations: &[Violation],
    findings: &mut Findings<'_>,
    place: &str,
) -> Option<T> {
    let mut value = value.clone();
    let mut is_known = false;
    for violation in violations {
        if let Some(inside) = violation.path.strip_prefix(path) {
            is_known = true;
            remove(&mut value, inside);
        }
    }
    match serde_json::from_value(value) {
        Ok(doc) => Some(doc),
        Err(error) => {
            if !is_known {
                findings.add(Finding::error("bad-value", place, error.to_string()));
            }
            None
        }
    }
}

fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    let key = last.replace("~1", "/").replace("~0", "~");
    if let Some(Value::Object(fields)) = value.pointer_mut(parent) {
        Map::remove(fields, &key);
    }
}
