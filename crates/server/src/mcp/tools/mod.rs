//! The tools that are always there, one file each.

mod cancel_run;
mod decide_approval;
mod describe_workflow;
mod get_approval;
mod get_run;
mod list_approvals;
mod list_workflows;
mod read_logs;
mod send_signal;
mod start_workflow;
mod why;

use std::sync::LazyLock;

use super::tool::{Entry, entry};

/// All of them, in the order in which agents read them.
pub(super) static ALL: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    vec![
        entry::<list_workflows::ListWorkflows>(),
        entry::<describe_workflow::DescribeWorkflow>(),
        entry::<start_workflow::StartWorkflow>(),
        entry::<get_run::GetRun>(),
        entry::<read_logs::ReadLogs>(),
        entry::<why::Why>(),
        entry::<list_approvals::ListApprovals>(),
        entry::<get_approval::GetApproval>(),
        entry::<decide_approval::DecideApproval>(),
        entry::<send_signal::SendSignal>(),
        entry::<cancel_run::CancelRun>(),
    ]
});

/// The tool of this name.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name == name)
}
