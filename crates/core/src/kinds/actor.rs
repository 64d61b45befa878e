use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Complaint, NodeConfig, Offered, parse_config};
use crate::failure::Failure;
use crate::limits::{LABEL_BYTES_MAX, PRIORITY_MAX};
use crate::schema::Schema;

/// Hands a step to whoever acts in a role: a person in the inbox, an AI agent, a program.
///
/// The step stands in the queue of its role until an actor takes it, and is theirs for as long as
/// their lease lasts; that of a person in the inbox lasts a day. The output is what they hand in: what
/// they filled in, if there is a `form`. While it waits it holds no process.
/// `timeout` on the node bounds the whole, waiting included.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Actor {
    /// The role whose actors may take it.
    pub role: String,
    /// What is to be done, in a sentence.
    #[serde(default)]
    pub title: Option<String>,
    /// What they are shown: any JSON with templates.
    #[serde(default)]
    #[expect(dead_code, reason = "it is shown as it is in the step's input")]
    pub input: Value,
    /// JSON Schema of an object that they fill in. Without one, any JSON may be handed in.
    #[serde(default)]
    pub form: Option<Value>,
    /// The higher, the sooner its turn comes, -1000 to 1000.
    #[serde(default)]
    pub priority: i32,
    /// Steps of different keys take turns.
    #[serde(default)]
    pub fairness_key: String,
}

impl NodeConfig for Actor {
    const KIND: &'static str = "actor";
    const SUMMARY: &'static str = "Hands a step to a person, an agent or a program";
    const EXAMPLE: &'static str = include_str!("examples/actor.yaml");

    fn check(&self) -> Result<(), Complaint> {
        check_word("/role", &self.role)?;
        check_place(self.priority, &self.fairness_key)?;
        let Some(form) = &self.form else { return Ok(()) };
        if form.to_string().contains("{{") {
            return Ok(());
        }
        let wrong = |message: String| Complaint::at("/form", message);
        Schema::compile(form)
            .map_err(|error| wrong(format!("this is not a JSON Schema: {error}")))?;
        Ok(())
    }
}

pub(super) fn offered(config: &Value) -> Result<Offered, Failure> {
    let Actor { role, title, priority, fairness_key, .. } = parse_config(config.clone())?;
    Ok(Offered { queue: format!("role:{role}"), title, priority, fairness_key })
}

/// Refuses words that no queue can be called.
pub(super) fn check_word(field: &str, word: &str) -> Result<(), Complaint> {
    if word.is_empty() || word.len() > LABEL_BYTES_MAX || word.contains(char::is_control) {
        let message = format!("a name has 1 to {LABEL_BYTES_MAX} bytes and no control characters");
        return Err(Complaint::at(field, message));
    }
    Ok(())
}

/// Refuses places that no queue has.
pub(super) fn check_place(priority: i32, fairness_key: &str) -> Result<(), Complaint> {
    if !(-PRIORITY_MAX..=PRIORITY_MAX).contains(&priority) {
        let message = format!("a priority is -{PRIORITY_MAX} to {PRIORITY_MAX}");
        return Err(Complaint::at("/priority", message));
    }
    if fairness_key.len() > LABEL_BYTES_MAX {
        let message = format!("a key has at most {LABEL_BYTES_MAX} bytes");
        return Err(Complaint::at("/fairness_key", message));
    }
    Ok(())
}
