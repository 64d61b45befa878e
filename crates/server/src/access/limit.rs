//! How often each principal may call, and how often a sign-in may fail.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{DefaultKeyedRateLimiter, Quota};
use parking_lot::Mutex;

use crate::config::AccessSection;

/// Principals that are counted before those that have been quiet are forgotten.
const KNOWN_MAX: usize = 10_000;
/// Sign-ins that may fail in a minute.
const FAILED_SIGN_INS_MAX: NonZeroU32 = NonZeroU32::new(10).unwrap();

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

/// Whoever signs in, as far as that is known: an address, or nothing.
type From = Option<IpAddr>;

/// Counts sign-ins that fail, by the address they come from. Who has used up theirs is not listened to
/// for a while, whatever they say.
#[derive(Debug)]
pub struct SignIns {
    failures: DefaultKeyedRateLimiter<From, StateInformationMiddleware>,
    shut: Mutex<HashMap<From, Instant>>,
    clock: DefaultClock,
}

impl Default for SignIns {
    fn default() -> SignIns {
        let quota = Quota::per_minute(FAILED_SIGN_INS_MAX);
        let failures = DefaultKeyedRateLimiter::keyed(quota);
        SignIns {
            failures: failures.with_middleware(),
            shut: Mutex::default(),
            clock: DefaultClock::default(),
        }
    }
}

impl SignIns {
    /// Whether somebody may try.
    ///
    /// # Errors
    ///
    /// How long to wait, if too many of theirs have failed.
    pub fn check(&self, from: From) -> Result<(), Duration> {
        let until = self.shut.lock().get(&whole_network(from)).copied();
        let left = until.and_then(|until| until.checked_duration_since(Instant::now()));
        left.filter(|left| !left.is_zero()).map_or(Ok(()), Err)
    }

    /// Notes that somebody was refused.
    pub fn failed(&self, from: From) {
        let from = whole_network(from);
        let wait = match self.failures.check_key(&from) {
            Ok(left) if left.remaining_burst_capacity() > 0 => return,
            Ok(_) => Duration::from_secs(60) / FAILED_SIGN_INS_MAX.get(),
            Err(until) => until.wait_time_from(self.clock.now()),
        };
        let now = Instant::now();
        let mut shut = self.shut.lock();
        if shut.len() >= KNOWN_MAX || self.failures.len() > KNOWN_MAX {
            shut.retain(|_, until| *until > now);
            self.failures.retain_recent();
        }
        shut.insert(from, now + wait);
    }
}

/// Whoever has one address of IPv6 has 2^64 of them.
fn whole_network(from: From) -> From {
    from.map(|address| match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes()),
        address => address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_too_often_is_not_listened_to() {
        let sign_ins = SignIns::default();
        let at = |text: &str| Some(text.parse().unwrap());
        for _ in 0..10 {
            assert_eq!(sign_ins.check(at("2001:db8::1")), Ok(()));
            sign_ins.failed(at("2001:db8::1"));
        }
        let wait = sign_ins.check(at("2001:db8::2")).unwrap_err();
        assert!(wait <= Duration::from_secs(6), "{wait:?}");
        for other in [at("2001:db8:0:1::1"), at("127.0.0.1"), None] {
            assert_eq!(sign_ins.check(other), Ok(()), "{other:?}");
        }
    }
}
