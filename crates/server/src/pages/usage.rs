//! What models have taken, for people.

use serde::Serialize;
use windlass_store::{Taken, UsageRow};

use crate::api::usage::UsageBody;

/// Days of a workflow that are listed: the last ones on which there was anything.
const DAYS_SHOWN: usize = 7;

/// What was taken, in words.
#[derive(Debug, PartialEq, Serialize)]
pub struct Took {
    calls: String,
    tokens_in: String,
    tokens_out: String,
    /// `None` if nobody has written down what any of it costs.
    cost: Option<String>,
    /// Whether `cost` knows nothing of some calls.
    is_partial: bool,
}

/// A day of a workflow.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Day {
    day: String,
    took: Took,
}

/// What models took; `None` if none was asked.
pub(super) fn took(rows: &[UsageRow]) -> Option<Took> {
    let mut sum = Taken::default();
    for row in rows {
        sum += row.taken;
    }
    (sum.calls > 0).then(|| Took::of(&sum))
}

/// What models took in a workflow, the newest day first.
pub(super) fn days(rows: Vec<UsageRow>) -> Vec<Day> {
    let mut by_day: Vec<(i64, Taken)> = Vec::new();
    for row in rows {
        match by_day.last_mut().filter(|(day, _)| *day == row.day) {
            Some((_, sum)) => *sum += row.taken,
            None => by_day.push((row.day, row.taken)),
        }
    }
    let told = by_day.into_iter().filter(|(_, sum)| sum.calls > 0).take(DAYS_SHOWN);
    told.map(|(day, sum)| Day { day: UsageBody::day(day), took: Took::of(&sum) }).collect()
}

impl Took {
    fn of(sum: &Taken) -> Took {
        let is_priced = sum.unpriced_calls < sum.calls;
        Took {
            calls: grouped(sum.calls),
            tokens_in: grouped(sum.input_tokens),
            tokens_out: grouped(sum.output_tokens),
            cost: is_priced.then(|| dollars(sum.cost_micros)),
            is_partial: is_priced && sum.unpriced_calls > 0,
        }
    }
}

/// `1,204`.
pub(super) fn grouped(count: i64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Cents where they tell enough, four places where they do not.
fn dollars(micros: i64) -> String {
    match micros as f64 / 1_000_000.0 {
        0.0 => "$0".to_owned(),
        dollars if dollars >= 1.0 => format!("${dollars:.2}"),
        dollars if dollars >= 0.0001 => format!("${dollars:.4}"),
        _ => "< $0.0001".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sums_are_told_in_words() {
        let counts = [(0, "0"), (999, "999"), (1_204, "1,204"), (1_234_567, "1,234,567")];
        for (count, told) in counts {
            assert_eq!(grouped(count), told);
        }
        for (micros, told) in
            [(0, "$0"), (1, "< $0.0001"), (123_456, "$0.1235"), (12_345_678, "$12.35")]
        {
            assert_eq!(dollars(micros), told);
        }
    }
}
