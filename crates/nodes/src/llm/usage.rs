use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one exchange with a model took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The model, as the provider calls it.
    pub model: String,
    /// The provider, as the settings call it.
    pub provider: String,
    /// Tokens that were sent, the cached ones included.
    pub input_tokens: u64,
    /// Tokens that were answered, thoughts included.
    pub output_tokens: u64,
    /// Of the tokens that were sent, those the provider had in its cache.
    pub cached_tokens: u64,
    /// From the request to the last token, in milliseconds.
    pub latency_ms: u64,
    /// The price in millionths of a US dollar. `None` if the settings have no price for the model.
    pub cost_micros: Option<u64>,
}

impl Usage {
    /// Whether anything is known of it.
    pub fn is_known(&self) -> bool {
        self.input_tokens > 0 || self.output_tokens > 0
    }
}

/// What a model costs, in US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens that are sent.
    pub input: f64,
    /// Tokens that are answered.
    pub output: f64,
    /// Tokens that are sent and were in the provider's cache. Left out: as much as others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
}

impl Price {
    /// Whether all of it is a sum that somebody could ask for.
    pub(super) fn is_sane(&self) -> bool {
        [Some(self.input), Some(self.output), self.cached]
            .into_iter()
            .flatten()
            .all(|price| (0.0..=1_000_000.0).contains(&price))
    }

    /// The price of so many tokens in millionths of a dollar, rounded up. A dollar for a million
    /// tokens is a millionth of a dollar for one.
    pub fn micros(&self, input_tokens: u64, cached_tokens: u64, output_tokens: u64) -> u64 {
        let cached_tokens = cached_tokens.min(input_tokens);
        let micros = self.input * (input_tokens - cached_tokens) as f64
            + self.cached.unwrap_or(self.input) * cached_tokens as f64
            + self.output * output_tokens as f64;
        // What is lost or added by the fractions of a float is no whole millionth.
        (micros - 1e-6).ceil().max(0.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_counted_in_millionths() {
        let price = Price { input: 1.25, output: 10.0, cached: Some(0.125) };
        assert_eq!(price.micros(1_000_000, 0, 0), 1_250_000);
        assert_eq!(price.micros(1_000, 800, 10), 250 + 100 + 100);
        assert_eq!(price.micros(1, 0, 0), 2, "rounded up");
        assert_eq!(price.micros(0, 0, 0), 0);
        assert_eq!(price.micros(10, 99, 0), 2, "no more is cached than was sent");
        let flat = Price { input: 0.1, output: 0.2, cached: None };
        assert_eq!(flat.micros(10, 10, 10), 3);
        assert!(flat.is_sane() && !Price { input: -1.0, ..flat }.is_sane());
        assert!(!Price { output: f64::NAN, ..flat }.is_sane());
    }
}
