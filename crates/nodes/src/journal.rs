use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use windlass_core::run::AttemptError;

/// What a step has recorded, by this attempt and those before it, and a way to record more.
///
/// A kind whose attempts take long, cost money or touch the world in many small steps records each of
/// them, and looks here first: what is recorded need not be done again.
#[derive(Clone)]
pub struct Journal {
    records: Arc<Vec<(String, Arc<Value>)>>,
    keeper: Arc<dyn Keeper>,
}

/// Makes records durable.
#[async_trait]
pub trait Keeper: Send + Sync {
    /// Keeps a record. It is durable when this returns. One of the same key stays as it is.
    ///
    /// # Errors
    ///
    /// The attempt is over, or nothing can be kept. It must end with this error.
    async fn keep(&self, key: String, value: Value) -> Result<(), AttemptError>;
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("records", &self.records.len()).finish_non_exhaustive()
    }
}

impl Journal {
    /// What was recorded before, and who keeps what comes.
    pub fn new(records: Vec<(String, Arc<Value>)>, keeper: Arc<dyn Keeper>) -> Journal {
        Journal { records: Arc::new(records), keeper }
    }

    /// A journal of nothing that keeps nothing, for attempts outside of any run.
    pub fn none() -> Journal {
        Journal::new(Vec::new(), Arc::new(Nobody))
    }

    /// What was recorded before this attempt began, in order.
    pub fn records(&self) -> &[(String, Arc<Value>)] {
        &self.records
    }

    /// What was recorded under a key before this attempt began.
    pub fn find(&self, key: &str) -> Option<&Arc<Value>> {
        self.records.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// Records something. It is durable when this returns.
    ///
    /// # Errors
    ///
    /// Those of [`Keeper::keep`].
    pub async fn record(&self, key: impl Into<String>, value: Value) -> Result<(), AttemptError> {
        self.keeper.keep(key.into(), value).await
    }
}

struct Nobody;

#[async_trait]
impl Keeper for Nobody {
    async fn keep(&self, _: String, _: Value) -> Result<(), AttemptError> {
        Ok(())
    }
}
