//! What the OpenAPI document says of all endpoints alike, and is therefore said once: what a
//! parameter of a name looks like, what a body that does not fit is answered with, which bodies may
//! be left out.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;
use windlass_core::limits::{BATCH_RUN_COUNT_MAX, LABEL_BYTES_MAX, LABEL_COUNT_MAX};
use windlass_core::run::RunStatus;
use windlass_core::run::token::UnitStatus;
use windlass_store::LogLevel;

use crate::http::deprecation;
use crate::http::paging::LIMIT_MAX;

/// What may come of any body. `(status, what it says)`.
const OF_BODIES: [(&str, &str); 2] = [
    ("413", "The body is too large: `body-too-large`, `input-too-large`"),
    ("422", "The body can be read and does not fit: `invalid-request` and others"),
];

/// Says once what is the same everywhere.
pub(super) fn complete(document: &OpenApi) -> Value {
    let mut value = serde_json::to_value(document).unwrap_or_default();
    let required = schemas_with_requirements(&value);
    for schema in
        value.pointer_mut("/components/schemas").into_iter().filter_map(Value::as_object_mut)
    {
        schema.values_mut().for_each(bound_names);
    }
    for (path, operations) in value["paths"].as_object_mut().into_iter().flatten() {
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            if deprecation::successor(path).is_some() {
                operation["deprecated"] = json!(true);
            }
        }
    }
    let paths = value["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        let operations = item.as_object_mut().into_iter().flat_map(Map::values_mut);
        operations.map(move |operation| (path, operation))
    });
    for (path, operation) in operations {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            if let Some(schema) = schema_of(path, name) {
                parameter["schema"] = schema;
            }
        }
        if operation.get("requestBody").is_some() {
            complete_body(operation, &required);
        }
    }
    value
}

/// What parameters of this name look like, wherever they are.
fn schema_of(path: &str, name: &str) -> Option<Value> {
    Some(match name {
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX }),
        "after" | "Last-Event-ID" => {
            json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX })
        }
        // A form sends what was not filled in as an empty text.
        "created_after" | "created_before" => json!({ "type": "string", "anyOf": [
            { "format": "date-time" }, { "maxLength": 0 },
        ] }),
        "from" | "to" if path.starts_with("/api/v1/analytics/") => {
            json!({ "type": "string", "anyOf": [
            { "format": "date-time" }, { "format": "date" }, { "maxLength": 0 },
        ] })
        }
        "from" | "until" if path.ends_with("/logs") => json!({ "type": "string", "anyOf": [
            { "format": "date-time" }, { "maxLength": 0 },
        ] }),
        "interval" => json!({ "type": "string", "enum": ["hour", "day", ""] }),
        "level" => {
            let names = LogLevel::ALL.map(LogLevel::as_str).join("|");
            json!({ "type": "string", "pattern": format!("^({names})?$") })
        }
        "q" if path == "/api/v1/logs" => {
            json!({ "type": "string", "maxLength": 200, "pattern": "\\S" })
        }
        "text" | "q" => json!({ "type": "string", "maxLength": 200 }),
        "label" => json!({ "type": "string", "pattern": "^([^,=]*=[^,]*(,[^,=]*=[^,]*)*)?$" }),
        "status" if path == "/api/v1/uows" => {
            let names = UnitStatus::ALL.map(UnitStatus::as_str).join("|");
            json!({ "type": "string", "pattern": format!("^({names})?$") })
        }
        "status" if path == "/api/workflows/runs" => {
            let names = "pending|running|completed|failed|cancelled";
            json!({ "type": "string", "pattern": format!("^({names})?$") })
        }
        // Few words, said where they are.
        "status" if path == "/api/v1/instances" || path == "/api/v1/interventions" => return None,
        "status" => {
            let names = RunStatus::ALL.map(|status| status.as_str()).join("|");
            json!({ "type": "string", "pattern": format!("^(({names})(,({names}))*)?$") })
        }
        "Idempotency-Key" => {
            json!({ "type": "string", "pattern": format!("^[!-~]{{1,{LABEL_BYTES_MAX}}}$") })
        }
        "Prefer" | "If-Match" | "If-None-Match" => json!({ "type": "string" }),
        _ => return None,
    })
}

/// Names of the schemas of which some field must be there.
fn schemas_with_requirements(document: &Value) -> Vec<String> {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let needing = schemas.into_iter().flatten().filter(|(_, it)| it.get("required").is_some());
    needing.map(|(name, _)| format!("#/components/schemas/{name}")).collect()
}

/// Bounds of the fields that requests share. Bytes are counted, so a text of other letters than
/// English ones may be refused before it has as many characters.
fn bound_names(schema: &mut Value) {
    let is_request = schema["additionalProperties"] == false;
    let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    if !is_request {
        return;
    }
    for name in ["external_id", "idempotency_key"] {
        if let Some(field) = fields.get_mut(name) {
            field["minLength"] = json!(1);
            field["maxLength"] = json!(LABEL_BYTES_MAX);
        }
    }
    if let Some(labels) = fields.get_mut("labels") {
        labels["maxProperties"] = json!(LABEL_COUNT_MAX);
        labels["propertyNames"] = json!({ "minLength": 1, "maxLength": LABEL_BYTES_MAX });
        labels["additionalProperties"]["maxLength"] = json!(LABEL_BYTES_MAX);
    }
    if let Some(runs) = fields.get_mut("runs") {
        runs["minItems"] = json!(1);
        runs["maxItems"] = json!(BATCH_RUN_COUNT_MAX);
    }
}

/// An empty body is `{}`, so one of which nothing must be there may be left out.
fn complete_body(operation: &mut Value, required: &[String]) {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    let is_optional =
        schema.as_str().is_some_and(|schema| !required.iter().any(|name| name == schema));
    operation["requestBody"]["required"] = json!(!is_optional);
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    for (status, description) in OF_BODIES {
        let schema = json!({ "$ref": "#/components/schemas/ProblemBody" });
        responses.entry(status).or_insert_with(|| {
            json!({
                "description": description,
                "content": { "application/problem+json": { "schema": schema } },
            })
        });
    }
    responses.sort_keys();
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn parameters_and_bodies_are_described_as_they_are_read() {
        let document = crate::api::openapi();
        let operation = |method: &str, path: &str| document["paths"][path][method].clone();
        let runs = operation("get", "/api/v1/runs");
        let parameters = runs["parameters"].as_array().unwrap();
        let limit = parameters.iter().find(|one| one["name"] == "limit").unwrap();
        assert_eq!(limit["schema"]["type"], "integer");
        assert_eq!(limit["schema"]["maximum"], 1000);
        let cancel = operation("post", "/api/v1/runs/{run}/cancel");
        assert_eq!(cancel["requestBody"]["required"], false, "nothing must be in it");
        assert!(cancel["responses"]["422"].is_object());
        let batch = operation("post", "/api/v1/workflows/{workflow}/execute-batch");
        assert_eq!(batch["requestBody"]["required"], true);
        let paths = document["paths"].as_object().unwrap().values().filter_map(Value::as_object);
        for operation in paths.flat_map(|methods| methods.values()) {
            assert!(operation.get("parameters").is_none_or(Value::is_array), "{operation}");
        }
    }
}
