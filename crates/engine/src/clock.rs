//! The one place that reads a clock.

use std::sync::atomic::{AtomicI64, Ordering};

use windlass_core::Time;

/// The system's time, which never goes backwards for whoever asks twice.
#[derive(Debug, Default)]
pub struct Clock {
    latest: AtomicI64,
}

impl Clock {
    /// A clock.
    pub fn new() -> Clock {
        Clock::default()
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let micros = since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        let earlier = self.latest.fetch_max(micros, Ordering::Relaxed);
        Time::from_micros(micros.max(earlier))
    }
}
