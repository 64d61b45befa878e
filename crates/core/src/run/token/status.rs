use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a unit of work stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitStatus {
    /// It waits at an interaction for an actor.
    Pending,
    /// An actor works on it, or it has been let go on and waits for one.
    Active,
    /// What an actor made of it waits for a pilot's word.
    PendingPilotApproval,
    /// It is stuck, and may be helped: by a pilot, or by another try after a while.
    ZombiedSoft,
    /// It is stuck for good.
    ZombiedDead,
    /// It has come to the last interaction, where the set it belongs to is gathered.
    Completed,
    /// It went wrong: it waits for whoever mends, or has nowhere to go any more.
    Failed,
    /// A pilot has stopped it.
    Paused,
    /// Its attributes are not what was written.
    FailedSecurityBreach,
    /// Its set was gathered, and the last role is done with it.
    Finalized,
    /// It was put away.
    Archived,
}

impl UnitStatus {
    /// All of them, in the order of a life.
    pub const ALL: [UnitStatus; 11] = [
        UnitStatus::Pending,
        UnitStatus::Active,
        UnitStatus::PendingPilotApproval,
        UnitStatus::ZombiedSoft,
        UnitStatus::ZombiedDead,
        UnitStatus::Completed,
        UnitStatus::Failed,
        UnitStatus::Paused,
        UnitStatus::FailedSecurityBreach,
        UnitStatus::Finalized,
        UnitStatus::Archived,
    ];

    /// The word in the store and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            UnitStatus::Pending => "pending",
            UnitStatus::Active => "active",
            UnitStatus::PendingPilotApproval => "pending_pilot_approval",
            UnitStatus::ZombiedSoft => "zombied_soft",
            UnitStatus::ZombiedDead => "zombied_dead",
            UnitStatus::Completed => "completed",
            UnitStatus::Failed => "failed",
            UnitStatus::Paused => "paused",
            UnitStatus::FailedSecurityBreach => "failed_security_breach",
            UnitStatus::Finalized => "finalized",
            UnitStatus::Archived => "archived",
        }
    }

    /// The status of this word.
    pub fn parse(word: &str) -> Option<UnitStatus> {
        UnitStatus::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether nothing ever follows, wherever the unit is.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            UnitStatus::FailedSecurityBreach | UnitStatus::Finalized | UnitStatus::Archived
        )
    }
}

impl fmt::Display for UnitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
