use serde::{Deserialize, Serialize};
use windlass_core::HumanDuration;

/// Runs that other programs drive and tell of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObserveSection {
    /// After this long without a word a run counts as stalled, or as failed if a task has, unless its
    /// policy is `continue` and another is under way. Runs that began before a change keep what was set
    /// then.
    pub stalled_after: HumanDuration,
    /// After this long without a word a run counts as failed.
    pub given_up_after: HumanDuration,
}

impl Default for ObserveSection {
    fn default() -> ObserveSection {
        ObserveSection {
            stalled_after: HumanDuration::from_secs(600),
            given_up_after: HumanDuration::from_secs(86_400),
        }
    }
}

impl ObserveSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let (stalled, given_up) = (self.stalled_after.0.as_secs(), self.given_up_after.0.as_secs());
        if !(1..=86_400 * 30).contains(&stalled) {
            found.push(("observe.stalled_after", "it is a second to 30 days".to_owned()));
        }
        if !(stalled.saturating_add(1)..=86_400 * 365).contains(&given_up) {
            let message = "it is longer than `observe.stalled_after`, up to a year";
            found.push(("observe.given_up_after", message.to_owned()));
        }
        found
    }
}
