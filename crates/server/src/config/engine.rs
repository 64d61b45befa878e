use serde::{Deserialize, Serialize};
use windlass_core::HumanDuration;

use super::within;

/// How runs are driven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineSection {
    /// How many threads decide. 0 means one for each core, and
    /// two at least.
    pub shard_count: u64,
    /// How long attempts may go on once the server has been told to end.
    pub shutdown_grace: HumanDuration,
}

impl Default for EngineSection {
    fn default() -> EngineSection {
        EngineSection { shard_count: 0, shutdown_grace: HumanDuration::from_secs(10) }
    }
}

impl EngineSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        within("engine.shard_count", self.shard_count, 0..=256).into_iter().collect()
    }
}
