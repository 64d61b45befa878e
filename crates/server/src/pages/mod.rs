//! The pages, one file each. They are rendered on the server and work without JavaScript; where
//! there is some, `live.js` swaps parts that the server renders anew.
//!
//! To add a page: a file here with its context and handlers, a template of the same name in
//! `templates/`, one line in [`router`], a sample in `tests/pages`.

mod approval;
mod approvals;
mod assets;
mod attempts;
mod audit;
mod conversation;
mod drawer;
mod error;
pub mod form;
pub mod graph;
mod live;
mod login;
mod problems;
mod redoc;
pub mod render;
mod run;
mod run_actions;
mod run_at;
mod run_live;
pub mod run_view;
mod runs;
mod timeline;
mod usage;
mod workflow;
mod workflow_actions;
mod workflow_diff;
mod workflow_run;
mod workflows;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::http::problem::Problem;

/// A problem as a page.
pub fn problem(problem: Problem) -> Response {
    error::PageProblem(problem).into_response()
}

/// All pages.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/runs") }))
        .route("/runs", get(runs::page))
        .route("/runs/live", get(runs::live))
        .route("/runs/{run}", get(run::page))
        .route("/runs/{run}/drawer", get(drawer::part))
        .route("/runs/{run}/live", get(run_live::live))
        .route("/runs/{run}/cancel", post(run_actions::cancel))
        .route("/runs/{run}/terminate", post(run_actions::terminate))
        .route("/runs/{run}/pause", post(run_actions::pause))
        .route("/runs/{run}/resume", post(run_actions::resume))
        .route("/runs/{run}/mark", post(run_actions::mark))
        .route("/runs/{run}/rerun", post(run_actions::rerun))
        .route("/runs/{run}/approvals/{step}", get(approval::page).post(approval::decide))
        .route("/approvals", get(approvals::page))
        .route("/workflows", get(workflows::page))
        .route("/workflows/{workflow}", get(workflow::page))
        .route("/workflows/{workflow}/diff", get(workflow_diff::page))
        .route("/workflows/{workflow}/run", post(workflow_run::run))
        .route("/workflows/{workflow}/pause", post(workflow_actions::pause))
        .route("/workflows/{workflow}/resume", post(workflow_actions::resume))
        .route("/audit", get(audit::page))
        .route("/login", get(login::page).post(login::sign_in))
        .route("/logout", post(login::sign_out))
        .route("/redoc", get(redoc::page))
        .route("/problems/{code}", get(problems::page))
        .route("/assets/{file}", get(assets::asset))
        .route("/favicon.ico", get(assets::favicon))
}
