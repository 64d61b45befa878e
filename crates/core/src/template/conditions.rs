//! Conditions as they stand in a document.

use serde_json::Value;

use super::reader::{Broken, Got, Reader, rule, shown};
use super::subject::Condition;
use crate::definition::findings::Findings;
use crate::finding::Finding;

/// What to do about a mistake that says nothing of it itself.
const USUAL: &str = "compare attributes of the unit, as in `total > 200 and not flagged`";

/// Reads the field `condition`: a text, or in YAML a plain `true` or `false`.
pub(super) fn read(reader: &mut Reader<'_>, code: &str, out: &mut Findings<'_>) -> Got<Condition> {
    let Some((value, path)) = reader.value(&["condition"], out) else { return Ok(None) };
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        other => return Err(reader.wrong(&path, "condition", "a text", other, out)),
    };
    Condition::compile(&text).map(Some).map_err(|errors| {
        for error in errors {
            let shown = shown(&text);
            let message = format!(
                "{}{}: the condition `{shown}`: {}",
                rule(code),
                reader.what(),
                error.message
            );
            let finding = Finding::error(code, path.clone(), message);
            let hint = error.hint.unwrap_or_else(|| USUAL.to_owned());
            out.add_in_text(finding.hint(hint), error.offset);
        }
        Broken
    })
}
