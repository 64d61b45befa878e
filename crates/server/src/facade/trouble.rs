//! Refusals and bodies as the older systems have them: `{"detail": "…"}`, and 400 for whatever does
//! not fit.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_store::StoreError;

use crate::api::query::unreadable;
use crate::http::body;
use crate::http::problem::{self, Problem};

/// A problem in the words of the older systems.
#[derive(Debug)]
pub struct Detail(pub Problem);

/// Why something was not done.
#[derive(Debug, Serialize, ToSchema)]
pub struct DetailBody {
    /// In words.
    pub detail: String,
    /// The stable word for programs.
    pub code: &'static str,
}

impl Detail {
    /// A field of the request that cannot be read.
    pub fn field(name: &str, message: &str) -> Detail {
        Detail(Problem::parameter(name, message))
    }
}

impl From<Problem> for Detail {
    fn from(problem: Problem) -> Detail {
        Detail(problem)
    }
}

impl From<StoreError> for Detail {
    fn from(error: StoreError) -> Detail {
        Detail(error.into())
    }
}

impl IntoResponse for Detail {
    fn into_response(self) -> Response {
        let Detail(problem) = self;
        // They know one status for all that does not fit.
        let status = match problem.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        let body = DetailBody { detail: problem.detail.clone(), code: problem.code.code };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(problem);
        response
    }
}

/// A JSON body in which fields that are not known are passed over, as those systems did.
#[derive(Debug)]
pub struct Old<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + JsonSchema + 'static> FromRequest<S> for Old<T> {
    type Rejection = Detail;

    async fn from_request(request: Request, state: &S) -> Result<Old<T>, Detail> {
        let bytes = body::read(request, state).await?;
        Ok(Old(body::parse(&bytes)?))
    }
}

/// A query string.
#[derive(Debug)]
pub struct OldQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for OldQuery<T> {
    type Rejection = Detail;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<OldQuery<T>, Detail> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        let read = read.map_err(|rejection| Detail(unreadable(&rejection.body_text())));
        Ok(OldQuery(read?.0))
    }
}

/// An id in a request.
///
/// # Errors
///
/// 400 if it is none.
pub(super) fn id(field: &str, word: &str) -> Result<Uuid, Detail> {
    Uuid::parse_str(word).map_err(|_| Detail::field(field, "a UUID is expected"))
}

/// A text that says something.
///
/// # Errors
///
/// 400 if it is empty, or longer than `most` bytes.
pub(super) fn said(field: &str, text: &str, most: usize) -> Result<String, Detail> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Detail::field(field, "it must not be empty"));
    }
    if text.len() > most {
        return Err(Detail::field(field, &format!("at most {most} bytes are possible")));
    }
    Ok(text.to_owned())
}

/// Something that belongs to the request is not there.
pub(super) fn missing(code: problem::Code, message: impl Into<String>) -> Detail {
    Detail(Problem::new(code, message))
}

/// The refusals that any path of the older systems may answer with, for OpenAPI.
#[derive(utoipa::IntoResponses)]
pub enum DetailResponses {
    /// An id is no UUID, or a field is missing or does not fit.
    #[response(status = 400)]
    BadRequest(#[to_schema] DetailBody),
    /// A key or token is needed, or the one that was shown is not good.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(#[to_schema] problem::ProblemBody),
    /// The key's role may not do this.
    #[response(status = 403)]
    Forbidden(#[to_schema] DetailBody),
    /// There is no such thing.
    #[response(status = 404)]
    NotFound(#[to_schema] DetailBody),
    /// It is somebody else's, or stands where this cannot be done.
    #[response(status = 409)]
    Conflict(#[to_schema] DetailBody),
    /// The key was used too often; `Retry-After` says when it may be again.
    #[response(status = 429, content_type = "application/problem+json")]
    RateLimited(#[to_schema] problem::ProblemBody),
    /// The store cannot be used now.
    #[response(status = 503)]
    Unavailable(#[to_schema] DetailBody),
}
