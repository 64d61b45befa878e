//! What callers get instead of an answer: RFC 9457 problems with stable codes. Every code has a
//! page in `docs/problems/`, which `type` leads to.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use windlass_core::Finding;
use windlass_core::run::Refused;
use windlass_core::schema::Violation;
use windlass_engine::DefinitionError;
use windlass_store::StoreError;

/// One kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The stable word.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What it says in general.
    pub title: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, $title:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: Code = Code { code: $code, status: $status, title: $title };
        )*
        /// All of them.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    BAD_JSON = "bad-json", 400, "The body is not JSON";
    BAD_DOCUMENT = "bad-document", 400, "The definition is neither YAML nor JSON";
    BAD_PARAMETER = "bad-parameter", 400, "A parameter or header cannot be read";
    UNAUTHENTICATED = "unauthenticated", 401, "A key is needed";
    FORBIDDEN = "forbidden", 403, "The key may not do this";
    CSRF = "csrf", 403, "The form is not from a page of this session";
    ORIGIN_NOT_ALLOWED = "origin-not-allowed", 403, "Another site may not do this";
    NO_SUCH_ROUTE = "no-such-route", 404, "There is nothing at this path";
    RUN_NOT_FOUND = "run-not-found", 404, "There is no such run";
    STEP_NOT_FOUND = "step-not-found", 404, "There is no such step";
    WORKFLOW_NOT_FOUND = "workflow-not-found", 404, "There is no such workflow";
    KEY_NOT_FOUND = "key-not-found", 404, "There is no such key";
    SECRET_NOT_FOUND = "secret-not-found", 404, "There is no such secret";
    PROMPT_NOT_FOUND = "prompt-not-found", 404, "There is no such prompt file";
    TEMPLATE_NOT_FOUND = "template-not-found", 404, "There is no such template";
    INSTANCE_NOT_FOUND = "instance-not-found", 404, "There is no such instance";
    ROLE_NOT_FOUND = "role-not-found", 404, "There is no such role";
    UNIT_NOT_FOUND = "unit-not-found", 404, "There is no such unit of work";
    ACTOR_NOT_FOUND = "actor-not-found", 404, "There is no such actor";
    QUEUE_NOT_FOUND = "queue-not-found", 404, "There is no such queue";
    INTERVENTION_NOT_FOUND = "intervention-not-found", 404, "There is no such request to pilots";
    MEMORY_NOT_FOUND = "memory-not-found", 404, "There is no such memory";
    NOT_ASSIGNED = "not-assigned", 403, "The actor is not assigned to the role";
    INSTANCE_INACTIVE = "instance-inactive", 409, "The instance is paused or archived";
    UNIT_STATE = "unit-state", 409, "The unit of work stands where this cannot be done";
    NOT_A_GRAPH = "not-a-graph", 409, "A template is instantiated, not executed";
    INVALID_UNIT = "invalid-unit", 422, "What is said of a unit of work cannot be";
    TASK_NOT_FOUND = "task-not-found", 404, "There is no such task";
    KIND_NOT_FOUND = "kind-not-found", 404, "There is no such kind of node";
    METHOD_NOT_ALLOWED = "method-not-allowed", 405, "The path does not know this method";
    REQUEST_TIMEOUT = "request-timeout", 408, "The request took too long";
    WRONG_STATE = "wrong-state", 409, "The run is in no state for this";
    ONLY_WATCHED = "only-watched", 409, "Another program drives the run";
    LEASE_LOST = "lease-lost", 409, "The task is not the worker's own any more";
    TASK_OVER = "task-over", 409, "The task is over";
    APPROVAL_CHANGED = "approval-changed", 409, "What is asked is not what was seen";
    EXTERNAL_ID_TAKEN = "external-id-taken", 409, "Another run has this external id";
    VERSION_MISMATCH = "version-mismatch", 412, "The workflow has changed meanwhile";
    BODY_TOO_LARGE = "body-too-large", 413, "The body is too large";
    INPUT_TOO_LARGE = "input-too-large", 413, "The input is too large";
    HOST_NOT_ALLOWED = "host-not-allowed", 421, "The server does not go by this name";
    INVALID_DEFINITION = "invalid-definition", 422, "The definition has errors";
    INVALID_INPUT = "invalid-input", 422, "The input does not fit the workflow";
    INVALID_OUTPUT = "invalid-output", 422, "The output does not fit the kind";
    INVALID_REQUEST = "invalid-request", 422, "The body does not have the right shape";
    BAD_PROMPT = "bad-prompt", 422, "The prompt file has an error";
    BAD_INPUTS = "bad-inputs", 422, "The inputs do not fit the prompt file";
    PROMPT_RENDER = "prompt-render", 422, "The prompt cannot be filled in";
    KEY_REUSED = "key-reused", 422, "The idempotency key belongs to another request";
    RUN_TOO_LARGE = "run-too-large", 422, "The run is too large to be taken whole";
    NAME_MISMATCH = "name-mismatch", 422, "The definition has another name";
    RATE_LIMITED = "rate-limited", 429, "Too many requests";
    INTERNAL = "internal", 500, "Windlass has made a mistake";
    MODEL_KEY_MISSING = "model-key-missing", 503, "There is no key for the model";
    UNAVAILABLE = "unavailable", 503, "Not now";
    OUTCOME_UNKNOWN = "outcome-unknown", 503, "Nobody knows whether it was done";
}

/// An answer that says why there is no other.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}: {detail}", .code.title)]
pub struct Problem {
    /// Which kind.
    pub code: Code,
    /// What exactly.
    pub detail: String,
    /// What, one by one, if there may be several.
    pub errors: Vec<ErrorItem>,
}

/// One of several things that are wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorItem {
    /// JSON Pointer of the place.
    pub path: String,
    /// What is wrong there.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// A stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Line in the definition's text, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in that line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// RFC 9457 problem details.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProblemBody {
    /// Path of the page about problems of this kind.
    #[serde(rename = "type")]
    pub type_: String,
    /// What it says in general.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What exactly is wrong.
    pub detail: String,
    /// The stable word for programs.
    pub code: String,
    /// What is wrong, one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorItem>,
}

impl Problem {
    /// A problem.
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        Problem { code, detail: detail.into(), errors: Vec::new() }
    }

    /// No run goes by this word.
    pub fn no_run(word: &str) -> Problem {
        Problem::new(RUN_NOT_FOUND, format!("no run has the id or external id `{}`", short(word)))
    }

    /// No workflow goes by this word.
    pub fn no_workflow(word: &str) -> Problem {
        Problem::new(WORKFLOW_NOT_FOUND, format!("no workflow is called `{}`", short(word)))
    }

    /// The same about a field of the body: what is wrong with a body is one kind of problem.
    pub fn in_body(self) -> Problem {
        Problem { code: INVALID_REQUEST, ..self }
    }

    /// A parameter that cannot be read.
    pub fn parameter(name: &str, message: impl Into<String>) -> Problem {
        let message = message.into();
        let detail = format!("`{name}`: {message}");
        let item = ErrorItem { path: name.to_owned(), message, ..ErrorItem::default() };
        Problem { errors: vec![item], ..Problem::new(BAD_PARAMETER, detail) }
    }

    /// What is wrong with a value.
    pub fn violations(code: Code, detail: &str, violations: Vec<Violation>) -> Problem {
        let item = |one: Violation| ErrorItem {
            path: one.path,
            message: one.message,
            hint: one.hint,
            ..ErrorItem::default()
        };
        let errors = violations.into_iter().map(item).collect();
        Problem { errors, ..Problem::new(code, detail) }
    }

    /// What is wrong with a definition.
    pub fn findings(code: Code, findings: Vec<Finding>) -> Problem {
        let first = findings.first().map_or_else(String::new, |first| first.message.clone());
        let detail = match findings.len() {
            0 | 1 => first,
            count => format!("{first}; and {} more", count - 1),
        };
        let item = |one: Finding| ErrorItem {
            path: one.path,
            message: one.message,
            hint: one.hint,
            code: Some(one.code),
            line: one.line,
            column: one.column,
        };
        let errors = findings.into_iter().map(item).collect();
        Problem { errors, ..Problem::new(code, detail) }
    }

    /// As it is sent.
    pub fn body(&self) -> ProblemBody {
        ProblemBody {
            type_: format!("/problems/{}", self.code.code),
            title: self.code.title.to_owned(),
            status: self.code.status,
            detail: self.detail.clone(),
            code: self.code.code.to_owned(),
            errors: self.errors.clone(),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// What is wrong with a value, in a sentence: the first violation and how many there are besides.
pub fn summary(violations: &[Violation]) -> Option<String> {
    let first = violations.first()?;
    let what = match first.path.as_str() {
        "" => first.message.clone(),
        path => format!("{path}: {}", first.message),
    };
    Some(match violations.len() {
        1 => what,
        count => format!("{what}; and {} more", count - 1),
    })
}

/// A word from outside, cut so that a message stays one.
pub(crate) fn short(word: &str) -> String {
    match word.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // Nobody sets a key within a second.
        if self.code.status == 503 && self.code != MODEL_KEY_MISSING {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Unavailable(message) => Problem::new(UNAVAILABLE, message),
            StoreError::OutcomeUnknown(message) => Problem::new(OUTCOME_UNKNOWN, message),
            StoreError::Fenced => Problem::new(UNAVAILABLE, "another server owns the data now"),
            StoreError::Damaged(message) | StoreError::CannotOpen(message) => {
                tracing::error!(%message, "the store is damaged");
                Problem::new(INTERNAL, "what was read makes no sense; the server's log says more")
            }
        }
    }
}

impl From<DefinitionError> for Problem {
    fn from(error: DefinitionError) -> Problem {
        match error {
            DefinitionError::Store(error) => error.into(),
            DefinitionError::Broken(findings) => Problem::findings(INVALID_DEFINITION, findings),
            error @ DefinitionError::Gone(_) => {
                tracing::error!(%error, "a definition is missing");
                Problem::new(INTERNAL, error.to_string())
            }
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        let message = refused.to_string();
        match refused {
            Refused::BadInput(violations) => {
                let detail = summary(&violations).unwrap_or(message);
                Problem::violations(INVALID_INPUT, &detail, violations)
            }
            Refused::BadForm(violations) => {
                let detail = summary(&violations).unwrap_or(message);
                Problem::violations(INVALID_REQUEST, &detail, violations)
            }
            Refused::OnlyWatched => Problem::new(ONLY_WATCHED, message),
            Refused::NotAGraph => Problem::new(NOT_A_GRAPH, message),
            Refused::NotHolder(_) | Refused::NotOffered(_) => Problem::new(LEASE_LOST, message),
            Refused::UnitStands { .. } => Problem::new(UNIT_STATE, message),
            Refused::BadUnit(_) => Problem::new(INVALID_UNIT, message),
            Refused::NoForm => Problem::new(INVALID_REQUEST, message),
            Refused::NotApprover(_) => Problem::new(FORBIDDEN, message),
            Refused::OtherSubject(_) => Problem::new(APPROVAL_CHANGED, message),
            Refused::InputTooLarge { .. } => Problem::new(INPUT_TOO_LARGE, message),
            Refused::NoSuchStep(_) => Problem::new(STEP_NOT_FOUND, message),
            Refused::BadOutput(_) => Problem::new(INVALID_REQUEST, message),
            Refused::InputTooDeep { .. } => Problem::new(INVALID_INPUT, message),
            _ => Problem::new(WRONG_STATE, message),
        }
    }
}

/// The problems any endpoint may answer with, for OpenAPI.
#[derive(utoipa::IntoResponses)]
pub enum ProblemResponses {
    /// A parameter, header or body cannot be read.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(#[to_schema] ProblemBody),
    /// A key or token is needed, or the one that was shown is not good.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(#[to_schema] ProblemBody),
    /// The key's role may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] ProblemBody),
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] ProblemBody),
    /// The key was used too often; `Retry-After` says when it may be again.
    #[response(status = 429, content_type = "application/problem+json")]
    RateLimited(#[to_schema] ProblemBody),
    /// The store cannot be used now, or nobody knows what became of the request. Ask again, with
    /// the same `Idempotency-Key` if something was to be created.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] ProblemBody),
}
