use serde::{Deserialize, Serialize};
use windlass_core::HumanDuration;

/// What is taken back from workers that were not heard of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SweeperSection {
    /// How often leases are looked through for those that have ended.
    pub every: HumanDuration,
    /// How long a unit of work is an actor's own without a heartbeat, unless they ask for another
    /// time.
    pub uow_lease: HumanDuration,
    /// Likewise, a task a runner's or worker's.
    pub runner_lease: HumanDuration,
}

impl Default for SweeperSection {
    fn default() -> SweeperSection {
        SweeperSection {
            every: HumanDuration::from_secs(60),
            uow_lease: HumanDuration::from_secs(300),
            runner_lease: HumanDuration::from_secs(60),
        }
    }
}

impl SweeperSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        let within = |key: &'static str, value: HumanDuration, least: u64, most: u64| {
            let seconds = value.0.as_secs_f64();
            let is_within = (least as f64..=most as f64).contains(&seconds);
            (!is_within).then(|| (key, format!("it is {least} to {most} seconds")))
        };
        let every = (self.every.0.as_millis() < 100 || self.every.0.as_secs() > 3_600)
            .then(|| ("sweeper.every", "it is a tenth of a second to an hour".to_owned()));
        every
            .into_iter()
            .chain(within("sweeper.uow_lease", self.uow_lease, 1, 86_400))
            .chain(within("sweeper.runner_lease", self.runner_lease, 1, 3_600))
            .collect()
    }
}
