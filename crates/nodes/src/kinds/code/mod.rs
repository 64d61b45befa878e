//! `code`: a function in Python or JavaScript.
//!
//! Every attempt is a process of its own, within the boundary of `sandbox`. JavaScript is run by an
//! engine in this binary. Python is the host's: a server of forks stands by, warmed up, and forks for
//! each attempt; where the host does not let it make namespaces, each attempt starts a Python.

mod attempt;
mod forks;
pub(crate) mod javascript;
mod memory;
mod python;

use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::HumanDuration;
use windlass_core::kinds::{Complaint, NodeConfig};
use windlass_core::run::AttemptError;

pub(crate) use forks::Known;
pub use memory::Bytes;

use crate::context::NodeContext;
use crate::node::Node;
use crate::sandbox::SandboxField;

/// The file a child leaves its result in.
const RESULT: &str = "output.json";
/// Memory of a step that says nothing, in bytes.
const MEMORY_DEFAULT: u64 = 512 << 20;
/// Processes and threads of a step.
const PROCESS_COUNT_MAX: u64 = 64;

/// Calls a function in Python or JavaScript.
///
/// The code defines `process`. In Python it is called with the values of `input_mapping` by name, in
/// JavaScript with one object that has them; there it may also be what `export default` says. What it
/// returns is the output, and has to be JSON. A coroutine or a promise is waited for. What it prints
/// are log lines. An exception fails the step with the code `exception`, and its traceback is in the
/// error's details.
///
/// Each attempt is a process of its own that cannot see the server: it has an empty directory, an empty
/// environment, no network unless `network` is true, and may read and write only what the server's
/// settings and `sandbox` both allow.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// `python`, which the host has to have, or `javascript`, which comes with Windlass.
    language: Language,
    /// The text that defines `process`. Never a template.
    code: String,
    /// What `process` is called with: any JSON with templates, by name.
    #[serde(default)]
    input_mapping: Map<String, Value>,
    /// How long an attempt may take. The node's own `timeout` holds as well.
    #[serde(default)]
    timeout: Option<HumanDuration>,
    /// Whether it may reach others. False if left out.
    #[serde(default)]
    network: bool,
    /// How much memory each of its processes may have: `512 MB` if left out.
    #[serde(default)]
    memory: Option<Bytes>,
    /// The Python to run it, such as one of a virtual environment that has what the code imports. Left
    /// out, the one of the server's settings.
    #[serde(default)]
    python: Option<PathBuf>,
    /// What it may read and write besides the system and its own directory, within what the server's
    /// `sandbox.read` and `sandbox.write` allow. Left out, nothing.
    #[serde(default)]
    sandbox: SandboxField,
}

/// What it is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Language {
    Python,
    Javascript,
}

impl NodeConfig for Code {
    const KIND: &'static str = "code";
    const SUMMARY: &'static str = "Calls a function in Python or JavaScript";
    const EXAMPLE: &'static str = include_str!("../examples/code.yaml");
    const VERBATIM: &'static [&'static str] = &["code"];

    fn check(&self) -> Result<(), Complaint> {
        if self.code.contains('\0') {
            return Err(Complaint::at("/code", "a program has no NUL in it"));
        }
        if self.python.is_some() && self.language != Language::Python {
            return Err(Complaint::at("/python", "only Python code is run by a Python"));
        }
        Ok(())
    }
}

#[async_trait]
impl Node for Code {
    async fn run(self, context: NodeContext) -> Result<Value, AttemptError> {
        attempt::run(self, context).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use windlass_core::definition::check;
    use windlass_core::expr::Template;

    use crate::Registry;

    fn found(config: &serde_json::Value) -> Vec<String> {
        let definition =
            json!({ "name": "w", "nodes": [{ "id": "a", "type": "code", "config": config }] });
        let checked = check(&definition.to_string(), Registry::builtin().kinds());
        checked.findings.into_iter().map(|found| found.path).collect()
    }

    #[test]
    fn the_text_of_a_program_is_no_template() {
        let code = "def process(): return f'{{secrets.x}} {{ nonsense }'";
        let config =
            json!({ "language": "python", "code": code, "input_mapping": { "a": "{{ 1 + 1 }}" } });
        let definition =
            json!({ "name": "w", "nodes": [{ "id": "a", "type": "code", "config": config }] });
        let checked = check(&definition.to_string(), Registry::builtin().kinds());
        assert_eq!(checked.findings, []);
        let plan = checked.plan.unwrap();
        let Template::Object(fields) = &plan.graph.nodes[0].config else { panic!("no fields") };
        let field = |name: &str| &fields.iter().find(|(known, _)| known == name).unwrap().1;
        assert_eq!(*field("code"), Template::Literal(json!(code)));
        assert!(matches!(field("input_mapping"), Template::Object(_)));
    }

    #[test]
    fn what_does_not_fit_is_found() {
        let with = |field: &str, value: serde_json::Value| {
            let mut config = json!({ "language": "python", "code": "def process(): pass" });
            config[field] = value;
            found(&config)
        };
        assert_eq!(with("memory", json!("256 MB")), [""; 0]);
        assert_eq!(with("timeout", json!("3s")), [""; 0]);
        for (field, value) in [
            ("language", json!("ruby")),
            ("memory", json!("much")),
            ("code", json!(7)),
            ("network", json!("maybe")),
            ("sandbox", json!({ "execute": [] })),
        ] {
            assert!(!with(field, value).is_empty(), "{field}");
        }
        let javascript =
            json!({ "language": "javascript", "code": "x", "python": "/usr/bin/python3" });
        assert_eq!(found(&javascript), ["/nodes/0/config/python"]);
    }
}
