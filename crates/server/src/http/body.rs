//! Reading request bodies: within a limit, as JSON, with every way in which one does not fit.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use parking_lot::RwLock;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_core::schema::Schema;

use super::problem::{self, Problem};

/// A JSON body. An empty one is read as `{}`.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + JsonSchema + 'static> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Problem> {
        let bytes = read(request, state).await?;
        parse(&bytes).map(Body)
    }
}

/// The bytes of a body.
///
/// # Errors
///
/// If there are too many, or the sender stops in the middle.
pub async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        use axum::response::IntoResponse;
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            let message = "the body is larger than the server's `server.body_bytes_max`";
            return Problem::new(problem::BODY_TOO_LARGE, message);
        }
        let status = rejection.into_response().status();
        Problem::new(problem::BAD_PARAMETER, format!("the body could not be read ({status})"))
    })
}

/// Reads a body.
///
/// # Errors
///
/// `bad-json` with the place, or `invalid-request` with every violation.
pub fn parse<T: DeserializeOwned + JsonSchema + 'static>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes };
    // What fits is read once; only what does not is looked at closely. A list would be read as the
    // fields in their order, which nobody means.
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    let error = match serde_json::from_slice::<T>(bytes) {
        Ok(body) if is_object => return Ok(body),
        Ok(_) => "an object is expected".to_owned(),
        Err(error) => error.to_string(),
    };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| bad_json(&error))?;
    let violations = schema::<T>().violations(&value);
    let detail = problem::summary(&violations).unwrap_or(error);
    Err(Problem::violations(problem::INVALID_REQUEST, &detail, violations))
}

/// Where a body is no JSON, and why.
pub(crate) fn bad_json(error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    Problem::new(problem::BAD_JSON, format!("{place}: {what}"))
}

/// The JSON Schema of a body, compiled once.
fn schema<T: JsonSchema + 'static>() -> Arc<Schema> {
    static SCHEMAS: LazyLock<RwLock<HashMap<TypeId, Arc<Schema>>>> = LazyLock::new(RwLock::default);
    if let Some(schema) = SCHEMAS.read().get(&TypeId::of::<T>()) {
        return schema.clone();
    }
    let source = schemars::schema_for!(T).to_value();
    let schema = Arc::new(Schema::compile(&source).expect("a derived schema compiles"));
    SCHEMAS.write().insert(TypeId::of::<T>(), schema.clone());
    schema
}
