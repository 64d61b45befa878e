//! A list of steps, one behind the other, as a definition.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::facade::Detail;

/// Steps of one list.
const STEPS_MAX: usize = 1_000;

/// Reads a list: a step is a name, or an object with `type` (or `kind`, `action`), `config` (or
/// `params`, `parameters`) and whatever else a node has. Without a type it does nothing.
///
/// # Errors
///
/// 400 for what is neither, or more steps than there may be.
pub(super) fn definition(
    name: &str,
    description: Option<&str>,
    steps: &[Value],
) -> Result<Value, Detail> {
    if steps.len() > STEPS_MAX {
        return Err(Detail::field("steps", &format!("at most {STEPS_MAX} are possible")));
    }
    let mut nodes = Vec::with_capacity(steps.len().max(1));
    let mut taken = BTreeSet::new();
    let mut before: Option<String> = None;
    for (place, step) in steps.iter().enumerate() {
        let mut node = node(step, place)?;
        let id = free(&word(&node, place), &mut taken);
        node.retain(|field, _| !["id", "name"].contains(&field.as_str()));
        node.insert("id".to_owned(), id.as_str().into());
        if let Some(before) = before.replace(id) {
            node.entry("needs").or_insert_with(|| json!([before]));
        }
        nodes.push(Value::Object(node));
    }
    if nodes.is_empty() {
        // A definition has a node; a list may be empty.
        nodes.push(json!({ "id": "nothing", "type": "noop" }));
    }
    let mut document = json!({ "name": name, "nodes": nodes });
    if let Some(description) = description {
        document["description"] = description.into();
    }
    Ok(document)
}

fn node(step: &Value, place: usize) -> Result<Map<String, Value>, Detail> {
    let mut node = match step {
        Value::String(name) => Map::from_iter([("name".to_owned(), name.as_str().into())]),
        Value::Object(fields) => fields.clone(),
        _ => {
            let message = format!("step {} is neither a name nor an object", place + 1);
            return Err(Detail::field("steps", &message));
        }
    };
    for (theirs, ours) in
        [("kind", "type"), ("action", "type"), ("params", "config"), ("parameters", "config")]
    {
        if let Some(value) = node.remove(theirs)
            && !node.contains_key(ours)
        {
            node.insert(ours.to_owned(), value);
        }
    }
    node.entry("type").or_insert_with(|| "noop".into());
    Ok(node)
}

/// What a step may be called: letters, digits and `_`.
fn word(node: &Map<String, Value>, place: usize) -> String {
    let said = ["id", "name"].iter().find_map(|field| node.get(*field)?.as_str());
    let said = said.unwrap_or_default().to_lowercase();
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let word: String = said.chars().map(|c| if is_letter(c) { c } else { '_' }).take(48).collect();
    let word = word.trim_matches('_');
    match word.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => word.to_owned(),
        Some(_) => format!("step_{word}"),
        None => format!("step_{}", place + 1),
    }
}

/// The word, or, if another step has it, the word with a number.
fn free(word: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{word}_{number}"));
    let mut words = std::iter::once(word.to_owned()).chain(numbered);
    let found = words.find(|word| !taken.contains(word)).unwrap_or_default();
    taken.insert(found.clone());
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::definition;

    #[test]
    fn steps_stand_one_behind_the_other() {
        let steps = [
            json!("Load data"),
            json!({ "name": "Load data", "action": "noop", "params": { "output": 1 } }),
            json!({ "id": "7", "type": "fail", "config": { "message": "no" } }),
            json!("—"),
        ];
        let document = definition("old", Some("why"), &steps).unwrap();
        assert_eq!(
            document,
            json!({
                "name": "old", "description": "why",
                "nodes": [
                    { "id": "load_data", "type": "noop" },
                    { "id": "load_data_2", "type": "noop", "config": { "output": 1 },
                      "needs": ["load_data"] },
                    { "id": "step_7", "type": "fail", "config": { "message": "no" },
                      "needs": ["load_data_2"] },
                    { "id": "step_4", "type": "noop", "needs": ["step_7"] },
                ],
            })
        );
        assert!(definition("old", None, &[json!(1)]).is_err());
        assert_eq!(definition("old", None, &[]).unwrap()["nodes"][0]["type"], "noop");
    }
}
