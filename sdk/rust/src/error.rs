use std::fmt;

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refuses.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// No answer came.
    #[error("cannot reach {server}: {cause}")]
    Unreachable {
        /// Whom.
        server: String,
        /// Why not.
        cause: String,
        /// Whether the server may have got the request nevertheless.
        may_be_sent: bool,
    },
    /// What came is no answer of a Windlass server.
    #[error("{0}")]
    Nonsense(String),
    /// What was to be sent cannot be.
    #[error("{0}")]
    Invalid(String),
    /// A run was not over in time. It goes on.
    #[error("run {run} is still {status}")]
    NotOver {
        /// Its id.
        run: String,
        /// How it stands.
        status: String,
    },
}

impl Error {
    /// The stable word of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Error::Refused(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Refused(problem) => Some(problem.status),
            _ => None,
        }
    }

    /// Whether the same request may well be answered later.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Refused(problem) => problem.status == 429 || problem.status >= 500,
            Error::Unreachable { .. } => true,
            Error::Nonsense(_) | Error::Invalid(_) | Error::NotOver { .. } => false,
        }
    }
}

/// Why the server refuses: RFC 9457 problem details.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
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
    pub errors: Vec<ErrorItem>,
    /// After how many seconds to ask again, if the server says so.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

/// One of several things that are wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorItem {
    /// JSON Pointer of the place.
    pub path: String,
    /// What is wrong there.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// A stable word.
    pub code: Option<String>,
    /// Line in a definition's text, from 1.
    pub line: Option<u32>,
    /// Column in that line, from 1.
    pub column: Option<u32>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.detail.is_empty() { &self.title } else { &self.detail };
        write!(f, "{}: {what}", self.code)?;
        for item in self.errors.iter().filter(|_| self.errors.len() > 1) {
            write!(f, "\n  {}: {}", item.path, item.message)?;
        }
        Ok(())
    }
}

impl Problem {
    /// What an answer says that is none of success.
    pub(crate) fn read(status: StatusCode, retry_after: Option<u64>, body: &[u8]) -> Problem {
        // What stands in front of a server may answer too, and knows nothing of problems.
        let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        if problem.code.is_empty() {
            problem.code = format!("http-{}", status.as_u16());
            problem.title = status.canonical_reason().unwrap_or_default().to_owned();
        }
        problem.status = status.as_u16();
        problem.retry_after = retry_after;
        problem
    }
}
