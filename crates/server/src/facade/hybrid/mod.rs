//! The window of the hybrid engine, which calls a run a workflow: its documents, in and out, over our
//! runs. `WORKFLOWS_DIR` and `QUEUE_STATE_FILE` have them as files, too.

pub mod branch;
pub mod create;
pub mod external_data;
pub mod from_template;
pub mod get;
mod kept;
pub mod list;
pub(crate) mod mirror;
pub mod resume;
mod shipped;
mod state;
mod steps;
pub mod stop;
pub mod summary;
pub mod templates;

use windlass_core::run::{RunStatus, StepStatus};
use windlass_store::{RunFilter, RunRow, Store, StoreError};

pub use state::{BranchBody, StateBody, StateMetrics, StepState};

use crate::access::Caller;
use crate::app::App;
use crate::http::problem::Problem;

/// What a client calls a run, if that is not its id: the id that it has given itself, or that of the
/// run it goes on from.
pub(super) const ID_LABEL: &str = "hybrid.id";
/// What people call the run.
pub(super) const NAME_LABEL: &str = "hybrid.name";
/// Which run it is a branch of.
pub(super) const PARENT_LABEL: &str = "hybrid.parent";

/// What the names of workflows begin with that are made of a document of steps.
pub(super) const PREFIX: &str = "hybrid/";

/// What stands before the name of a document that was over when it came in. Nothing runs it here, and a
/// document of the same name that goes on has a definition of its own.
pub(super) const KEPT_PREFIX: &str = "hybrid-kept/";

/// What signals are called that bring data: this and the step's name.
pub(super) const DATA_PREFIX: &str = "external-data/";

/// The hybrid engine's word for where a run stands.
pub(super) fn run_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Queued => "PENDING",
        RunStatus::Running | RunStatus::Waiting => "RUNNING",
        RunStatus::Succeeded => "COMPLETED",
        RunStatus::Failed => "FAILED",
        RunStatus::Paused | RunStatus::Cancelled => "STOPPED",
    }
}

/// The hybrid engine's word for where a step stands. Of a run that is stopped, nothing goes on.
pub(super) fn step_word(status: StepStatus, run: RunStatus) -> &'static str {
    match status {
        StepStatus::Succeeded => "COMPLETED",
        StepStatus::Failed => "FAILED",
        StepStatus::Skipped | StepStatus::Cancelled | StepStatus::Paused => "STOPPED",
        _ if run_word(run) == "STOPPED" => "STOPPED",
        StepStatus::Pending => "PENDING",
        StepStatus::Queued => "WAITING_FOR_DEPENDENCY",
        _ => "RUNNING",
    }
}

/// What the client calls the run.
pub(super) fn id_of(row: &RunRow) -> String {
    let is_document = [PREFIX, KEPT_PREFIX].iter().any(|prefix| row.workflow.starts_with(prefix));
    let given = row.external_id.as_ref().filter(|_| is_document);
    let given = row.labels.get(ID_LABEL).or(given);
    given.cloned().unwrap_or_else(|| row.run_id.to_string())
}

/// The run that goes by this id by now: of one that was resumed after its end, the one that goes on.
pub(super) fn look_up(
    store: &dyn Store,
    project: &str,
    word: &str,
) -> Result<Option<RunRow>, StoreError> {
    let filter =
        RunFilter { labels: vec![(ID_LABEL.to_owned(), word.to_owned())], ..RunFilter::default() };
    match store.runs(project, &filter, None, 1)?.items.pop() {
        // The list's row may be half a second old.
        Some(row) => store.run(project, &row.run_id.to_string()),
        None => store.run(project, word),
    }
}

/// The same, for a request.
///
/// # Errors
///
/// `run-not-found`.
pub(super) async fn find(app: &App, caller: &Caller, word: &str) -> Result<RunRow, Problem> {
    let (project, name) = (caller.project().to_owned(), word.to_owned());
    let row = app.engine.read(move |store| look_up(store, &project, &name)).await?;
    row.ok_or_else(|| Problem::no_run(word))
}

/// The document of a run as it stands now.
///
/// # Errors
///
/// `run-not-found`, or if it cannot be read.
pub(super) async fn read(app: &App, caller: &Caller, word: &str) -> Result<StateBody, Problem> {
    let row = find(app, caller, word).await?;
    let definitions = app.engine.definitions().clone();
    let read = move |store: &dyn Store| {
        let plan = definitions.plan(row.definition_id).ok();
        state::of(store, row, plan.as_deref())
    };
    Ok(app.engine.read(read).await?)
}
