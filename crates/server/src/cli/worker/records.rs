use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_client::{LogStream, Task};
use windlass_core::run::AttemptError;
use windlass_engine::Mask;
use windlass_nodes::{Journal, Keeper, retry};

const SAY_AGAIN: Duration = Duration::from_secs(1);

/// Keeps what an attempt records as the checkpoint of its task, so that whoever does it if we cannot
/// pays for nothing twice.
struct Records {
    task: Task,
    mask: Arc<Mask>,
    records: Mutex<Vec<(String, Value)>>,
}

/// The journal of a task: what the checkpoint says, and what comes.
pub(super) fn journal(task: &Task, mask: Arc<Mask>) -> Journal {
    let kept = task.last_checkpoint.as_ref().and_then(|checkpoint| checkpoint.get("records"));
    let kept = kept.and_then(|records| serde_json::from_value(records.clone()).ok());
    let records: Vec<(String, Value)> = kept.unwrap_or_default();
    let known = records.iter().map(|(key, value)| (key.clone(), Arc::new(value.clone())));
    let known = known.collect();
    let records = Mutex::new(records);
    Journal::new(known, Arc::new(Records { task: task.clone(), mask, records }))
}

#[async_trait]
impl Keeper for Records {
    async fn keep(&self, key: String, value: Value) -> Result<(), AttemptError> {
        let checkpoint = {
            let mut records = self.records.lock();
            if records.iter().any(|(known, _)| *known == key) {
                return Ok(());
            }
            records.push((key, self.mask.value(value)));
            json!({ "records": *records })
        };
        loop {
            let error = match self.task.checkpoint(checkpoint.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if self.task.is_stopped().is_some() {
                return Err(retry("worker_lost", "the attempt is not this worker's any more"));
            }
            if !error.is_transient() {
                // It costs no more than what it would have spared.
                let text = format!("what was recorded is not kept: {error}");
                self.task.log(LogStream::Stderr, text);
                return Ok(());
            }
            tokio::time::sleep(SAY_AGAIN).await;
        }
    }
}
