//! The tasks of a flow, as its newest run shows them. Most programs describe their flows nowhere.

use serde::Serialize;
use utoipa::ToSchema;
use windlass_store::{RunRow, Store, StoreError};

use crate::api::step::bodies;
use crate::api::task_about::TaskAbout;

/// Steps of the run that are looked at.
const STEPS_LOOKED_AT: usize = 1_000;

/// A task of a flow.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FlowTask {
    /// What it is called.
    pub task: String,
    /// What tells it from tasks of the same name elsewhere, if that was said.
    pub task_key: Option<String>,
    /// The higher ones go first; null if nothing was said of it.
    pub priority: Option<i64>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// How often it came up in the newest run.
    pub node_count: usize,
    /// Where the last of these stands.
    pub last_status: &'static str,
}

/// The tasks of a run, in the order in which they came up first.
pub(crate) fn of_run(store: &dyn Store, row: &RunRow) -> Result<Vec<FlowTask>, StoreError> {
    let page = store.steps(row.run_id, None, STEPS_LOOKED_AT)?;
    let (steps, _) = bodies(store, row, page, None, STEPS_LOOKED_AT)?;
    let mut tasks: Vec<FlowTask> = Vec::new();
    for step in &steps {
        let TaskAbout { task, task_key, priority, tags } = TaskAbout::of(step);
        match tasks.iter_mut().find(|known| known.task == task) {
            Some(known) => {
                known.node_count += 1;
                known.last_status = step.status;
            }
            None => tasks.push(FlowTask {
                task,
                task_key,
                priority,
                tags,
                node_count: 1,
                last_status: step.status,
            }),
        }
    }
    Ok(tasks)
}
