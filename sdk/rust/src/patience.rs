//! How long to wait before a request is said again.

use std::time::Duration;

use crate::Error;

const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Who is told to come back later than this had better hear of it.
const ASKED_MAX: Duration = Duration::from_secs(30);

/// Pauses that grow, for as long as there is patience.
#[derive(Debug)]
pub(crate) struct Patience {
    left: u32,
    pause: Duration,
}

impl Patience {
    pub(crate) fn new(left: u32) -> Patience {
        Patience { left, pause: PAUSE_FIRST }
    }

    /// How long to wait after this error; `None` if it is the end.
    pub(crate) fn after(&mut self, error: &Error, may_repeat: bool) -> Option<Duration> {
        let may = match error {
            Error::Unreachable { may_be_sent, .. } => may_repeat || !may_be_sent,
            Error::Refused(problem) => match problem.status {
                429 => true,
                502..=504 => may_repeat || problem.code == "unavailable",
                _ => false,
            },
            Error::Nonsense(_) | Error::Invalid(_) | Error::NotOver { .. } => false,
        };
        let asked = match error {
            Error::Refused(problem) => problem.retry_after.map(Duration::from_secs),
            _ => None,
        };
        let asked = asked.unwrap_or_default();
        if !may || self.left == 0 || asked > ASKED_MAX {
            return None;
        }
        self.left -= 1;
        let pause = self.pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Some(pause.max(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Problem;

    fn refused(status: u16, code: &str) -> Error {
        Error::Refused(Box::new(Problem { status, code: code.to_owned(), ..Problem::default() }))
    }

    #[test]
    fn only_what_may_be_said_again_is() {
        let lost = |may_be_sent| Error::Unreachable {
            server: String::new(),
            cause: String::new(),
            may_be_sent,
        };
        //  the error, whether it may be repeated, whether it is
        let table = [
            (lost(true), true, true),
            (lost(true), false, false),
            (lost(false), false, true),
            (refused(503, "unavailable"), false, true),
            (refused(503, "outcome-unknown"), false, false),
            (refused(503, "outcome-unknown"), true, true),
            (refused(429, "rate-limited"), false, true),
            (refused(409, "wrong-state"), true, false),
            (refused(500, "internal"), true, false),
        ];
        for (error, may_repeat, expected) in table {
            let pause = Patience::new(1).after(&error, may_repeat);
            assert_eq!(pause.is_some(), expected, "{error:?} {may_repeat}");
        }
        let mut patience = Patience::new(1);
        assert!(patience.after(&lost(false), true).is_some());
        assert!(patience.after(&lost(false), true).is_none(), "patience ends");
    }
}
