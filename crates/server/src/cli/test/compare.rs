//! How a run has ended, without what differs from run to run, and where two ends differ.

use serde_json::{Map, Value, json};

/// What two runs of one workflow with one input have in common. That a step was settled by hand is
/// no difference.
pub(super) fn end_of(run: &Value, steps: &[Value], settled: &[String]) -> Value {
    let steps: Map<String, Value> = steps
        .iter()
        .map(|step| {
            let path = step["path"].as_str().unwrap_or_default().to_owned();
            let fields = ["kind", "status", "reason", "output", "error"];
            let mut step: Map<String, Value> =
                fields.iter().map(|field| ((*field).to_owned(), step[*field].clone())).collect();
            if settled.contains(&path) {
                step["reason"] = Value::Null;
            }
            (path, Value::Object(step))
        })
        .collect();
    json!({
        "status": run["status"],
        "reason": run["reason"],
        "output": run["output"],
        "error": run["error"],
        "steps": steps,
    })
}

/// The first place at which two ends differ, with what stands there. Places below an ignored
/// pointer may differ.
pub(super) fn first_difference(
    expected: &Value,
    found: &Value,
    ignored: &[String],
) -> Option<String> {
    difference(expected, found, ignored, String::new())
}

fn difference(expected: &Value, found: &Value, ignored: &[String], at: String) -> Option<String> {
    if expected == found || ignored.contains(&at) {
        return None;
    }
    match (expected, found) {
        (Value::Object(one), Value::Object(other)) => {
            let added = other.keys().filter(|name| !one.contains_key(*name));
            one.keys().chain(added).find_map(|name| {
                let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (one.get(name), other.get(name)) {
                    (Some(one), Some(other)) => difference(one, other, ignored, place),
                    _ if ignored.contains(&place) => None,
                    (Some(_), None) => Some(format!("{place} is missing")),
                    _ => Some(format!("{place} should not be there")),
                }
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(index, (one, other))| {
                difference(one, other, ignored, format!("{at}/{index}"))
            })
        }
        _ => Some(format!("{at} is {} and should be {}", short(found), short(expected))),
    }
}

/// A value in a line.
fn short(value: &Value) -> String {
    const MOST: usize = 200;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named_with_its_place() {
        let expected = json!({ "status": "succeeded", "output": [1, { "a/b": 2 }] });
        let differs = |found: Value, ignored: &[&str]| {
            let ignored: Vec<String> = ignored.iter().map(|one| (*one).to_owned()).collect();
            first_difference(&expected, &found, &ignored)
        };
        let other = json!({ "status": "succeeded", "output": [1, { "a/b": 3 }] });
        assert_eq!(differs(expected.clone(), &[]), None);
        assert_eq!(
            differs(other.clone(), &[]).as_deref(),
            Some("/output/1/a~1b is 3 and should be 2")
        );
        assert_eq!(differs(other.clone(), &["/output/1/a~1b"]), None);
        assert_eq!(differs(other, &["/output"]), None);
        let shorter = json!({ "status": "succeeded", "output": [1] });
        assert!(differs(shorter, &[]).is_some_and(|text| text.starts_with("/output is [1]")));
        let less = json!({ "output": [1, { "a/b": 2 }] });
        assert_eq!(differs(less, &[]).as_deref(), Some("/status is missing"));
    }
}
