//! How often each principal may call.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::config::AccessSection;

/// Principals that are counted before those that have been quiet are forgotten.
const KNOWN_MAX: usize = 10_000;

/// Counts calls, if the settings set a limit.
#[derive(Debug)]
pub struct Limits {
    limiter: Option<DefaultKeyedRateLimiter<String>>,
    clock: DefaultClock,
}

impl Limits {
    /// By the settings.
    pub fn new(access: &AccessSection) -> Limits {
        let number = |value: u64| NonZeroU32::new(u32::try_from(value).unwrap_or(u32::MAX));
        let limiter = number(access.requests_per_second).map(|rate| {
            let burst = number(access.request_burst).unwrap_or(rate);
            DefaultKeyedRateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))
        });
        Limits { limiter, clock: DefaultClock::default() }
    }

    /// Counts a call.
    ///
    /// # Errors
    ///
    /// How long to wait, if there were too many.
    pub fn count(&self, who: &str) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if limiter.len() > KNOWN_MAX {
            limiter.retain_recent();
        }
        let counted = limiter.check_key(&who.to_owned());
        counted.map_err(|until| until.wait_time_from(self.clock.now()))
    }
}
