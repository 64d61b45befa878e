//! The text of a prompt file: a head between two lines of `---`, then the body.

use serde::Serialize;
use serde_json::{Map, Value};
use windlass_core::{Finding, source};

use super::types;

/// Whom a prompt is for that does not say so.
const DEFAULT_CLIENT: &str = "anthropic/claude-sonnet";
const DEFAULT_TURN_COUNT: u32 = 10;
const TURN_COUNT_MAX: u64 = 1_000;

/// A prompt file, read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prompt {
    /// What it is called.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who is asked, as `provider/model`.
    pub client: String,
    /// Who works with it.
    #[serde(rename = "type")]
    pub prompt_type: PromptType,
    /// JSON Schema of the inputs.
    #[serde(rename = "inputs_schema")]
    pub inputs: Value,
    /// JSON Schema of the answer, if it is to be JSON.
    #[serde(rename = "output_schema")]
    pub output: Option<Value>,
    /// The tools that an agent may use.
    pub tools: Vec<String>,
    /// How often an agent may turn to the model.
    pub max_turns: u32,
    /// The file whose blocks it fills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// What is odd about it, but goes.
    pub warnings: Vec<String>,
    /// What it says, as a template.
    #[serde(skip)]
    pub body: String,
    /// Whether the file itself says so. What it leaves open comes from the file it extends.
    #[serde(skip)]
    pub(super) says: Says,
}

/// Which fields a head has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Says {
    pub(super) client: bool,
    pub(super) prompt_type: bool,
    pub(super) tools: bool,
    pub(super) max_turns: bool,
}

/// Who works with a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptType {
    /// A model that answers once.
    #[default]
    Llm,
    /// A model that uses tools until it is done.
    Agent,
}

/// Reads the text of a prompt file.
///
/// # Errors
///
/// The first thing that is wrong, with its line and column in the file.
pub fn parse(text: &str) -> Result<Prompt, Finding> {
    let (head, body) = split(text)?;
    let read = source::read(head).map_err(|mut finding| {
        finding.line = finding.line.map(|line| line + 1);
        finding
    })?;
    let at = |path: &str, message: String| {
        let mut finding = Finding::error("bad-prompt", path, message);
        if let Some((line, column)) = read.positions.of(path) {
            (finding.line, finding.column) = (Some(line + 1), Some(column));
        }
        finding
    };
    let Value::Object(fields) = &read.value else {
        return Err(at("", "the head is a mapping with a `name`".to_owned()));
    };
    from_fields(fields, body).map_err(|(path, message)| at(&path, message))
}

/// What stands in front of the body, and the body.
fn split(text: &str) -> Result<(&str, &str), Finding> {
    let at_line = |line: u32, message: &str| Finding {
        line: Some(line),
        column: Some(1),
        ..Finding::error("bad-prompt", "", message)
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if first.trim_end() != "---" {
        return Err(at_line(1, "a prompt file begins with a line of `---`"));
    }
    let mut length = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            let body = &rest[length + line.len()..];
            return Ok((&rest[..length], body));
        }
        length += line.len();
    }
    Err(at_line(1, "the head has no end: a second line of `---`"))
}

type Wrong = (String, String);

fn from_fields(fields: &Map<String, Value>, body: &str) -> Result<Prompt, Wrong> {
    const KNOWN: [&str; 9] = [
        "name",
        "description",
        "client",
        "type",
        "inputs",
        "output",
        "tools",
        "max_turns",
        "extends",
    ];
    let mut warnings: Vec<String> = fields
        .keys()
        .filter(|name| !KNOWN.contains(&name.as_str()))
        .map(|name| format!("/{name}: the field `{name}` is not known and has no effect"))
        .collect();
    let name = text(fields, "name")?.filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| (String::new(), "a prompt needs a `name`".to_owned()))?;
    let client = text(fields, "client")?;
    let prompt_type = match text(fields, "type")?.as_deref() {
        None => None,
        Some("llm") => Some(PromptType::Llm),
        Some("agent") => Some(PromptType::Agent),
        Some(other) => {
            return Err(wrong("type", format!("expected `llm` or `agent`, got `{other}`")));
        }
    };
    let inputs = match fields.get("inputs") {
        None | Some(Value::Null) => types::object(&Map::new(), "/inputs", &mut warnings)?,
        Some(Value::Object(inputs)) => types::object(inputs, "/inputs", &mut warnings)?,
        Some(_) => return Err(wrong("inputs", "a mapping of names and types".to_owned())),
    };
    let output = match fields.get("output") {
        None | Some(Value::Null) => None,
        Some(output) => Some(types::read(output, "/output", &mut warnings)?.schema),
    };
    let tools = match fields.get("tools") {
        None | Some(Value::Null) => None,
        Some(tools) => Some(words(tools).ok_or_else(|| wrong("tools", "a list of names".into()))?),
    };
    let max_turns = match fields.get("max_turns") {
        None | Some(Value::Null) => None,
        Some(turns) => {
            let turns = turns.as_u64().filter(|turns| (1..=TURN_COUNT_MAX).contains(turns));
            let turns = turns.and_then(|turns| u32::try_from(turns).ok());
            let message = || format!("a whole number from 1 to {TURN_COUNT_MAX}");
            Some(turns.ok_or_else(|| wrong("max_turns", message()))?)
        }
    };
    let says = Says {
        client: client.is_some(),
        prompt_type: prompt_type.is_some(),
        tools: tools.is_some(),
        max_turns: max_turns.is_some(),
    };
    Ok(Prompt {
        name,
        description: text(fields, "description")?,
        client: client.unwrap_or_else(|| DEFAULT_CLIENT.to_owned()),
        prompt_type: prompt_type.unwrap_or_default(),
        inputs,
        output,
        tools: tools.unwrap_or_default(),
        max_turns: max_turns.unwrap_or(DEFAULT_TURN_COUNT),
        extends: text(fields, "extends")?,
        warnings,
        body: body.to_owned(),
        says,
    })
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, Wrong> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(wrong(name, format!("`{name}` is a text, not `{other}`"))),
    }
}

fn words(value: &Value) -> Option<Vec<String>> {
    let words = match value {
        Value::String(word) => return Some(vec![word.clone()]),
        other => other.as_array()?,
    };
    words.iter().map(|word| word.as_str().map(str::to_owned)).collect()
}

fn wrong(field: &str, message: String) -> Wrong {
    (format!("/{field}"), message)
}
