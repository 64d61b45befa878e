//! Threads that read from the store for whoever asks.
//!
//! There are as many as the store has use for. A pool that grows with who waits would have a thread for
//! each of a crowd that comes at once, and each keeps memory of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Sender, unbounded};
use tokio::sync::oneshot;
use windlass_store::{Store, StoreError};

type Look = Box<dyn FnOnce() + Send>;

/// Where they are asked. They end with it.
pub(crate) struct Looks(Sender<Look>);

impl Looks {
    pub(crate) fn start(count: usize) -> Looks {
        let (looks, ear) = unbounded::<Look>();
        for index in 0..count.max(1) {
            let ear = ear.clone();
            // A panic ends the one question, and neither the thread nor the process.
            drop(super::spawn(&format!("look-{index}"), move || {
                for look in ear {
                    if catch_unwind(AssertUnwindSafe(look)).is_err() {
                        tracing::error!("a read panicked");
                    }
                }
            }));
        }
        Looks(looks)
    }

    /// Nothing is read for who does not wait any more.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        store: Arc<dyn Store>,
        work: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, told) = oneshot::channel();
        let look = move || {
            if answer.is_closed() {
                return;
            }
            let found = work(&*store);
            // Who has the answer may close the store.
            drop(store);
            let _ = answer.send(found);
        };
        let _ = self.0.send(Box::new(look));
        let lost = |_| Err(StoreError::Unavailable("the read was given up".to_owned()));
        told.await.unwrap_or_else(lost)
    }
}
