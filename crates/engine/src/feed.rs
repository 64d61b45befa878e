//! The live feed: what has become durable, to whoever watches.
//!
//! It is a hint that saves reading. Whoever falls behind is told so and reads on from the store by
//! sequence, where nothing is missing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use crate::shard::Published;

/// Messages a watcher may be behind before it has to read from the store. Each run that is watched has
/// room for so many, and thousands may be.
const BEHIND_MAX: usize = 64;

/// Tells watchers what has become durable.
#[derive(Debug)]
pub struct Feed {
    runs: Mutex<HashMap<Uuid, broadcast::Sender<Arc<Published>>>>,
    watcher_count: AtomicUsize,
    changes: watch::Sender<u64>,
}

/// News of one run, from the moment of subscribing on.
#[derive(Debug)]
pub struct Subscription {
    feed: Arc<Feed>,
    run_id: Uuid,
    /// There until it is dropped.
    news: Option<broadcast::Receiver<Arc<Published>>>,
}

/// What a subscription has to say.
#[derive(Clone, Debug)]
pub enum News {
    /// This has become durable.
    Published(Arc<Published>),
    /// More has than was listened to: the store knows.
    Behind,
}

impl Feed {
    /// A feed without watchers.
    pub fn new() -> Arc<Feed> {
        Arc::new(Feed {
            runs: Mutex::new(HashMap::new()),
            watcher_count: AtomicUsize::new(0),
            changes: watch::channel(0).0,
        })
    }

    /// Watches a run.
    pub fn subscribe(self: &Arc<Feed>, run_id: Uuid) -> Subscription {
        let mut runs = self.runs.lock();
        let sender = runs.entry(run_id).or_insert_with(|| broadcast::channel(BEHIND_MAX).0);
        let news = sender.subscribe();
        self.watcher_count.fetch_add(1, Ordering::Relaxed);
        Subscription { feed: self.clone(), run_id, news: Some(news) }
    }

    /// Grows whenever any run has news. For lists, which look again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// How many watch a run.
    pub fn watcher_count(&self) -> usize {
        self.watcher_count.load(Ordering::Relaxed)
    }

    pub(crate) fn publish(&self, published: Published) {
        if self.changes.receiver_count() > 0 {
            self.changes.send_modify(|count| *count += 1);
        }
        if self.watcher_count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let runs = self.runs.lock();
        if let Some(sender) = runs.get(&published.run_id) {
            // That nobody listens any more is no error.
            let _ = sender.send(Arc::new(published));
        }
    }
}

impl Subscription {
    /// Waits for news.
    pub async fn next(&mut self) -> News {
        match &mut self.news {
            Some(news) => news.recv().await.map_or(News::Behind, News::Published),
            None => News::Behind,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.watcher_count.fetch_sub(1, Ordering::Relaxed);
        let mut runs = self.feed.runs.lock();
        // Under the lock, so that of two that go at once the second knows that it is the last.
        self.news = None;
        if runs.get(&self.run_id).is_some_and(|sender| sender.receiver_count() == 0) {
            runs.remove(&self.run_id);
        }
    }
}
