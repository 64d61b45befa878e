//! The window of plue. Its pool of runners: they register, take tasks of the queue `runners`, tell what
//! happens and what has come of it; their leases are those of all workers. And its runs: to start, read,
//! follow and cancel.

pub mod cancel;
pub mod complete;
pub mod register;
pub mod run;
pub mod run_stream;
pub(crate) mod runners;
pub mod runs;
pub mod stream;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::run::Hold;

use super::Detail;
use crate::access::Caller;
use crate::api::tasks::refused;
use crate::app::App;
use crate::facade::trouble;
use windlass_engine::desk::TaskRefused;

/// The queue that runners take from.
pub(super) const QUEUE: &str = "runners";

/// That it was taken in.
#[derive(Debug, Serialize, ToSchema)]
pub struct OkBody {
    /// True.
    pub ok: bool,
}

/// A task as it was handed to a runner. The task is the same in every attempt, so its id alone does
/// not say who speaks: a runner that was given up must not end what another does by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handed {
    pub(crate) task_id: Uuid,
    pub(crate) fence: u64,
}

impl std::fmt::Display for Handed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.task_id, self.fence)
    }
}

impl Handed {
    fn read(word: &str) -> Result<Handed, Detail> {
        let (task, fence) = word.split_once('.').unwrap_or((word, ""));
        let task_id = trouble::id("task_id", task)?;
        let fence = fence.parse();
        let fence =
            fence.map_err(|_| Detail::field("task_id", "the id of a task as it was told"))?;
        Ok(Handed { task_id, fence })
    }
}

/// A task that a runner holds, with who it is: only the path says which, and the desk knows whose.
fn held(app: &App, caller: &Caller, word: &str) -> Result<(Uuid, Hold), Detail> {
    let handed = Handed::read(word)?;
    let Handed { task_id, fence } = handed;
    let desk = app.engine.desk();
    let is_here = desk.wait_of(task_id).is_some_and(|wait| wait.queue == QUEUE);
    let task = desk.task(caller.project(), task_id).filter(|_| is_here);
    let is_known = task.is_some();
    let holder = task.and_then(|task| task.held).filter(|held| held.fence == fence);
    // Its end may be told a second time.
    let by = holder
        .map(|held| held.worker)
        .or_else(|| app.facades.runners.had(caller.project(), handed));
    match by {
        Some(by) => Ok((task_id, Hold { by, fence: Some(fence) })),
        None if is_known => Err(Detail(refused(TaskRefused::LeaseLost(Some(fence))))),
        None => Err(Detail(refused(TaskRefused::NotFound))),
    }
}
