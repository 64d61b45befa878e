//! A flow that another program runs, as the API shows it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::definition::FlowPlan;
use windlass_store::{RunFilter, RunRow, Store, StoreError, WorkflowRow};

use crate::api::flows::tasks::FlowTask;
use crate::api::runs::list::tag_of;

/// A flow of the catalogue.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FlowBody {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// What tells it from all other flows.
    pub flow_key: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who looks after it.
    pub owner: Option<String>,
    /// Words to find it by: those of its description, and those of its newest run.
    pub tags: Vec<String>,
    /// How often its description has changed, from 1.
    pub version: u32,
    /// How many tasks its description has.
    pub node_count: usize,
    /// When it was heard of first, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its newest description came.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Its newest run.
    pub last_run: Option<FlowRun>,
}

/// A flow with its description and newest runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FlowDetail {
    /// The flow.
    #[serde(flatten)]
    pub flow: FlowBody,
    /// Its tasks, as far as they are known before it runs: `id`, `task`, `upstream`, and what else was
    /// said of them.
    pub nodes: Vec<Value>,
    /// Tasks whose number is known only when it runs.
    pub dynamic_fanouts: Vec<Value>,
    /// Those of its newest run, in the order in which they came up, of its first 1,000 steps.
    pub tasks: Vec<FlowTask>,
    /// More about it.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// Its newest runs, at most 20.
    pub runs: Vec<FlowRun>,
}

/// A run of a flow, in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FlowRun {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// What its program calls it.
    pub run_id: Option<String>,
    /// Where it stands.
    pub status: &'static str,
    /// Why it stands there, in a word.
    pub reason: Option<String>,
    /// When it was heard of first, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it began.
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub finished_at: Option<String>,
    /// How many of its tasks stand where.
    pub tasks_by_status: BTreeMap<&'static str, u32>,
}

impl From<RunRow> for FlowRun {
    fn from(row: RunRow) -> FlowRun {
        FlowRun {
            id: row.run_id,
            run_id: row.external_id,
            status: row.status.as_str(),
            reason: row.reason,
            created_at: row.created_at.to_string(),
            started_at: row.started_at.map(|at| at.to_string()),
            finished_at: row.finished_at.map(|at| at.to_string()),
            tasks_by_status: row
                .counts
                .iter()
                .map(|(status, count)| (status.as_str(), count))
                .collect(),
        }
    }
}

impl FlowBody {
    /// A flow without its newest run.
    pub(crate) fn of(row: &WorkflowRow, flow: &FlowPlan) -> FlowBody {
        FlowBody {
            id: row.workflow_id,
            flow_key: flow.key.clone(),
            name: flow.name.clone().unwrap_or_else(|| flow.key.clone()),
            description: flow.description.clone(),
            owner: flow.owner.clone(),
            tags: flow.tags.iter().cloned().collect(),
            version: row.version,
            node_count: flow.nodes.len() + flow.dynamic_fanouts.len(),
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
            last_run: None,
        }
    }

    /// The same with its newest run, and the tags of that.
    pub(crate) fn with_newest(self, newest: Option<RunRow>) -> FlowBody {
        let tags = tags(self.tags, newest.as_ref());
        FlowBody { tags, last_run: newest.map(FlowRun::from), ..self }
    }
}

/// Words to find a flow by: those of its description, and those of its newest run. Most programs say
/// them with each run and describe their flow nowhere.
pub(crate) fn tags(
    described: impl IntoIterator<Item = String>,
    newest: Option<&RunRow>,
) -> Vec<String> {
    let of_run = newest.into_iter().flat_map(run_tags);
    let all: BTreeSet<String> = described.into_iter().chain(of_run).collect();
    all.into_iter().collect()
}

fn run_tags(row: &RunRow) -> impl Iterator<Item = String> {
    row.labels.iter().filter_map(|(key, value)| tag_of(key, value)).map(str::to_owned)
}

impl FlowDetail {
    /// A flow, with its newest runs.
    pub(crate) fn of(
        row: &WorkflowRow,
        flow: &FlowPlan,
        runs: Vec<RunRow>,
        tasks: Vec<FlowTask>,
    ) -> FlowDetail {
        let values = |list: Result<Value, serde_json::Error>| match list {
            Ok(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        FlowDetail {
            flow: FlowBody::of(row, flow).with_newest(runs.first().cloned()),
            nodes: values(serde_json::to_value(&flow.nodes)),
            dynamic_fanouts: values(serde_json::to_value(&flow.dynamic_fanouts)),
            tasks,
            metadata: Value::Object(flow.metadata.clone()),
            runs: runs.into_iter().map(FlowRun::from).collect(),
        }
    }
}

/// The newest runs of a flow.
///
/// # Errors
///
/// If the store cannot be read.
pub(crate) fn newest_runs(
    store: &dyn Store,
    project: &str,
    workflow_id: Uuid,
    limit: usize,
) -> Result<Vec<RunRow>, StoreError> {
    let filter = RunFilter { workflow_id: Some(workflow_id), ..RunFilter::default() };
    Ok(store.runs(project, &filter, None, limit)?.items)
}
