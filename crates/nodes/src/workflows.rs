//! Other workflows, for kinds that have some of them run.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;
use windlass_core::run::AttemptError;

use crate::node::fail;

/// A workflow, as whoever wants to have it run gets to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownWorkflow {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// JSON Schema of its input. `None` if it takes anything.
    pub input: Option<Value>,
}

/// A run that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedRun {
    /// The workflow, by name or id.
    pub workflow: String,
    /// Which version. Left out, the newest.
    pub version: Option<u32>,
    /// The input.
    pub input: Value,
    /// The same for the same wish of the step, whichever attempt says it: there is one run of a key.
    pub key: String,
}

/// The workflows of a step's project, and runs of them that the step asks for.
///
/// A final error is an outcome that whoever asked can be told. After any other one nobody knows, and
/// the attempt has to end with it.
#[async_trait]
pub trait Workflows: fmt::Debug + Send + Sync {
    /// What a workflow is for, and what it takes.
    ///
    /// # Errors
    ///
    /// `workflow_not_found` if there is none.
    async fn describe(
        &self,
        workflow: &str,
        version: Option<u32>,
    ) -> Result<KnownWorkflow, AttemptError>;

    /// Has a run begun, or finds the one of the same key. It is durable when this returns.
    ///
    /// # Errors
    ///
    /// `workflow_not_found`, `child_refused` if the input does not fit, `too_deep`.
    async fn start(&self, wanted: WantedRun) -> Result<Uuid, AttemptError>;

    /// Waits for the end of a run, and answers with its output.
    ///
    /// # Errors
    ///
    /// `child_failed`, `child_cancelled`.
    async fn wait(&self, run_id: Uuid) -> Result<Value, AttemptError>;

    /// Cancels a run that nobody waits for any more.
    async fn cancel(&self, run_id: Uuid);
}

/// None, for attempts outside of any run.
pub fn no_workflows() -> Arc<dyn Workflows> {
    Arc::new(Nobody)
}

#[derive(Debug)]
struct Nobody;

fn nobody() -> AttemptError {
    fail("workflow_not_found", "outside of a run there are no other workflows")
}

#[async_trait]
impl Workflows for Nobody {
    async fn describe(&self, _: &str, _: Option<u32>) -> Result<KnownWorkflow, AttemptError> {
        Err(nobody())
    }

    async fn start(&self, _: WantedRun) -> Result<Uuid, AttemptError> {
        Err(nobody())
    }

    async fn wait(&self, _: Uuid) -> Result<Value, AttemptError> {
        Err(nobody())
    }

    async fn cancel(&self, _: Uuid) {}
}
