//! Events from outside: from the event to every step that waits for it.

use std::sync::Arc;

use serde_json::{Map, Value};
use windlass_core::kinds::{Awaits, WaitEvent};
use windlass_store::{AskRow, StoreError};

use crate::engine::Engine;
use crate::shard::{Answer, Command};

/// Steps that are told of an event at the same time.
const AT_ONCE: usize = 64;

/// What has become of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// How many steps have gone on because of it.
    pub taken: usize,
    /// How many could not be told, since their runs could not be written.
    pub failed: usize,
}

impl Engine {
    /// Tells every step of the project that waits for an event of this name, and whose `match` it
    /// fits. It is durable in those that took it when this returns.
    ///
    /// # Errors
    ///
    /// If the store cannot be read. Some steps may have been told by then; told again, they refuse.
    pub async fn deliver(
        &self,
        project: &str,
        name: &str,
        data: Value,
        by: &str,
    ) -> Result<Delivered, StoreError> {
        let data = Arc::new(data);
        let mut delivered = Delivered::default();
        let mut after = None;
        loop {
            let (project, wanted) = (project.to_owned(), name.to_owned());
            let kind = Awaits::EVENT;
            let page = self
                .read(move |store| {
                    store.asks(&project, kind, Some(&wanted), after.as_ref(), AT_ONCE)
                })
                .await?;
            after = page.items.last().map(AskRow::key);
            let told = page.items.into_iter().filter(|ask| fits(ask, &data)).map(|ask| {
                let event = Command::Event {
                    path: ask.path,
                    name: name.to_owned(),
                    data: data.clone(),
                    by: by.to_owned(),
                };
                self.command(ask.run_id, event)
            });
            for answer in futures_util::future::join_all(told).await {
                match answer {
                    Answer::Run(_) => delivered.taken += 1,
                    Answer::Unavailable(_) | Answer::OutcomeUnknown(_) | Answer::Broken(_) => {
                        delivered.failed += 1;
                    }
                    // It has gone on meanwhile.
                    _ => {}
                }
            }
            if !page.has_more {
                return Ok(delivered);
            }
        }
    }
}

fn fits(ask: &AskRow, data: &Value) -> bool {
    match &ask.detail {
        Value::Object(wanted) => WaitEvent::fits(wanted, data),
        _ => WaitEvent::fits(&Map::new(), data),
    }
}
