//! A problem as a page.

use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::render::page;
use crate::http::problem::{ErrorItem, Problem};

/// A problem, told to a person.
pub(super) struct PageProblem(pub(super) Problem);

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: String,
    errors: Vec<ErrorItem>,
}

impl IntoResponse for PageProblem {
    fn into_response(self) -> Response {
        let PageProblem(problem) = self;
        let status = problem.status();
        let context = Context {
            nav: "",
            title: problem.code.title,
            status: problem.code.status,
            code: problem.code.code,
            detail: problem.detail,
            errors: problem.errors,
        };
        (status, page("problem.html", context)).into_response()
    }
}

impl<E: Into<Problem>> From<E> for PageProblem {
    fn from(error: E) -> PageProblem {
        PageProblem(error.into())
    }
}
