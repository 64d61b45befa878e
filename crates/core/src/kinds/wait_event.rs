use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::wait_signal::{OnTimeout, check_name};
use super::{Awaits, Complaint, NodeConfig, Wait, parse_config};
use crate::duration::HumanDuration;
use crate::failure::Failure;

/// Waits for an event from outside. The output is the event's data.
///
/// An event is sent to nobody in particular (`POST /api/v1/events/{name}`): every step of the project
/// that waits for its name, and whose `match` fits its data, goes on. One that came before the step
/// waited is not seen. While the step waits, it holds no process and no memory.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitEvent {
    /// The event's name, such as `order.paid`.
    pub event: String,
    /// What fields of the event's data have to be, such as `order_id: "{{input.order_id}}"`.
    #[serde(default, rename = "match")]
    pub matching: Map<String, Value>,
    /// How long to wait. Left out, for ever.
    #[serde(default)]
    pub timeout: Option<HumanDuration>,
    /// What happens then.
    #[serde(default)]
    pub on_timeout: OnTimeout,
}

impl WaitEvent {
    /// Whether an event with this data is one it waits for.
    pub fn fits(matching: &Map<String, Value>, data: &Value) -> bool {
        matching.iter().all(|(field, wanted)| data.get(field) == Some(wanted))
    }
}

impl NodeConfig for WaitEvent {
    const KIND: &'static str = "wait_event";
    const SUMMARY: &'static str = "Waits for an event from outside";
    const EXAMPLE: &'static str = include_str!("examples/wait_event.yaml");

    fn check(&self) -> Result<(), Complaint> {
        check_name("/event", &self.event)
    }
}

pub(super) fn wait(config: &Value) -> Result<Wait, Failure> {
    let WaitEvent { event, timeout, .. } = parse_config(config.clone())?;
    Ok(Wait { awaits: Awaits::Event(event), time: timeout.map(|time| time.0) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_that_is_named_has_to_fit() {
        let wanted = json!({ "id": 7, "state": "paid" });
        let Value::Object(wanted) = wanted else { panic!() };
        assert!(WaitEvent::fits(&wanted, &json!({ "id": 7, "state": "paid", "more": 1 })));
        assert!(!WaitEvent::fits(&wanted, &json!({ "id": 7 })));
        assert!(!WaitEvent::fits(&wanted, &json!("paid")));
        assert!(WaitEvent::fits(&Map::new(), &json!(null)));
    }
}
