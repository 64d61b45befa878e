//! Windows of the systems that Windlass unites: their paths, words and shapes, in and out, over the
//! same runs and the same feed. One file for each; nothing is decided here.

pub mod auto_workflow;
pub mod workflow_service;
pub mod workflow_socket;
