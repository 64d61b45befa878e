//! A run as the API shows it, finding one, and waiting for its end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Failure;
use windlass_core::run::observed::Observed;
use windlass_core::run::{Fact, RunState, RunStatus};
use windlass_engine::RunView;
use windlass_store::{RunFilter, RunRow, Store, StoreError};

use crate::app::App;
use crate::http::problem::Problem;

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RunBody {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// The workflow's name when the run was created.
    pub workflow: String,
    /// The workflow's id.
    pub workflow_id: Uuid,
    /// The workflow's version, from 1.
    pub version: u32,
    /// `queued`, `running`, `waiting`, `paused`, `succeeded`, `failed` or `cancelled`.
    pub status: &'static str,
    /// Why it stands there, in a word.
    pub reason: Option<String>,
    /// The input.
    pub input: Value,
    /// The output, once it has succeeded.
    pub output: Option<Value>,
    /// The error, once it has failed.
    #[schema(value_type = Option<FailureBody>)]
    pub error: Option<Failure>,
    /// Searchable keys and values.
    pub labels: BTreeMap<String, String>,
    /// What the caller calls it.
    pub external_id: Option<String>,
    /// The run it repeats.
    pub rerun_of: Option<Uuid>,
    /// When it was created, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it began.
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub finished_at: Option<String>,
    /// How many steps it has. Steps of a `map` count from when their item is opened.
    pub steps_total: u32,
    /// How many of them stand where. Statuses without steps are left out.
    pub steps_by_status: BTreeMap<&'static str, u32>,
    /// What is known of it because another program drives it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservedBody>,
}

/// Why something failed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes `Failure`, which is the core's and knows no OpenAPI")]
pub struct FailureBody {
    /// A stable word such as `timeout`, `exit_code` or `expression`.
    code: String,
    /// One sentence for people.
    message: String,
    /// What a program may want to know, by code.
    details: Option<Value>,
    /// The step that failed, on failures of a run or a block.
    step: Option<String>,
}

impl RunBody {
    /// From the engine's memory.
    pub fn of_view(view: RunView) -> RunBody {
        RunBody {
            id: view.run_id,
            workflow: view.workflow,
            workflow_id: view.workflow_id,
            version: view.version,
            status: view.status.as_str(),
            reason: view.reason,
            input: std::sync::Arc::unwrap_or_clone(view.input),
            output: view.output.map(std::sync::Arc::unwrap_or_clone),
            error: view.error,
            labels: view.labels,
            external_id: view.external_id,
            rerun_of: view.rerun_of,
            created_at: view.created_at.to_string(),
            started_at: view.started_at.map(|at| at.to_string()),
            finished_at: view.finished_at.map(|at| at.to_string()),
            steps_total: view.counts.total(),
            steps_by_status: by_status(view.counts.iter()),
            observed: None,
        }
    }

    /// From its row, with input and output from its journal.
    ///
    /// # Errors
    ///
    /// If the journal cannot be read.
    pub fn read(store: &dyn Store, row: RunRow) -> Result<RunBody, StoreError> {
        let Payloads { input, output, observed } = payloads(store, &row)?;
        Ok(RunBody {
            id: row.run_id,
            workflow: row.workflow,
            workflow_id: row.workflow_id,
            version: row.version,
            status: row.status.as_str(),
            reason: row.reason,
            input,
            output,
            error: row.error,
            labels: row.labels,
            external_id: row.external_id,
            rerun_of: row.rerun_of,
            created_at: row.created_at.to_string(),
            started_at: row.started_at.map(|at| at.to_string()),
            finished_at: row.finished_at.map(|at| at.to_string()),
            steps_total: row.counts.total(),
            steps_by_status: by_status(row.counts.iter()),
            observed,
        })
    }

    /// Bytes that its input and output have, about.
    pub fn weight(&self) -> usize {
        windlass_core::json::size(&self.input)
            + self.output.as_ref().map_or(0, windlass_core::json::size)
    }
}

fn by_status(
    counts: impl Iterator<Item = (windlass_core::run::StepStatus, u32)>,
) -> BTreeMap<&'static str, u32> {
    counts.map(|(status, count)| (status.as_str(), count)).collect()
}

/// Events at either end of another program's run that are looked through for what is said of it.
const END_EVENTS: u64 = 200;

/// What a run was given, and what has come of it.
#[derive(Default)]
struct Payloads {
    input: Value,
    output: Option<Value>,
    observed: Option<ObservedBody>,
}

/// The input is in a run's first event, the output in its last. Of what another program drives, any
/// event may say more.
fn payloads(store: &dyn Store, row: &RunRow) -> Result<Payloads, StoreError> {
    let has_output = row.status == RunStatus::Succeeded;
    let seqs: &[u64] = if has_output { &[1, row.last_seq] } else { &[1] };
    let mut found = Payloads::default();
    for numbered in store.events_at(row.run_id, seqs)? {
        match numbered.event.fact {
            Fact::RunCreated(created) if created.observed.is_some() => {
                return observed_payloads(store, row);
            }
            Fact::RunCreated(created) => {
                found.input = std::sync::Arc::unwrap_or_clone(created.input);
            }
            Fact::RunSucceeded { output } => {
                found.output = Some(std::sync::Arc::unwrap_or_clone(output));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Of a run with a long journal only both ends are looked at: what is said of the run as a whole is said
/// there, and lists show many of them.
fn observed_payloads(store: &dyn Store, row: &RunRow) -> Result<Payloads, StoreError> {
    let ends = match row.last_seq {
        last if last <= 2 * END_EVENTS => (1..=last).collect::<Vec<u64>>(),
        last => (1..=END_EVENTS).chain(last - END_EVENTS + 1..=last).collect(),
    };
    let events = store.events_at(row.run_id, &ends)?;
    let state = RunState::replay(events.iter().map(|numbered| &numbered.event));
    Ok(state.as_ref().map_or_else(Payloads::default, Payloads::of_observed))
}

impl Payloads {
    fn of_observed(state: &RunState) -> Payloads {
        Payloads {
            input: Value::clone(state.input()),
            output: state.output.as_deref().cloned(),
            observed: state.observed().map(ObservedBody::of),
        }
    }
}

/// What is known of a run only because another program drives it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ObservedBody {
    /// Whether its status follows from its silence, and not from what was said of it.
    pub inferred: bool,
    /// When it was last spoken of, RFC 3339.
    #[schema(format = DateTime)]
    pub seen_at: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// More about it, as its program says.
    pub metadata: Option<Value>,
}

impl ObservedBody {
    pub(crate) fn of(observed: &Observed) -> ObservedBody {
        ObservedBody {
            inferred: observed.inferred.is_some(),
            seen_at: observed.seen_at.to_string(),
            tags: observed.tags().iter().cloned().collect(),
            metadata: observed.metadata().map(|metadata| Value::clone(metadata)),
        }
    }
}

/// How much of the end of an id stands for all of it: what pages show, the part behind the last hyphen.
const SHORT_ID_CHARS: usize = 12;
/// Runs among which the end of an id is looked for, the newest.
const SHORT_ID_RUNS: usize = 8_000;
/// Runs that have such a text somewhere, one of which may be the one that is meant.
const SHORT_ID_HITS_MAX: usize = 100;

/// The row of the run of this id, external id, or end of an id.
///
/// # Errors
///
/// `run-not-found`.
pub async fn find(app: &App, project: &str, word: &str) -> Result<RunRow, Problem> {
    let (project, name) = (project.to_owned(), word.to_owned());
    let row = app.engine.read(move |store| look_up(store, &project, &name)).await?;
    row.ok_or_else(|| Problem::no_run(word))
}

/// The run of this id, external id, or end of an id.
///
/// # Errors
///
/// `run-not-found`.
pub async fn read(app: &App, project: &str, word: &str) -> Result<RunBody, Problem> {
    let (project, name) = (project.to_owned(), word.to_owned());
    let read = move |store: &dyn Store| {
        let row = look_up(store, &project, &name)?;
        row.map(|row| RunBody::read(store, row)).transpose()
    };
    app.engine.read(read).await?.ok_or_else(|| Problem::no_run(word))
}

/// People copy what pages show of an id. That is not unique by itself, so it counts only if one run of
/// late ends in it, and no run is called so.
fn look_up(store: &dyn Store, project: &str, word: &str) -> Result<Option<RunRow>, StoreError> {
    if let Some(row) = store.run(project, word)? {
        return Ok(Some(row));
    }
    let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    if word.len() != SHORT_ID_CHARS || !word.chars().all(is_hex) {
        return Ok(None);
    }
    let filter = RunFilter {
        text: Some(word.to_owned()),
        look_at_most: Some(SHORT_ID_RUNS),
        ..RunFilter::default()
    };
    let found = store.runs(project, &filter, None, SHORT_ID_HITS_MAX)?.items;
    let ids = found.iter().map(|row| row.run_id.to_string());
    let mut ids = ids.filter(|id| id.ends_with(word));
    match (ids.next(), ids.next()) {
        // A list's row may be of a moment ago.
        (Some(id), None) => store.run(project, &id),
        _ => Ok(None),
    }
}

/// Waits until a run is over, `wait` at most, and answers with it as it then is.
///
/// # Errors
///
/// If it cannot be read.
pub async fn wait_until_over(
    app: &App,
    project: &str,
    run_id: Uuid,
    wait: Duration,
) -> Result<RunBody, Problem> {
    let word = run_id.to_string();
    let mut news = app.engine.feed().subscribe(run_id);
    let over = async {
        loop {
            // The subscription came first, so nothing is missed between a look and the next news.
            let row = find(app, project, &word).await?;
            if row.status.is_terminal() {
                return Ok::<(), Problem>(());
            }
            news.next().await;
        }
    };
    if let Ok(result) = tokio::time::timeout(wait, over).await {
        result?;
    }
    read(app, project, &word).await
}
