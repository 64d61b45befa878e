//! Reading a document a user wrote, YAML or JSON, and remembering where everything stood.
//!
//! The result is a plain JSON value with a side table of [`Positions`], so that whatever is found
//! out later about `/nodes/2/config/url` can be shown with its line and column. [`to_yaml`] writes a
//! value so that it is read as the same.
//!
//! Not here: what the document means (`definition`).

mod positions;
mod scalar;
mod write;
mod yaml;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use positions::Positions;
pub use write::to_yaml;

use crate::finding::Finding;
use crate::limits::{DEFINITION_BYTES_MAX, JSON_DEPTH_MAX};

/// What a document is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// YAML 1.2, core schema, with anchors and merge keys.
    Yaml,
    /// JSON.
    Json,
}

impl Format {
    /// The word used in the store and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Yaml => "yaml",
            Format::Json => "json",
        }
    }

    /// JSON if the text starts like a JSON object (`{"`), YAML otherwise. A flow mapping without
    /// quotes is YAML.
    pub fn guess(text: &str) -> Format {
        let behind_brace = text.trim_start().strip_prefix('{').map(str::trim_start);
        match behind_brace {
            Some(rest) if rest.starts_with(['"', '}']) => Format::Json,
            _ => Format::Yaml,
        }
    }
}

/// A document and where its parts stand in the text.
#[derive(Debug)]
pub struct Source {
    /// What the document says.
    pub value: Value,
    /// Where it says it.
    pub positions: Positions,
    /// What it was written in.
    pub format: Format,
}

/// Reads a document.
///
/// # Errors
///
/// One finding with the line and column of the first thing that is not YAML or JSON.
pub fn read(text: &str) -> Result<Source, Finding> {
    if text.len() > DEFINITION_BYTES_MAX {
        let message = format!(
            "the document has {} bytes, but may have at most {DEFINITION_BYTES_MAX}",
            text.len()
        );
        return Err(Finding::error("too-large", "", message));
    }
    if Format::guess(text) == Format::Json {
        let value = serde_json::from_str(text).map_err(|error| json_finding(&error))?;
        let positions = yaml::read(text).map(|read| read.positions).unwrap_or_default();
        return Ok(Source { value, positions, format: Format::Json });
    }
    yaml::read(text)
}

fn json_finding(error: &serde_json::Error) -> Finding {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    Finding {
        line: u32::try_from(error.line()).ok(),
        // A line that ends inside of a string is told as column 0 of the next.
        column: u32::try_from(error.column().max(1)).ok(),
        ..Finding::error("bad-json", "", format!("this is not JSON: {message}")).hint_if(
            message
                .contains("recursion")
                .then(|| format!("documents nest at most {JSON_DEPTH_MAX} deep")),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_yaml_say_the_same() {
        let from_json = read(r#"{"name": "A \ud83d\ude00", "nodes": [{"id": "a"}]}"#).unwrap();
        let from_yaml = read("name: A 😀\nnodes:\n  - id: a\n").unwrap();
        assert_eq!(from_json.value, json!({ "name": "A 😀", "nodes": [{ "id": "a" }] }));
        assert_eq!(from_json.value, from_yaml.value);
        assert_eq!((from_json.format, from_yaml.format), (Format::Json, Format::Yaml));
        assert_eq!(from_yaml.positions.of("/nodes/0/id"), Some((3, 9)));
    }

    #[test]
    fn positions_are_known_in_json_too() {
        let source = read("{\n  \"nodes\": [\n    {\"id\": \"a\"}\n  ]\n}").unwrap();
        assert_eq!(source.positions.of("/nodes/0/id"), Some((3, 12)));
    }

    #[test]
    fn a_flow_mapping_is_yaml() {
        assert_eq!(read("{a: 1, b: [x, y]}").unwrap().value, json!({ "a": 1, "b": ["x", "y"] }));
    }

    #[test]
    fn broken_json_names_line_and_column() {
        let finding = read("{\n  \"a\": 1,\n  \"b\": }\n").unwrap_err();
        assert_eq!((finding.line, finding.column), (Some(3), Some(8)));
        let open = read("{\"a\": \"\n\"}").unwrap_err();
        assert_eq!((open.line, open.column), (Some(2), Some(1)));
    }
}
