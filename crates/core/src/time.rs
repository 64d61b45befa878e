use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment, in microseconds since 1970 UTC. Shown to people and clients as RFC 3339.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(i64);

impl Time {
    /// The moment `micros` microseconds after 1970 UTC.
    pub const fn from_micros(micros: i64) -> Time {
        Time(micros)
    }

    /// Microseconds since 1970 UTC.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This moment and `wait` more; the far end of time instead of an overflow.
    pub fn plus(self, wait: Duration) -> Time {
        Time(self.0.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads an RFC 3339 time such as `2026-01-31T12:00:00Z`. `None` if it is not one.
    pub fn parse(text: &str) -> Option<Time> {
        text.parse::<jiff::Timestamp>().ok().map(|at| Time(at.as_microsecond()))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_microsecond(self.0).unwrap_or(match self.0 {
            ..0 => jiff::Timestamp::MIN,
            _ => jiff::Timestamp::MAX,
        });
        write!(f, "{at:.6}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_as_rfc_3339_and_read_back() {
        let at = Time::from_micros(1_769_860_800_123_456);
        assert_eq!(at.to_string(), "2026-01-31T12:00:00.123456Z");
        assert_eq!(Time::parse("2026-01-31T12:00:00.123456Z"), Some(at));
        assert_eq!(Time::parse("yesterday"), None);
    }

    #[test]
    fn the_far_end_of_time_can_be_shown() {
        assert!(Time::from_micros(i64::MAX).plus(Duration::MAX).to_string().starts_with("9999-"));
        assert!(Time::from_micros(i64::MIN).to_string().starts_with("-009999-"));
    }
}
