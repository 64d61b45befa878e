//! The time axis: from when to when a run has gone, and round marks on the way.

use std::time::Duration;

use serde::Serialize;
use windlass_core::Time;
use windlass_store::RunRow;

/// From when to when a run has gone.
#[derive(Clone, Copy, Debug)]
pub(in crate::pages) struct Span {
    /// When it began.
    pub(in crate::pages) start: Time,
    /// How long it has gone so far.
    pub(in crate::pages) length: Duration,
}

/// A mark of the axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::pages) struct Tick {
    /// Where, in percent.
    pub(in crate::pages) x: String,
    /// How long after the beginning.
    pub(in crate::pages) label: String,
    /// On which side of the mark the label stands: `start`, or `end` where it would be cut off.
    pub(in crate::pages) anchor: &'static str,
}

/// Marks of an axis, at most. More would run into each other on a phone.
const TICK_COUNT_MAX: u64 = 5;

const MILLI: u64 = 1_000;
const SECOND: u64 = 1_000 * MILLI;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Distances that people count in, beside 1, 2 and 5 times a power of ten.
const ROUND: [u64; 13] = [
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
];

impl Span {
    /// Of a run.
    pub(in crate::pages) fn of(row: &RunRow, now: Time) -> Span {
        let start = row.started_at.unwrap_or(row.created_at);
        Span { start, length: row.finished_at.unwrap_or(now).since(start) }
    }

    /// When it ends.
    pub(in crate::pages) fn end(&self) -> Time {
        self.start.plus(self.length)
    }

    /// How much of it is over at a time, from 0 to 1.
    pub(super) fn share(&self, at: Time) -> f64 {
        let length = self.length.as_secs_f64().max(f64::MIN_POSITIVE);
        (at.since(self.start).as_secs_f64() / length).min(1.0)
    }

    /// The marks.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let length = u64::try_from(self.length.as_micros()).unwrap_or(u64::MAX).max(1);
        let step = step(length);
        let tick = |number: u64| {
            let at = number * step;
            let share = at as f64 / length as f64;
            Tick {
                x: percent(share),
                label: label(at),
                anchor: if share > 0.9 { "end" } else { "start" },
            }
        };
        (0..=length / step).map(tick).collect()
    }
}

/// A share as SVG takes it.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// The smallest round distance that makes few enough marks.
fn step(length: u64) -> u64 {
    let enough = |step: &u64| length / step < TICK_COUNT_MAX;
    let small = (0..7).flat_map(|power| [1, 2, 5].map(|one| one * 10_u64.pow(power)));
    let days = (0..6).flat_map(|power| [2, 5, 10].map(|one| one * 10_u64.pow(power) * DAY));
    let mut steps = small.filter(|step| *step < 10 * SECOND).chain(ROUND).chain(days);
    steps.find(enough).unwrap_or(length)
}

/// How long after the beginning, without parts that are nothing.
fn label(at: u64) -> String {
    let two = |large: u64, large_word: &str, small: u64, small_word: &str| match at % large / small
    {
        0 => format!("{} {large_word}", at / large),
        rest => format!("{} {large_word} {rest} {small_word}", at / large),
    };
    match at {
        0 => "0".to_owned(),
        1..MILLI => format!("{at} µs"),
        MILLI..SECOND => format!("{} ms", at as f64 / MILLI as f64),
        SECOND..MINUTE => format!("{} s", at as f64 / SECOND as f64),
        MINUTE..HOUR => two(MINUTE, "min", SECOND, "s"),
        HOUR..DAY => two(HOUR, "h", MINUTE, "min"),
        _ => two(DAY, "d", HOUR, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(micros: u64) -> String {
        let span = Span { start: Time::from_micros(0), length: Duration::from_micros(micros) };
        let labels: Vec<String> = span.ticks().into_iter().map(|tick| tick.label).collect();
        labels.join(" | ")
    }

    #[test]
    fn marks_are_few_and_round() {
        let table = [
            (0, "0 | 1 µs"),
            (640, "0 | 200 µs | 400 µs | 600 µs"),
            (1_900, "0 | 500 µs | 1 ms | 1.5 ms"),
            (48 * MILLI, "0 | 10 ms | 20 ms | 30 ms | 40 ms"),
            (3 * SECOND + 900 * MILLI, "0 | 1 s | 2 s | 3 s"),
            (70 * SECOND, "0 | 15 s | 30 s | 45 s | 1 min"),
            (7 * MINUTE, "0 | 2 min | 4 min | 6 min"),
            (5 * HOUR, "0 | 3 h"),
            (100 * DAY, "0 | 50 d | 100 d"),
        ];
        for (micros, expected) in table {
            assert_eq!(labels(micros), expected, "{micros}");
        }
    }

    #[test]
    fn the_last_label_is_not_cut_off() {
        let span = Span { start: Time::from_micros(0), length: Duration::from_secs(4) };
        let last = span.ticks().pop().unwrap();
        assert_eq!((last.x.as_str(), last.anchor), ("100.00%", "end"));
    }
}
