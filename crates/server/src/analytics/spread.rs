use std::time::Duration;

/// How long things took.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// In milliseconds, in no order.
    millis: Vec<u32>,
    sum: u64,
}

impl Spread {
    /// Counts one.
    pub fn add(&mut self, took: Duration) {
        let millis = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        self.millis.push(millis);
        self.sum += u64::from(millis);
    }

    /// The average in milliseconds, rounded down; `None` without any.
    pub fn average(&self) -> Option<u64> {
        self.sum.checked_div(self.millis.len() as u64)
    }

    /// The smallest of them that at least `share` of all do not exceed (nearest rank); `None`
    /// without any.
    pub fn percentile(&mut self, share: f64) -> Option<u64> {
        let count = self.millis.len();
        if count == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most a million of them"
        )]
        let rank = (share * count as f64).ceil() as usize;
        let place = rank.clamp(1, count) - 1;
        Some(u64::from(*self.millis.select_nth_unstable(place).1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut spread = Spread::default();
        assert_eq!((spread.average(), spread.percentile(0.5)), (None, None));
        for millis in (1..=100).rev() {
            spread.add(Duration::from_millis(millis));
        }
        assert_eq!(spread.average(), Some(50));
        let found = [0.0, 0.5, 0.95, 0.99, 1.0].map(|share| spread.percentile(share).unwrap());
        assert_eq!(found, [1, 50, 95, 99, 100]);
    }
}
