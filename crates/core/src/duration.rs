//! Durations as people write them: `10ms`, `3s`, `1h30m`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::WAIT_MAX;

/// The units that `humantime` knows.
const PATTERN: &str = "^\\s*([0-9]+\\s*(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|\
    sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|\
    M|years|year|yrs|yr|y)\\s*)+$";

/// A duration written with its unit, such as `10ms`, `3s` or `1h30m`. At most ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct HumanDuration(pub Duration);

impl HumanDuration {
    /// As many seconds.
    pub const fn from_secs(seconds: u64) -> HumanDuration {
        HumanDuration(Duration::from_secs(seconds))
    }
}

impl FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<HumanDuration, String> {
        let parsed = humantime::parse_duration(text.trim())
            .map_err(|_| format!("`{text}` is not a duration such as `10ms`, `3s` or `1h30m`"))?;
        if parsed > WAIT_MAX {
            return Err(format!("`{text}` is longer than ten years"));
        }
        Ok(HumanDuration(parsed))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spaced = humantime::format_duration(self.0).to_string();
        f.write_str(&spaced.replace(' ', ""))
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // What is written must be readable: a journal with a longer one would be lost.
        serializer.collect_str(&HumanDuration(self.0.min(WAIT_MAX)))
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HumanDuration, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": PATTERN,
            "x-expected": "a duration with its unit, such as `10ms`, `3s` or `1h30m`",
            "examples": ["10ms", "3s", "1h30m"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let table = [
            ("10ms", 10),
            ("3s", 3_000),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            (" 1m 30s ", 90_000),
        ];
        for (text, millis) in table {
            assert_eq!(text.parse(), Ok(HumanDuration(Duration::from_millis(millis))), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "3", "s", "-3s", "3 parsecs", "1e9s", "99999999999999999999s", "11years"] {
            assert!(text.parse::<HumanDuration>().is_err(), "{text}");
        }
    }

    #[test]
    fn whatever_is_written_can_be_read() {
        for duration in [Duration::ZERO, Duration::from_nanos(1), WAIT_MAX, Duration::MAX] {
            let text = serde_json::to_string(&HumanDuration(duration)).unwrap();
            let read: HumanDuration = serde_json::from_str(&text).unwrap();
            assert_eq!(read.0, duration.min(WAIT_MAX), "{text}");
        }
    }

    #[test]
    fn is_shown_as_it_is_read() {
        assert_eq!(HumanDuration(Duration::from_millis(5_400_010)).to_string(), "1h30m10ms");
    }
}
