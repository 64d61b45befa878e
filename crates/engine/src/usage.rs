//! What models have taken, as the store adds it up.

use windlass_core::Time;
use windlass_nodes::llm::Usage;
use windlass_store::Taken;

/// Microseconds of a day.
const DAY: i64 = 24 * 3_600 * 1_000_000;

/// The most that one call counts with.
pub(crate) const COUNT_MAX: u64 = 1_000_000_000_000;

/// The day of a moment, UTC, counted from 1970-01-01.
pub fn day_of(time: Time) -> i64 {
    time.micros().div_euclid(DAY)
}

/// A call to a model, to be added to what a node has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who provides the model.
    pub provider: String,
    /// The model.
    pub model: String,
    /// When it was allowed; what is held and what was taken belong to this day.
    pub at: Time,
    /// What changes.
    pub taken: Taken,
}

/// What a call has taken.
pub(crate) fn taken(usage: &Usage) -> Taken {
    // What a provider says may be anything, and sums of it must stay numbers.
    let count = |count: u64| i64::try_from(count.min(COUNT_MAX)).unwrap_or(0);
    Taken {
        calls: 1,
        input_tokens: count(usage.input_tokens),
        output_tokens: count(usage.output_tokens),
        cached_tokens: count(usage.cached_tokens),
        cost_micros: count(usage.cost_micros.unwrap_or(0)),
        unpriced_calls: i64::from(usage.cost_micros.is_none()),
        latency_ms: count(usage.latency_ms),
        ..Taken::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight() {
        let at = |text: &str| Time::parse(text).unwrap();
        assert_eq!(day_of(at("1970-01-01T23:59:59.999999Z")), 0);
        assert_eq!(day_of(at("2026-11-21T00:00:00Z")), day_of(at("2026-11-21T23:59:59Z")));
        assert_eq!(day_of(at("1969-12-31T23:00:00Z")), -1);
    }
}
