//! The one place that reads a clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use windlass_core::Time;

/// The system's time, which never goes backwards for whoever asks twice, and never stands still: when
/// it is set back, time goes on from where it was.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    /// When it began, by the latest of all that the system has said about that.
    began_at: AtomicI64,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

impl Clock {
    /// A clock.
    pub fn new() -> Clock {
        Clock { began: Instant::now(), began_at: AtomicI64::new(i64::MIN) }
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.told(micros(since), micros(self.began.elapsed()))
    }

    /// The time when the system says `wall` and this clock is so old.
    fn told(&self, wall: i64, age: i64) -> Time {
        let began_at = wall.saturating_sub(age);
        let latest = self.began_at.fetch_max(began_at, Ordering::Relaxed).max(began_at);
        Time::from_micros(latest.saturating_add(age))
    }
}

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_when_the_system_is_set_back() {
        let clock = Clock::new();
        let told = |wall, age| clock.told(wall, age).micros();
        assert_eq!(told(1_000, 0), 1_000);
        assert_eq!(told(1_010, 10), 1_010);
        assert_eq!(told(5_020, 20), 5_020, "it was set forward, or the machine has slept");
        assert_eq!(told(30, 30), 5_030, "it was set back");
        assert_eq!(told(40, 40), 5_040);
        assert_eq!(told(9_000, 50), 9_000);
    }
}
