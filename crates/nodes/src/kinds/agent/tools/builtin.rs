//! The tools that come with Windlass. Files and programs are used by the kind `shell`, within its boundary, and
//! values reach it by its environment and input: nothing that a model says becomes code, unless it is
//! a script that it may run. Requests are sent by the kind `http`, by its rules.

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use windlass_core::kinds::{NodeConfig, parse_config};
use windlass_core::run::AttemptError;
use windlass_core::schema::Schema;

use super::super::fields::{AgentTool, ToolField};
use super::place::Opened;
use super::{Does, Usable};
use crate::context::NodeContext;
use crate::kinds::http::Http;
use crate::kinds::shell::Shell;
use crate::llm::Tool;
use crate::node::{Node, fail};

/// A tool's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::kinds::agent) enum ToolName {
    ReadFile,
    WriteFile,
    List,
    Glob,
    Grep,
    Shell,
    Http,
}

impl ToolName {
    pub(in crate::kinds::agent) fn as_str(self) -> &'static str {
        match self {
            ToolName::ReadFile => "read_file",
            ToolName::WriteFile => "write_file",
            ToolName::List => "list",
            ToolName::Glob => "glob",
            ToolName::Grep => "grep",
            ToolName::Shell => "shell",
            ToolName::Http => "http",
        }
    }

    fn needs_directory(self) -> bool {
        self != ToolName::Http
    }

    pub(in crate::kinds::agent) fn can_be_limited(self) -> bool {
        matches!(self, ToolName::Shell | ToolName::Http)
    }

    fn description(self) -> &'static str {
        match self {
            ToolName::ReadFile => "Reads a text file. `path` is relative to the working directory.",
            ToolName::WriteFile => {
                "Writes a text file, in the place of what was there. Directories are made as needed."
            }
            ToolName::List => "Lists a directory.",
            ToolName::Glob => "Finds files whose path fits a pattern, such as `./src/*.rs`.",
            ToolName::Grep => "Finds lines of files that fit a basic regular expression.",
            ToolName::Shell => {
                "Runs a script for `/bin/sh`, or, where it takes `argv`, a program with arguments."
            }
            ToolName::Http => "Sends an HTTP request.",
        }
    }

    fn parameters(self, is_limited: bool) -> Value {
        let object = |properties: Value, required: &[&str]| {
            json!({ "type": "object", "properties": properties, "required": required,
                    "additionalProperties": false })
        };
        let text = || json!({ "type": "string" });
        match self {
            ToolName::ReadFile => object(json!({ "path": text() }), &["path"]),
            ToolName::WriteFile => {
                object(json!({ "path": text(), "content": text() }), &["path", "content"])
            }
            ToolName::List => object(json!({ "path": text() }), &[]),
            ToolName::Glob => object(json!({ "pattern": text() }), &["pattern"]),
            ToolName::Grep => object(json!({ "pattern": text(), "path": text() }), &["pattern"]),
            ToolName::Shell if is_limited => {
                let argv = json!({ "type": "array", "items": text(), "minItems": 1 });
                object(json!({ "argv": argv }), &["argv"])
            }
            ToolName::Shell => object(json!({ "script": text() }), &["script"]),
            ToolName::Http => schema_for!(Http).to_value(),
        }
    }

    /// The script that does it, and which argument is its input.
    fn script(self) -> Option<(&'static str, Option<&'static str>)> {
        match self {
            ToolName::ReadFile => Some(("head -c 65536 -- \"$path\"", None)),
            ToolName::WriteFile => Some((
                "mkdir -p -- \"$(dirname -- \"$path\")\" && cat > \"$path\" && echo written",
                Some("content"),
            )),
            ToolName::List => Some(("ls -la -- \"${path:-.}\"", None)),
            ToolName::Glob => Some(("find . -path \"$pattern\" | head -n 1000", None)),
            // To find nothing is no failure.
            ToolName::Grep => {
                Some(("grep -rnI -e \"$pattern\" -- \"${path:-.}\" | head -n 1000; true", None))
            }
            ToolName::Shell | ToolName::Http => None,
        }
    }
}

/// Whether any of these tools works in a directory.
pub(super) fn need_directory(tools: &[AgentTool]) -> bool {
    tools.iter().any(|tool| match tool {
        AgentTool::Name(name) => name.needs_directory(),
        AgentTool::More(field) => field.name.needs_directory(),
        AgentTool::Workflow(_) => false,
    })
}

pub(super) fn usable(field: ToolField) -> Usable {
    let described = Tool {
        name: field.name.as_str().to_owned(),
        description: Some(field.name.description().to_owned()),
        parameters: Some(field.name.parameters(field.allow.is_some())),
    };
    Usable { described, approve: field.approve, does: Does::Builtin(field) }
}

/// Does what a model asks for.
pub(super) async fn run(
    field: &ToolField,
    mut arguments: Map<String, Value>,
    place: &Opened,
    context: NodeContext,
) -> Result<String, AttemptError> {
    arguments.extend(field.with.clone());
    if field.name == ToolName::Http {
        return request(field, arguments, context).await;
    }
    // They become variables of a shell, and a model may not name those.
    let schema = Schema::compile(&field.name.parameters(field.allow.is_some()));
    let schema = schema.map_err(|error| fail("bad_config", error))?;
    let violations = schema.violations(&Value::Object(arguments.clone()));
    if !violations.is_empty() {
        return Err(fail("bad_arguments", crate::prompt::listed(&violations)));
    }
    shell(field, arguments, place, context).await
}

async fn shell(
    field: &ToolField,
    arguments: Map<String, Value>,
    place: &Opened,
    context: NodeContext,
) -> Result<String, AttemptError> {
    let mut config = json!({ "cwd": place.directory, "network": place.has_network });
    match (field.name.script(), &field.allow) {
        (Some((script, input)), _) => {
            let mut arguments = arguments;
            config["stdin"] = input.and_then(|input| arguments.remove(input)).unwrap_or_default();
            config["script"] = script.into();
            config["env"] = Value::Object(arguments);
        }
        (None, Some(programs)) => {
            let program = arguments.get("argv").and_then(|argv| argv.get(0)?.as_str());
            if !program.is_some_and(|program| programs.iter().any(|one| one == program)) {
                let message = format!("only these may be run: {}", programs.join(", "));
                return Err(fail("not_allowed", message));
            }
            config["argv"] = arguments["argv"].clone();
        }
        (None, None) => {
            let script = arguments.get("script").cloned().unwrap_or_default();
            // By its input, so that whatever is in it stays a script of the model's own.
            config["argv"] = json!(["/bin/sh", "-s"]);
            config["stdin"] = script;
        }
    }
    if config["stdin"].is_null() {
        config["stdin"] = "".into();
    }
    let shell: Shell = parse_config(config).map_err(bad)?;
    let output = Node::run(shell.with_own_dir(place.own_dir()), context).await?;
    Ok(output["stdout"].as_str().unwrap_or_default().to_owned())
}

async fn request(
    field: &ToolField,
    arguments: Map<String, Value>,
    context: NodeContext,
) -> Result<String, AttemptError> {
    let url = arguments.get("url").and_then(Value::as_str).unwrap_or_default();
    if let Some(allow) = &field.allow
        && !allow.iter().any(|prefix| is_below(url, prefix))
    {
        let message = format!("only these may be asked: {}", allow.join(", "));
        return Err(fail("not_allowed", message));
    }
    let http: Http = parse_config(Value::Object(arguments)).map_err(bad)?;
    http.check().map_err(|complaint| fail("bad_arguments", complaint.message))?;
    let output = Node::run(http, context).await?;
    Ok(output.to_string())
}

/// Whether a URL is one that begins like another. They are compared as they would be asked: a name
/// that only begins alike is another host.
fn is_below(url: &str, prefix: &str) -> bool {
    let (Ok(url), Ok(prefix)) = (reqwest::Url::parse(url), reqwest::Url::parse(prefix)) else {
        return false;
    };
    let rest = url.path().strip_prefix(prefix.path().trim_end_matches('/'));
    url.origin() == prefix.origin()
        && url.username().is_empty()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn bad(failure: windlass_core::Failure) -> AttemptError {
    fail("bad_arguments", failure.message)
}
