//! Attempts made outside: begun, ended, lost.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::Decider;
use super::start::{check_size, check_size_to};
use crate::definition::{Effect, Node, Retry};
use crate::failure::Failure;
use crate::kinds::Wait;
use crate::limits::{DETAILS_BYTES_MAX, INTERRUPTION_COUNT_MAX, RECORD_COUNT_MAX, RETRY_AFTER_MAX};
use crate::run::event::{Fact, Resume};
use crate::run::input::{AttemptError, Refused};
use crate::run::{Step, StepStatus};
use crate::time::Time;

/// The wait after the first lost attempt; it doubles with each one up to a minute.
const INTERRUPTION_DELAY: Duration = Duration::from_millis(100);
const INTERRUPTION_DELAY_MAX: Duration = Duration::from_secs(60);

impl Decider<'_> {
    pub(super) fn attempt_started(&self, path: &str, attempt: u32) -> Result<Vec<Fact>, Refused> {
        match self.under_way(path, attempt)?.status {
            StepStatus::Queued => Ok(vec![Fact::AttemptStarted { path: path.to_owned(), attempt }]),
            _ => Err(Refused::Stale { path: path.to_owned(), attempt }),
        }
    }

    pub(super) fn attempt_ended(
        &self,
        path: &str,
        attempt: u32,
        started_at: Time,
        result: &Result<Arc<Value>, AttemptError>,
    ) -> Result<Vec<Fact>, Refused> {
        let step = self.under_way(path, attempt)?;
        let Some(place) = self.locate(path) else { return Ok(self.lost(path)) };
        let error = match result {
            Ok(output) => match check_size(output, "output") {
                Ok(()) => {
                    let output = output.clone();
                    return Ok(self.succeed(path, place, attempt, Some(started_at), output, None));
                }
                Err(failure) => AttemptError::new(failure, true),
            },
            Err(error) => AttemptError { failure: kept_small(&error.failure), ..error.clone() },
        };
        match self.retry_at(place.1, step, &error) {
            Some(retry_at) => Ok(self.again_at(
                Fact::AttemptFailed {
                    path: path.to_owned(),
                    attempt,
                    started_at,
                    error: error.failure,
                    retry_at,
                },
                path,
                attempt,
                retry_at,
            )),
            None => Ok(self.fail(path, place, attempt, Some(started_at), error.failure)),
        }
    }

    /// There is an earlier output, so the attempt need not be made.
    pub(super) fn attempt_cached(
        &self,
        path: &str,
        attempt: u32,
        run_id: Uuid,
        output: &Arc<Value>,
    ) -> Result<Vec<Fact>, Refused> {
        self.under_way(path, attempt)?;
        let Some(place) = self.locate(path) else { return Ok(self.lost(path)) };
        let output = output.clone();
        let mut facts = self.succeed(path, place, attempt, Some(self.now), output, None);
        if let Some(Fact::StepSucceeded { cached, .. }) = facts.first_mut() {
            *cached = Some(run_id);
        }
        Ok(facts)
    }

    /// An attempt has ended with a question. The next one begins with the answer.
    pub(super) fn attempt_asks(
        &self,
        path: &str,
        (attempt, started_at): (u32, Time),
        key: &str,
        ask: &Arc<Value>,
    ) -> Result<Vec<Fact>, Refused> {
        let step = self.under_way(path, attempt)?;
        let asked = check_size(ask, "question").and_then(|()| Wait::for_approval(ask));
        let Wait { awaits, time } = asked.map_err(Refused::BadOutput)?;
        let key = key.to_owned();
        Ok(vec![Fact::StepAwaiting {
            path: path.to_owned(),
            kind: step.kind.to_string(),
            input: ask.clone(),
            awaits,
            until: time.map(|time| self.now.plus(time)),
            resumes: Some(Box::new(Resume { attempt, started_at, key })),
        }])
    }

    /// An attempt notes how far it has come.
    pub(super) fn attempt_recorded(
        &self,
        path: &str,
        attempt: u32,
        key: &str,
        value: &Arc<Value>,
    ) -> Result<Vec<Fact>, Refused> {
        let step = self.under_way(path, attempt)?;
        // It is told again if nobody knew whether it was kept.
        if step.records.iter().any(|known| known.key == key && known.attempt == attempt) {
            return Ok(Vec::new());
        }
        check_size(value, "record").map_err(Refused::BadOutput)?;
        if step.records.len() >= RECORD_COUNT_MAX {
            let message = format!("a step may record {RECORD_COUNT_MAX} notes at most");
            return Err(Refused::BadOutput(Failure::new("history_limit", message)));
        }
        let (path, key, value) = (path.to_owned(), key.to_owned(), value.clone());
        Ok(vec![Fact::StepRecorded { path, attempt, key, value }])
    }

    /// Nobody knows how far a lost attempt came. What may be repeated is tried again, not counted
    /// against `max_attempts`; what may not waits for a decision. An attempt that was never
    /// released is simply made.
    pub(super) fn attempt_lost(&self, path: &str, attempt: u32) -> Result<Vec<Fact>, Refused> {
        let step = self.under_way(path, attempt)?;
        if step.effect == Effect::Never {
            return Ok(match step.status {
                // Its start would have been durable before anything was done.
                StepStatus::Queued => Vec::new(),
                _ => vec![Fact::StepParked { path: path.to_owned(), attempt }],
            });
        }
        if step.interruptions >= INTERRUPTION_COUNT_MAX {
            let Some(place) = self.locate(path) else { return Ok(self.lost(path)) };
            let message = format!(
                "{INTERRUPTION_COUNT_MAX} attempts were lost with the process that made them"
            );
            let failure = Failure::new("dead_letter", message);
            return Ok(self.fail(path, place, attempt, step.started_at, failure));
        }
        let doublings = step.interruptions.min(16);
        let delay = (INTERRUPTION_DELAY * (1 << doublings)).min(INTERRUPTION_DELAY_MAX);
        let retry_at = self.now.plus(delay);
        Ok(vec![Fact::AttemptInterrupted { path: path.to_owned(), attempt, retry_at }])
    }

    /// The step, if this very attempt is to be made or being made. A result that comes late, twice
    /// or after the attempt was given up is refused here, so nobody else has to think of it.
    fn under_way(&self, path: &str, attempt: u32) -> Result<&Step, Refused> {
        let step =
            self.state.steps.get(path).ok_or_else(|| Refused::NoSuchStep(path.to_owned()))?;
        let is_open = matches!(step.status, StepStatus::Queued | StepStatus::Running);
        if is_open && step.attempt == attempt && self.state.active.contains(path) {
            return Ok(step);
        }
        Err(Refused::Stale { path: path.to_owned(), attempt })
    }

    /// When the next attempt is due; `None` if there is none.
    fn retry_at(&self, node: &Node, step: &Step, error: &AttemptError) -> Option<Time> {
        let retry = node.retry.as_ref()?;
        let counted = step.attempt.saturating_sub(step.interruptions + step.suspensions);
        let worth_it = match &retry.on {
            Some(codes) => codes.iter().any(|code| is_code(code, &error.failure.code)),
            None => !error.is_final,
        };
        let asked = error.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        (worth_it && counted < retry.max_attempts)
            .then(|| self.now.plus(delay_after(retry, counted, self.dice).max(asked)))
    }

    /// `failed`, and the next attempt at once if there is nothing to wait for.
    fn again_at(&self, failed: Fact, path: &str, attempt: u32, at: Time) -> Vec<Fact> {
        if at > self.now {
            return vec![failed];
        }
        let attempt = attempt + 1;
        vec![failed, Fact::AttemptQueued { path: path.to_owned(), attempt }]
    }
}

/// The failure without details that a journal could not hold: they come from outside, as an answer
/// that nests too deep, and what could not be read back would take the whole run with it.
fn kept_small(failure: &Failure) -> Failure {
    let check = |details| check_size_to(DETAILS_BYTES_MAX, details, "error");
    let excess = failure.details.as_ref().map(check);
    let mut kept = failure.clone();
    if let Some(Err(excess)) = excess {
        kept.details = Some(serde_json::json!({ "left_out": excess.message }));
    }
    kept
}

/// Whether a code of `retry.on` or of a `catch` means `code`. `http_5xx` means every status of that class.
pub(super) fn is_code(wanted: &str, code: &str) -> bool {
    wanted == code
        || wanted.strip_suffix("xx").is_some_and(|class| {
            code.len() == wanted.len() && code.starts_with(class) && class.starts_with("http_")
        })
}

/// How long to wait after attempt `failed` (from 1): `delay` times `multiplier` to the power of the
/// attempts before it, at most `max_delay`, less a share of up to `jitter` by the dice.
fn delay_after(retry: &Retry, failed: u32, dice: f64) -> Duration {
    let power = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
    let grown = retry.delay.0.as_secs_f64() * retry.multiplier.powi(power);
    let capped = grown.min(retry.max_delay.0.as_secs_f64());
    let wait = capped * (1.0 - retry.jitter * dice.clamp(0.0, 1.0));
    Duration::try_from_secs_f64(wait).unwrap_or(retry.max_delay.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::duration::HumanDuration;

    fn millis(millis: u64) -> HumanDuration {
        HumanDuration(Duration::from_millis(millis))
    }

    #[test]
    fn waits_double_up_to_the_ceiling() {
        let retry =
            Retry { delay: millis(100), max_delay: millis(350), jitter: 0.0, ..Retry::default() };
        let waits: Vec<u128> =
            (1..=4).map(|failed| delay_after(&retry, failed, 0.7).as_millis()).collect();
        assert_eq!(waits, [100, 200, 350, 350]);
    }

    #[test]
    fn codes_can_be_meant_by_class() {
        assert!(is_code("timeout", "timeout") && is_code("http_503", "http_503"));
        assert!(is_code("http_5xx", "http_503") && !is_code("http_5xx", "http_404"));
        assert!(!is_code("http_5xx", "http_5") && !is_code("xx", "ab"));
    }

    proptest! {
        /// Whatever a user writes, a wait never passes the ceiling and jitter only shortens it.
        #[test]
        fn waits_stay_below_the_ceiling(
            delay in 0..u64::MAX / 1_000_000,
            max_delay in 0..1_000_000_u64,
            multiplier in 1.0..1_000.0,
            jitter in 0.0..=1.0,
            failed in 1..2_000_u32,
            dice in 0.0..1.0,
        ) {
            let (delay, max_delay) = (millis(delay), millis(max_delay));
            let retry = Retry { delay, max_delay, multiplier, jitter, ..Retry::default() };
            let wait = delay_after(&retry, failed, dice);
            prop_assert!(wait <= max_delay.0);
            prop_assert!(wait <= delay_after(&retry, failed, 0.0));
        }
    }
}
