//! How long runs are kept once they are over, and who keeps them after that.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_core::Time;
use windlass_core::run::RunStatus;
use windlass_store::{Expiry, RunRow};

/// How long runs are kept. A run that is not over is kept in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionRules {
    /// What holds for workflows that have no rule of their own.
    pub default: Rule,
    /// Rules of their own, by the name of the workflow. Nothing of the default holds beside one.
    pub workflows: BTreeMap<String, Rule>,
}

/// How long the runs of a workflow are kept. One goes when it is too old, or when there are too many
/// newer ones. Left out, nothing is said: an empty rule keeps all for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// How long after its end.
    pub age: Option<Duration>,
    /// How many, the newest ones. Those that are not over are counted, too.
    pub count: Option<u32>,
    /// How long after it has ended so, instead of `age`.
    pub by_status: BTreeMap<RunStatus, Duration>,
}

/// Keeps runs that are about to be deleted.
pub trait Archive: Send + Sync {
    /// Keeps these runs, before they are deleted. They are read from the store. An error leaves them
    /// where they are, to be tried again later. May take its time, but has to come to an end: a server
    /// that goes down waits for it. After a crash it may be asked to keep runs once more.
    ///
    /// # Errors
    ///
    /// Why they cannot be kept now, for the server's log.
    fn keep(&self, runs: &[RunRow]) -> Result<(), String>;
}

impl RetentionRules {
    /// Every run is kept for so long; for ever if nothing is said.
    pub fn by_age(age: Option<Duration>) -> RetentionRules {
        let default = Rule { age, ..Rule::default() };
        RetentionRules { default, workflows: BTreeMap::new() }
    }

    /// Whether all is kept for ever.
    pub fn is_empty(&self) -> bool {
        self.default.is_empty() && self.workflows.values().all(Rule::is_empty)
    }

    /// What has had its time at `now`.
    pub(crate) fn expiries(&self, now: Time) -> Vec<Expiry> {
        let except = self.workflows.keys().cloned().collect();
        let mut expiries = self.default.expiries(now, &Expiry { except, ..Expiry::default() });
        for (name, rule) in &self.workflows {
            let base = Expiry { workflow: Some(name.clone()), ..Expiry::default() };
            expiries.extend(rule.expiries(now, &base));
        }
        expiries
    }
}

impl Rule {
    fn is_empty(&self) -> bool {
        *self == Rule::default()
    }

    fn expiries(&self, now: Time, base: &Expiry) -> Vec<Expiry> {
        let mut expiries = Vec::new();
        for (status, age) in &self.by_status {
            let (statuses, before) = (vec![*status], Some(ago(now, *age)));
            expiries.push(Expiry { statuses, before, ..base.clone() });
        }
        let over = RunStatus::ALL.into_iter().filter(|status| status.is_terminal());
        let statuses: Vec<_> = over.filter(|status| !self.by_status.contains_key(status)).collect();
        if let Some(age) = self.age
            && !statuses.is_empty()
        {
            expiries.push(Expiry { statuses, before: Some(ago(now, age)), ..base.clone() });
        }
        if self.count.is_some() {
            expiries.push(Expiry { keep_newest: self.count, ..base.clone() });
        }
        expiries
    }
}

/// That long before `now`.
pub(crate) fn ago(now: Time, age: Duration) -> Time {
    let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    Time::from_micros(now.micros().saturating_sub(age))
}

#[cfg(test)]
mod tests {
    use windlass_core::run::RunStatus::{Cancelled, Failed, Succeeded};

    use super::*;

    const NOW: Time = Time::from_micros(10_000_000);

    fn before(seconds: i64) -> Option<Time> {
        Some(Time::from_micros(NOW.micros() - seconds * 1_000_000))
    }

    #[test]
    fn what_has_had_its_time_follows_from_the_rules() {
        let seconds = Duration::from_secs;
        let rule = Rule {
            age: Some(seconds(2)),
            count: Some(7),
            by_status: [(Failed, seconds(5))].into(),
        };
        let rules = RetentionRules {
            default: Rule { age: Some(seconds(3)), ..Rule::default() },
            workflows: [("A".to_owned(), rule), ("B".to_owned(), Rule::default())].into(),
        };
        let except = vec!["A".to_owned(), "B".to_owned()];
        let all = vec![Succeeded, Failed, Cancelled];
        let of_a = Expiry { workflow: Some("A".to_owned()), ..Expiry::default() };
        let expected = [
            Expiry { except, statuses: all, before: before(3), ..Expiry::default() },
            Expiry { statuses: vec![Failed], before: before(5), ..of_a.clone() },
            Expiry { statuses: vec![Succeeded, Cancelled], before: before(2), ..of_a.clone() },
            Expiry { keep_newest: Some(7), ..of_a },
        ];
        assert_eq!(rules.expiries(NOW), expected);
        assert!(RetentionRules::by_age(None).is_empty());
        assert!(RetentionRules::default().expiries(NOW).is_empty());
    }
}
