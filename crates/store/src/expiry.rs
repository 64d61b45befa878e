//! Which runs have had their time.

use windlass_core::Time;
use windlass_core::run::RunStatus;

use crate::rows::RunRow;

/// Which runs have had their time. What is left out does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// Only runs of a workflow of this name.
    pub workflow: Option<String>,
    /// No runs of a workflow of one of these names.
    pub except: Vec<String>,
    /// Only runs that ended so; however they ended if empty.
    pub statuses: Vec<RunStatus>,
    /// Only runs that were over before this time.
    pub before: Option<Time>,
    /// No runs that are among the newest so many of their workflow, however those stand.
    pub keep_newest: Option<u32>,
}

/// Why a run stands where it does of which a part is deleted. It has lost log lines at least, and
/// will be found among those that have had their time until it is gone.
pub const REASON_DELETING: &str = "deleting";

impl Expiry {
    /// How runs may have ended.
    pub(crate) fn outcomes(&self) -> Vec<RunStatus> {
        let over = RunStatus::ALL.into_iter().filter(|status| status.is_terminal());
        over.filter(|status| self.statuses.is_empty() || self.statuses.contains(status)).collect()
    }

    /// Whether runs of a workflow of this name may be meant.
    pub(crate) fn is_about(&self, workflow: &str) -> bool {
        self.workflow.as_ref().is_none_or(|name| name == workflow)
            && !self.except.iter().any(|name| name == workflow)
    }
}

/// Whether a run is over.
pub(crate) fn is_over(row: &RunRow) -> bool {
    row.status.is_terminal() && row.finished_at.is_some()
}
