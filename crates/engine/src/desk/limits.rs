//! How much of a queue may be handed out.

use std::time::Duration;

use tokio::time::Instant;

/// How much of a queue may be handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QueueLimits {
    /// Tasks that may be in somebody's hands at once.
    pub concurrency: Option<usize>,
    /// Tasks that may be handed out in a time.
    pub rate: Option<Rate>,
}

/// So many in a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In which time.
    pub per: Duration,
}

/// What is left of a rate: a bucket that fills evenly and holds as much as one time gives.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    left: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn new(rate: Rate, now: Instant) -> Bucket {
        Bucket { rate, left: f64::from(rate.count), at: now }
    }

    fn fill(&mut self, now: Instant) {
        let share = (now - self.at).as_secs_f64() / self.rate.per.as_secs_f64();
        let count = f64::from(self.rate.count);
        self.left = (self.left + share * count).min(count);
        self.at = now;
    }

    /// When the next one may be handed out, if that is not now.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Instant> {
        self.fill(now);
        if self.left >= 1.0 {
            return None;
        }
        let missing = (1.0 - self.left) / f64::from(self.rate.count);
        Some(now + self.rate.per.mul_f64(missing.max(0.0)) + Duration::from_millis(1))
    }

    /// Whether it is as it was at first.
    pub(super) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.left >= f64::from(self.rate.count)
    }

    pub(super) fn take(&mut self) {
        self.left -= 1.0;
    }
}
