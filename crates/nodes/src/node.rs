use async_trait::async_trait;
use serde_json::Value;
use windlass_core::Failure;
use windlass_core::kinds::NodeConfig;
use windlass_core::run::AttemptError;

use crate::context::NodeContext;

/// One kind of node that does something outside.
#[async_trait]
pub trait Node: NodeConfig + Send + 'static {
    /// Makes one attempt. May run again after a crash, so it should be safe to repeat; where it is
    /// not, the definition says so with `effect`.
    ///
    /// When [`NodeContext::stop`] asks for it, it must end what it began and return.
    async fn run(self, context: NodeContext) -> Result<Value, AttemptError>;
}

/// What an attempt has come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The step's output.
    Output(Value),
    /// Somebody has to decide something first. The step waits, and the next attempt finds the answer
    /// among its records.
    Ask {
        /// What the answer is recorded as.
        key: String,
        /// What is asked: the config of an `approval`.
        question: Value,
    },
}

/// A kind whose attempts may need somebody's word in the middle.
#[async_trait]
pub trait AskingNode: NodeConfig + Send + 'static {
    /// Makes one attempt, as [`Node::run`] does.
    async fn run(self, context: NodeContext) -> Result<Outcome, AttemptError>;
}

/// A kind that is done in no time, and therefore on the spot, by the thread that decides runs.
pub trait InlineNode: NodeConfig + 'static {
    /// Makes one attempt. Must neither block nor compute for long.
    ///
    /// # Errors
    ///
    /// Why there is no output.
    fn run(self) -> Result<Value, AttemptError>;
}

/// An error after which another attempt makes sense.
pub fn retry(code: &str, message: impl Into<String>) -> AttemptError {
    AttemptError::new(Failure::new(code, message), false)
}

/// An error that another attempt would only repeat.
pub fn fail(code: &str, message: impl Into<String>) -> AttemptError {
    AttemptError::new(Failure::new(code, message), true)
}
