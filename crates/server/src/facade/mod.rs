//! Windows of the systems that Windlass unites: their paths, words and shapes, in and out, over the
//! same runs and the same feed. One file or folder for each; nothing is decided here.

pub mod auto_workflow;
pub mod auto_workflow_tasks;
pub mod chameleon;
pub mod hybrid;
pub mod plue;
mod trouble;
pub mod workflow_service;
pub mod workflow_socket;

pub use trouble::{Detail, DetailBody, DetailResponses, Old, OldQuery};

/// What the windows remember between two requests. All of it can be found again.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Which instance a role is of.
    pub(crate) roles: chameleon::roles::RoleIndex,
    /// The runners of a pool.
    pub(crate) runners: plue::runners::Runners,
}
