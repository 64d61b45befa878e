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
            // Its name in the API says more where several things are told by one.
            Ok(Value::Object(fact)) => match fact.into_iter().next() {
                Some((_, Value::Object(fields))) => fields,
                _ => Map::new(),
            },
            _ => Map::new(),
        };
        if let Some(Value::Object(seen)) = fields.shift_remove("seen") {
            fields.extend(seen);
            // When it was heard of is the event's own time.
            if let Some(micros) = fields.shift_remove("at").as_ref().and_then(Value::as_i64) {
                fields.insert("said_at".to_owned(), Time::from_micros(micros).to_string().into());
            }
            if let Some(what) = fields.shift_remove("what")
                && let Some(end) = what.get("ended")
            {
                fields.insert("status".to_owned(), end.clone());
            }
        }
        // Where it happened would otherwise be taken for when.
        if let Some(place) = fields.shift_remove("at") {
            fields.insert("place".to_owned(), place);
        }
        for name in TIMES {
            if let Some(micros) = fields.get(name).and_then(Value::as_i64) {
                fields.insert(name.to_owned(), Time::from_micros(micros).to_string().into());
            }
        }
        EventBody { seq: numbered.seq, at: event.at.to_string(), type_: name, fields }
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::run::{Event, Fact};

    use super::*;

    /// Every recorded event, so that a new type with a field of these names is found.
    #[test]
    fn no_field_of_a_fact_takes_the_place_of_the_event_s_own() {
        let journals = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/histories/v0.1");
        let mut placed = 0;
        for file in std::fs::read_dir(journals).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|end| end != "jsonl") {
                continue;
            }
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let event: Event = serde_json::from_str(line).unwrap();
                let is_created = matches!(event.fact, Fact::RunCreated(_));
                let body = EventBody::of(&NumberedEvent { seq: 7, event: event.clone() });
                let shown = serde_json::to_value(&body).unwrap();
                assert_eq!((&shown["seq"], &shown["type"]), (&7.into(), &event.fact.name().into()));
                assert_eq!(shown["at"], event.at.to_string(), "{line}");
                assert!(is_created || shown["place"].is_string() || shown.get("place").is_none());
                placed += usize::from(shown.get("place").is_some());
            }
        }
        assert!(placed > 0, "no recorded event has a place");
    }
}
