//! The HTTP API, one file per endpoint. What is written here is also what `/openapi.json` says.
//!
//! To add an endpoint: one file with its handler and `#[utoipa::path]`, one line in [`router`], a
//! test in `tests/api`. Handlers shape what the engine and its store say; SQL and decisions are
//! theirs.

pub mod analytics;
pub mod approval;
pub mod approvals;
pub mod audit;
pub mod docs;
mod document;
pub mod event;
pub mod events;
pub mod execute;
pub mod flow;
pub mod flows;
pub mod halt;
pub mod instance;
pub mod instances;
pub mod intervention;
pub mod interventions;
pub mod key;
pub mod keys;
pub mod log_line;
pub mod logs;
pub mod me;
pub mod nodes;
pub mod operations;
pub mod page;
pub mod prompts;
pub mod query;
pub mod queues;
pub mod run;
pub mod runs;
pub mod secrets;
pub mod step;
pub(crate) mod task_about;
pub mod tasks;
pub mod template;
pub mod templates;
pub mod unit;
pub mod uows;
pub mod usage;
pub mod why;
pub(crate) mod words;
pub mod workers;
pub mod workflow;
pub mod workflows;

use std::sync::Arc;

use axum::Router;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::facade::{
    auto_workflow, auto_workflow_tasks, chameleon, hybrid, plue, workflow_service, workflow_socket,
};

/// What the document says besides its paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Windlass",
        description = "Runs workflows durably and lets people watch them.\n\nLists answer \
            `{\"items\": […], \"next_cursor\": …}` and take `limit` (1 to 1,000) and `cursor`. \
            Errors are `application/problem+json` (RFC 9457) with a stable `code`. `2xx` means \
            durable.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "workflows", description = "Names with versions"),
        (name = "runs", description = "Executions of workflows"),
        (name = "events", description = "What other programs say of their runs, and the catalogue of their flows"),
        (name = "analytics", description = "How workflows have fared, and what models have taken"),
        (name = "approvals", description = "What people are asked"),
        (name = "templates", description = "Roles, interactions and guardians: what instances are made of"),
        (name = "instances", description = "Copies of templates that units of work move through"),
        (name = "units", description = "Units of work, and what pilots do with them"),
        (name = "secrets", description = "What steps may use and nobody may see"),
        (name = "nodes", description = "Kinds of node"),
        (name = "prompts", description = "Prompt files, filled in and tried out"),
        (name = "workers", description = "Programs that make attempts of steps"),
        (name = "facades", description = "The paths and words of systems that Windlass unites"),
        (name = "access", description = "Who may call, and what they changed"),
        (name = "operations", description = "Health and metrics")
    ),
    components(schemas(crate::http::problem::ProblemBody, runs::stream::Snapshot)),
    // Pages to people: their routes are with those.
    paths(
        chameleon::root::root,
        chameleon::workflows::list_workflows,
        chameleon::workflows::get_workflow,
        chameleon::uows::get_uow
    )
)]
struct Document;

fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(workflows::list::list_workflows, workflows::deploy::deploy_workflow))
        .routes(routes!(workflows::check::check_definition))
        .routes(routes!(
            workflows::get::get_workflow,
            workflows::replace::replace_workflow,
            workflows::delete::delete_workflow
        ))
        .routes(routes!(workflows::versions::list_versions))
        .routes(routes!(workflows::execute::execute_workflow))
        .routes(routes!(workflows::execute_batch::execute_batch))
        .routes(routes!(workflows::pause::pause_workflow))
        .routes(routes!(workflows::resume::resume_workflow))
        .routes(routes!(workflows::rerun_failed::rerun_failed))
        .routes(routes!(runs::list::list_runs))
        .routes(routes!(runs::get::get_run))
        .routes(routes!(runs::compare::compare_runs))
        .routes(routes!(runs::steps::list_steps))
        .routes(routes!(auto_workflow_tasks::list_tasks))
        .routes(routes!(runs::events::list_events))
        .routes(routes!(runs::logs::list_logs))
        .routes(routes!(logs::search::search_logs))
        .routes(routes!(runs::export::export_run))
        .routes(routes!(runs::cancel::cancel_run))
        .routes(routes!(runs::terminate::terminate_run))
        .routes(routes!(runs::pause::pause_run))
        .routes(routes!(runs::resume::resume_run))
        .routes(routes!(runs::why::why))
        .routes(routes!(runs::usage::run_usage))
        .routes(routes!(usage::usage))
        .routes(routes!(analytics::workflows::workflow_analytics))
        .routes(routes!(analytics::jobs::job_analytics))
        .routes(routes!(analytics::usage::usage_analytics))
        .routes(routes!(runs::mark::mark_step))
        .routes(routes!(runs::rerun::rerun_run))
        .routes(routes!(runs::signal::send_signal))
        .routes(routes!(events::send::send_event))
        .routes(routes!(events::ingest::report_events))
        .routes(routes!(events::ingest::report_events_there))
        .routes(routes!(events::lineage::report_lineage))
        .routes(routes!(events::traces::report_traces))
        .routes(routes!(flows::list::list_flows, flows::register::register_flow))
        .routes(routes!(flows::get::get_flow))
        .routes(routes!(approvals::list::list_approvals))
        .routes(routes!(approvals::get::get_approval, approvals::decide::decide_approval))
        .routes(routes!(runs::stream::stream_run))
        .routes(routes!(nodes::list::list_kinds))
        .routes(routes!(nodes::get::get_kind))
        .routes(routes!(nodes::test::test_kind))
        .routes(routes!(prompts::list::list_prompts))
        .routes(routes!(prompts::parse::parse_prompt))
        .routes(routes!(prompts::render::render_prompt))
        .routes(routes!(prompts::test::test_prompt))
        .routes(routes!(workers::list::list_workers))
        .routes(routes!(tasks::poll::poll_tasks))
        .routes(routes!(tasks::heartbeat::heartbeat))
        .routes(routes!(tasks::logs::add_logs))
        .routes(routes!(tasks::complete::complete_task))
        .routes(routes!(tasks::fail::fail_task))
        .routes(routes!(tasks::release::release_task))
        .routes(routes!(tasks::get::get_task))
        .routes(routes!(tasks::claim::claim_task))
        .routes(routes!(queues::list::list_queues))
        .routes(routes!(queues::get::get_queue))
        .routes(routes!(templates::list::list_templates, templates::import::import_template))
        .routes(routes!(templates::get::get_template, templates::delete::delete_template))
        .routes(routes!(instances::list::list_instances, instances::create::create_instance))
        .routes(routes!(instances::get::get_instance))
        .routes(routes!(instances::pause::pause_instance))
        .routes(routes!(instances::resume::resume_instance))
        .routes(routes!(instances::archive::archive_instance))
        .routes(routes!(instances::kill::kill_switch))
        .routes(routes!(instances::list_actors::list_actors, instances::assign::assign_actor))
        .routes(routes!(instances::revoke::revoke_assignment))
        .routes(routes!(instances::add_uow::add_uow))
        .routes(routes!(instances::memory::list_memory))
        .routes(routes!(uows::list::list_uows))
        .routes(routes!(uows::get::get_uow))
        .routes(routes!(uows::history::uow_history))
        .routes(routes!(uows::attributes::uow_attributes))
        .routes(routes!(uows::why::why_uow))
        .routes(routes!(uows::clarify::clarify_uow))
        .routes(routes!(uows::waive::waive_uow))
        .routes(routes!(uows::resume::resume_uow))
        .routes(routes!(uows::cancel::cancel_uow))
        .routes(routes!(uows::archive::archive_uow))
        .routes(routes!(interventions::list::list_interventions))
        .routes(routes!(interventions::metrics::intervention_metrics))
        .routes(routes!(interventions::get::get_intervention))
        .routes(routes!(interventions::approve::approve_intervention))
        .routes(routes!(interventions::reject::reject_intervention))
        .routes(routes!(secrets::list::list_secrets))
        .routes(routes!(secrets::put::put_secret, secrets::delete::delete_secret))
        .routes(routes!(secrets::rotate::rotate_secrets))
        .routes(routes!(halt::get::get_halt, halt::set::set_halt, halt::release::release_halt))
        .routes(routes!(me::me))
        .routes(routes!(keys::list::list_keys, keys::create::create_key))
        .routes(routes!(keys::revoke::revoke_key))
        .routes(routes!(audit::list::list_audit))
        .routes(routes!(audit::verify::verify_audit))
        .routes(routes!(workflow_service::list_jobs))
        .routes(routes!(workflow_service::get_job))
        .routes(routes!(workflow_service::job_logs))
        .routes(routes!(workflow_service::cancel_job))
        .routes(routes!(workflow_socket::ws_workflow))
        .routes(routes!(chameleon::instantiate::instantiate_workflow))
        .routes(routes!(chameleon::instantiate::from_template))
        .routes(routes!(chameleon::checkout::checkout))
        .routes(routes!(chameleon::submit::submit))
        .routes(routes!(chameleon::submit::complete_uow))
        .routes(routes!(chameleon::submit::report_failure))
        .routes(routes!(chameleon::heartbeat::beat))
        .routes(routes!(chameleon::admin::mark_toxic))
        .routes(routes!(chameleon::admin::run_memory_decay))
        .routes(routes!(chameleon::admin::run_zombie_protocol))
        .routes(routes!(chameleon::pilot::kill_switch))
        .routes(routes!(chameleon::pilot::clarification))
        .routes(routes!(chameleon::pilot::waive))
        .routes(routes!(chameleon::pilot::resume))
        .routes(routes!(chameleon::pilot::cancel))
        .routes(routes!(chameleon::interventions::list_pending))
        .routes(routes!(chameleon::interventions::show_metrics))
        .routes(routes!(chameleon::interventions::show))
        .routes(routes!(chameleon::interventions::approve))
        .routes(routes!(chameleon::interventions::reject))
        .routes(routes!(chameleon::interventions_socket::ws_interventions))
        .routes(routes!(chameleon::workflows::create_workflow))
        .routes(routes!(chameleon::workflows::delete_workflow))
        .routes(routes!(chameleon::workflows::execute_workflow))
        .routes(routes!(chameleon::workflows::workflow_status))
        .routes(routes!(chameleon::workflows::workflow_uows))
        .routes(routes!(plue::register::register))
        .routes(routes!(plue::register::beat))
        .routes(routes!(plue::stream::stream))
        .routes(routes!(plue::complete::complete))
        .routes(routes!(plue::run::run_workflow))
        .routes(routes!(plue::runs::list_plue_runs))
        .routes(routes!(plue::runs::get_plue_run))
        .routes(routes!(plue::run_stream::stream_plue_run))
        .routes(routes!(plue::cancel::cancel_plue_run))
        .routes(routes!(hybrid::list::list_states, hybrid::create::create_state))
        .routes(routes!(hybrid::from_template::start_from_template))
        .routes(routes!(hybrid::get::get_state))
        .routes(routes!(hybrid::stop::stop_state))
        .routes(routes!(hybrid::resume::resume_state))
        .routes(routes!(hybrid::external_data::list_data, hybrid::external_data::add_data))
        .routes(routes!(hybrid::branch::branch_state))
        .routes(routes!(hybrid::templates::list_old_templates))
        .routes(routes!(hybrid::summary::show_summary))
        .routes(routes!(auto_workflow::sse_run))
        .routes(routes!(auto_workflow::ws_run))
        .routes(routes!(operations::livez::livez))
        .routes(routes!(operations::readyz::readyz))
        .routes(routes!(operations::health::health))
        .routes(routes!(operations::health::api_health))
        .routes(routes!(operations::startupz::startupz))
        .routes(routes!(operations::version::version))
        .routes(routes!(operations::ping::ping))
        .routes(routes!(operations::metrics::metrics))
}

/// All endpoints.
pub fn router() -> Router<Arc<App>> {
    let (router, _) = routes().split_for_parts();
    router.merge(docs::router())
}

/// The document about them.
pub fn openapi() -> serde_json::Value {
    document::complete(&routes().into_openapi())
}
