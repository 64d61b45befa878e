//! Words for why a step or run stands where it stands.

pub(in crate::run) const TIMER: &str = "timer";
pub(in crate::run) const RETRY: &str = "retry";
pub(in crate::run) const INTERRUPTED: &str = "interrupted";
pub(in crate::run) const OUTCOME_UNKNOWN: &str = "outcome_unknown";
pub(in crate::run) const CANCELLING: &str = "cancelling";
pub(in crate::run) const FAILING: &str = "failing";
pub(in crate::run) const MARKED: &str = "marked";
pub(in crate::run) const COMPENSATING: &str = "compensating";
pub(in crate::run) const REUSED: &str = "reused";
pub(in crate::run) const PAUSED: &str = "paused";
pub(in crate::run) const CHILD_RUN: &str = "child_run";
pub(in crate::run) const CONCURRENCY: &str = "concurrency";
pub(in crate::run) const HELD: &str = "held";
pub(in crate::run) const APPROVAL: &str = "approval";
pub(in crate::run) const SIGNAL: &str = "signal";
pub(in crate::run) const EVENT: &str = "event";
pub(in crate::run) const WORKER: &str = "worker";
pub(in crate::run) const ACTOR: &str = "actor";
pub(in crate::run) const RUN_OVER: &str = "run_over";
pub(in crate::run) const CACHED: &str = "cached";
