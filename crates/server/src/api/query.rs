//! Reading query strings, paths and forms, with problems in plain words instead of a library's.

use axum::extract::{FromRequestParts, MatchedPath, Query};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use crate::access::layer::is_for_people;
use crate::http::problem::{self, Problem};
use crate::pages;

/// A query string.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<T>, Response> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Asked(query)),
            Err(rejection) => Err(told(parts, &rejection.body_text())),
        }
    }
}

/// One percent-encoded segment of the path, or several.
#[derive(Debug)]
pub struct Named<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named<T>, Response> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Named(path)),
            Err(rejection) => Err(told(parts, &rejection.body_text())),
        }
    }
}

/// To a person as a page, to a program as JSON.
fn told(parts: &Parts, text: &str) -> Response {
    let problem = unreadable(text);
    match parts.extensions.get::<MatchedPath>() {
        Some(path) if is_for_people(path.as_str()) => pages::problem(problem),
        _ => problem.into_response(),
    }
}

/// What a library says of a query, a path or a form that it cannot read, in words of ours.
pub fn unreadable(text: &str) -> Problem {
    let prefixes = [
        "Failed to deserialize query string: ",
        "Failed to deserialize form body: ",
        "Invalid URL: ",
    ];
    let text = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    let quoted = |message: &str| message.split('`').nth(1).unwrap_or_default().to_owned();
    for (is, message) in [("duplicate field `", "is given twice"), ("missing field `", "is needed")]
    {
        if let Some(at) = text.find(is) {
            return Problem::parameter(&quoted(&text[at..]), message);
        }
    }
    let Some((name, what)) = text.split_once(": ").filter(|(name, _)| !name.contains(' ')) else {
        return Problem::new(problem::BAD_PARAMETER, text);
    };
    let message = match what {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "a whole number is expected"
        }
        "number too large to fit in target type" => "the number is too large",
        "number too small to fit in target type" => "the number is too small",
        "provided string was not `true` or `false`" => "`true` or `false` is expected",
        other => other,
    };
    Problem::parameter(name, message)
}
