//! What attempts record while they are under way.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use windlass_core::Failure;
use windlass_core::run::{AttemptError, Refused};
use windlass_nodes::{Keeper, fail, retry};

use super::Dispatcher;
use super::mask::Mask;
use crate::shard::{Answer, AttemptOrder, Command};
use crate::usage::Call;

/// How long a record is tried to be kept while the store takes no writes.
const KEEP_TIME_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// Keeps the records of one attempt.
pub(super) struct Records {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) order: Arc<AttemptOrder>,
    pub(super) mask: Arc<Mask>,
}

#[async_trait]
impl Keeper for Records {
    async fn keep(&self, key: String, value: Value) -> Result<(), AttemptError> {
        self.keep_with(key, value, None).await
    }
}

impl Records {
    /// Keeps a record, and with it what the call to a model took that it is about.
    pub(super) async fn keep_with(
        &self,
        key: String,
        value: Value,
        call: Option<Call>,
    ) -> Result<(), AttemptError> {
        let AttemptOrder { run_id, path, attempt, .. } = &*self.order;
        let value = Arc::new(self.mask.value(value));
        let began = tokio::time::Instant::now();
        loop {
            let command = Command::Record {
                path: path.clone(),
                attempt: *attempt,
                key: key.clone(),
                value: value.clone(),
                call: call.clone().map(Box::new),
            };
            match self.dispatcher.command(*run_id, command).await {
                Answer::Run(_) => return Ok(()),
                Answer::Refused(Refused::BadOutput(failure)) => {
                    return Err(AttemptError::new(failure, true));
                }
                Answer::Refused(refused) => return Err(fail("cancelled", refused.to_string())),
                // A record of the same key is kept once, so it can be told again.
                Answer::Unavailable(_) | Answer::OutcomeUnknown(_)
                    if began.elapsed() < KEEP_TIME_MAX =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                Answer::Unavailable(message) | Answer::OutcomeUnknown(message) => {
                    return Err(retry("unavailable", message));
                }
                _ => {
                    let failure = Failure::new("unavailable", "the run takes no records now");
                    return Err(AttemptError::new(failure, false));
                }
            }
        }
    }
}
