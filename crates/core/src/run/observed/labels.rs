use std::collections::BTreeMap;

use serde_json::Value;

use super::FlowFacts;
use crate::limits::{LABEL_BYTES_MAX, LABEL_COUNT_MAX};

/// What stands before a tag in the label that is made of it.
const TAG: &str = "tag.";
/// What is said about a run that lists find it by, if it is a text, a number or a truth.
const FROM_METADATA: [&str; 3] = ["env", "git_sha", "triggered_by"];

/// Labels a run by what is known of it, so that lists find it. One that is there stays or changes its
/// value: nothing says that a label is not true any more.
pub(super) fn label(labels: &mut BTreeMap<String, String>, flow: &FlowFacts) {
    let metadata = flow.metadata.as_ref().map(|metadata| &*metadata.value);
    let said = FROM_METADATA.into_iter().filter_map(|name| {
        let value = match metadata?.get(name)? {
            Value::String(text) => text.clone(),
            value @ (Value::Number(_) | Value::Bool(_)) => value.to_string(),
            _ => return None,
        };
        Some((name.to_owned(), value))
    });
    let tags = flow.tags.iter().map(|tag| (format!("{TAG}{tag}"), "true".to_owned()));
    for (key, value) in said.chain(tags) {
        let has_room = labels.len() < LABEL_COUNT_MAX || labels.contains_key(&key);
        if has_room && fits(&key) && fits(&value) {
            labels.insert(key, value);
        }
    }
}

fn fits(text: &str) -> bool {
    text.len() <= LABEL_BYTES_MAX && !text.contains(char::is_control)
}
