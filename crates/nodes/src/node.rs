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
    AttemptError { failure: Failure::new(code, message), is_final: false }
}

/// An error that another attempt would only repeat.
pub fn fail(code: &str, message: impl Into<String>) -> AttemptError {
    AttemptError { failure: Failure::new(code, message), is_final: true }
}
