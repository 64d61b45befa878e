//! An event as the API shows it.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use windlass_core::Time;
use windlass_store::NumberedEvent;

/// Fields of facts that hold a time.
const TIMES: [&str; 3] = ["started_at", "retry_at", "until"];

/// A fact of a run's journal. Further fields depend on the type: `path` names a step, `attempt` its
/// attempt, `output`, `error`, `reason` and so on say what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EventBody {
    /// Its number in the run's journal, from 1, without gaps.
    pub seq: u64,
    /// When it happened, RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
    /// What happened, such as `step_succeeded`.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// The rest, by type.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
}

impl EventBody {
    /// As the API shows it.
    pub fn of(numbered: &NumberedEvent) -> EventBody {
        let event = &numbered.event;
        let name = event.fact.name();
        // A fact is written as an object with its name as the one key.
        let mut fields = match serde_json::to_value(&event.fact) {
            Ok(Value::Object(mut fact)) => match fact.remove(name) {
                Some(Value::Object(fields)) => fields,
                _ => Map::new(),
            },
            _ => Map::new(),
        };
        for name in TIMES {
            if let Some(micros) = fields.get(name).and_then(Value::as_i64) {
                fields.insert(name.to_owned(), Time::from_micros(micros).to_string().into());
            }
        }
        EventBody { seq: numbered.seq, at: event.at.to_string(), type_: name, fields }
    }
}
