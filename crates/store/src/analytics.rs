//! What analytics ask of runs and steps.

use std::time::Duration;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::RunStatus;

/// What analytics need of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunGlance {
    /// Its id.
    pub run_id: Uuid,
    /// The workflow's id.
    pub workflow_id: Uuid,
    /// The workflow's name at that time.
    pub workflow: String,
    /// Where it stands.
    pub status: RunStatus,
    /// When it was created.
    pub created_at: Time,
    /// When it began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// What its error says, if it has failed.
    pub error: Option<String>,
}

/// Which runs analytics look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanFilter {
    /// Only runs of this workflow.
    pub workflow_id: Option<Uuid>,
    /// Only runs created at this time or later.
    pub from: Option<Time>,
    /// Only runs created before this time.
    pub until: Option<Time>,
}

/// What the steps of some runs came to, those of one kind together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindSum {
    /// The kind of their nodes.
    pub kind: String,
    /// How many there are, those included whose turn has not come or that were skipped.
    pub steps: u64,
    /// How many of them have succeeded.
    pub succeeded: u64,
    /// How many of them have failed.
    pub failed: u64,
    /// How long those took that began and ended, from the first attempt to the end.
    pub total: Duration,
    /// How many began and ended.
    pub timed: u64,
}
