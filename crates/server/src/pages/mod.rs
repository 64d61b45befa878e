//! The pages, one file each. They are rendered on the server and work without JavaScript; where
//! there is some, `live.js` swaps parts that the server renders anew.
//!
//! To add a page: a file here with its context and handlers, a template of the same name in
//! `templates/`, one line in [`router`], a sample in `tests/pages`.

mod analytics;
mod approval;
mod approvals;
mod assets;
mod attempts;
mod audit;
mod chart;
mod compare;
mod conversation;
mod drawer;
mod error;
mod flows;
pub mod form;
pub mod graph;
mod health;
mod inbox;
mod inbox_roles;
mod instance;
mod instance_actions;
mod instance_view;
mod instances;
mod interventions;
mod live;
mod login;
mod marks;
mod names;
mod problems;
mod queue;
mod queues;
mod redoc;
pub mod render;
mod run;
mod run_actions;
mod run_at;
mod run_errors;
mod run_live;
pub mod run_view;
mod runs;
mod search;
mod started;
mod step_filter;
mod subject;
mod task;
mod task_actions;
mod task_form;
mod template;
mod template_instantiate;
mod template_view;
mod templates;
mod timeline;
mod traceback;
mod unit;
mod unit_actions;
mod unit_rows;
mod unit_story;
mod usage;
mod workers;
mod workflow;
mod workflow_actions;
mod workflow_diff;
mod workflow_run;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::facade::chameleon;
use crate::http::accept::page_or_json;
use crate::http::problem::Problem;

/// A problem as a page.
pub fn problem(problem: Problem) -> Response {
    error::PageProblem(problem).into_response()
}

/// All pages.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", page_or_json(chameleon::root::page, chameleon::root::root))
        .route("/flows", get(flows::page))
        .route("/flows/live", get(flows::live))
        .route("/analytics", get(analytics::page))
        .route("/search", get(search::page))
        .route("/runs", get(runs::page))
        .route("/runs/compare", get(compare::page))
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
        .route("/workflows", page_or_json(flows::moved, chameleon::workflows::list_workflows))
        .route(
            "/workflows/{workflow}",
            page_or_json(workflow::page, chameleon::workflows::get_workflow),
        )
        .route("/workflows/{workflow}/diff", get(workflow_diff::page))
        .route("/workflows/{workflow}/run", post(workflow_run::run))
        .route("/workflows/{workflow}/pause", post(workflow_actions::pause))
        .route("/workflows/{workflow}/resume", post(workflow_actions::resume))
        .merge(units())
        .route("/audit", get(audit::page))
        .route("/login", get(login::page).post(login::sign_in))
        .route("/logout", post(login::sign_out))
        .route("/redoc", get(redoc::page))
        .route("/problems/{code}", get(problems::page))
        .route("/assets/{file}", get(assets::asset))
        .route("/favicon.ico", get(assets::favicon))
}

/// The pages about units of work: templates, instances, queues, and what people do.
fn units() -> Router<Arc<App>> {
    Router::new()
        .route("/templates", get(templates::page))
        .route("/templates/{template}", get(template::page))
        .route("/templates/{template}/instantiate", post(template_instantiate::create))
        .route("/instances", get(instances::page))
        .route("/instances/{instance}", get(instance::page))
        .route("/instances/{instance}/live", get(instance::live))
        .route("/instances/{instance}/uows", post(instance_actions::add))
        .route("/instances/{instance}/pause", post(instance_actions::pause))
        .route("/instances/{instance}/resume", post(instance_actions::resume))
        .route("/instances/{instance}/archive", post(instance_actions::archive))
        .route("/instances/{instance}/kill-switch", post(instance_actions::kill))
        .route("/instances/{instance}/actors", post(instance_actions::assign))
        .route("/instances/{instance}/actors/revoke", post(instance_actions::revoke))
        // A page for whoever names HTML, JSON for everybody else.
        .route("/uows/{uow}", page_or_json(unit::page, chameleon::uows::get_uow))
        .route("/uows/{uow}/live", get(unit::live))
        .route("/uows/{uow}/clarify", post(unit_actions::clarify))
        .route("/uows/{uow}/waive", post(unit_actions::waive))
        .route("/uows/{uow}/resume", post(unit_actions::resume))
        .route("/uows/{uow}/cancel", post(unit_actions::cancel))
        .route("/uows/{uow}/archive", post(unit_actions::archive))
        .route("/queues", get(queues::page))
        .route("/live/queues", get(queues::live))
        .route("/queues/{queue}", get(queue::page))
        .route("/queues/{queue}/live", get(queue::live))
        .route("/workers", get(workers::page))
        .route("/live/workers", get(workers::live))
        .route("/interventions", get(interventions::page))
        .route("/live/interventions", get(interventions::live))
        .route("/interventions/{intervention}/approve", post(interventions::approve))
        .route("/interventions/{intervention}/reject", post(interventions::reject))
        .route("/inbox", get(inbox::page))
        .route("/live/inbox", get(inbox::live))
        .route("/inbox/{task}", get(task::page))
        .route("/inbox/{task}/claim", post(task_actions::claim))
        .route("/inbox/{task}/submit", post(task_actions::submit))
        .route("/inbox/{task}/release", post(task_actions::release))
        .route("/inbox/{task}/keep", post(task_actions::keep))
}
