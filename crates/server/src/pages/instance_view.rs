//! What the page of an instance shows of its units, from what the store knows.

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;
use windlass_core::run::token::UnitStatus;
use windlass_store::{
    ActorRow, AssignmentRow, InstanceRow, Store, StoreError, UnitCount, UnitFilter,
};

use super::render::{Moment, moment};
use super::unit_rows::UnitLine;

/// Units of a page.
pub(super) const UNITS_SHOWN: usize = 50;
/// Actors of a page who have no role of their own.
const ACTORS_SHOWN: usize = 100;

/// The upper part: what the instance is and how it stands.
#[derive(Debug, Serialize)]
pub(super) struct Head {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) template: String,
    pub(super) version: u32,
    pub(super) status: &'static str,
    pub(super) reason: Option<String>,
    pub(super) created: Moment,
    pub(super) created_by: Option<String>,
    /// How many units stand where.
    pub(super) counts: Vec<Count>,
    pub(super) total: u64,
    /// How many somebody works on.
    pub(super) active: u64,
}

/// Units of one status, and their part of a bar of 1,000.
#[derive(Debug, Serialize)]
pub(super) struct Count {
    pub(super) status: &'static str,
    pub(super) count: u64,
    pub(super) x: u64,
    pub(super) width: u64,
}

/// Somebody who acts in it.
#[derive(Debug, Serialize)]
pub(super) struct Actor {
    pub(super) name: String,
    /// What it is, as others know it: `HUMAN`, `AI_AGENT`, `SYSTEM`.
    pub(super) kind: String,
    pub(super) seen: Moment,
    /// Its roles, with the id of what gives it each.
    pub(super) roles: Vec<(String, String)>,
}

/// Everything that changes while units move.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) head: Head,
    pub(super) counts: Vec<UnitCount>,
    pub(super) units: Vec<UnitLine>,
    pub(super) next: Option<Uuid>,
}

/// Reads how an instance stands.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn read(
    store: &dyn Store,
    row: InstanceRow,
    filter: &UnitFilter,
    after: Option<Uuid>,
) -> Result<Shown, StoreError> {
    let counts = store.unit_counts(row.instance_id)?;
    let page = store.units(&row.project, filter, after, UNITS_SHOWN)?;
    let next = page.items.last().filter(|_| page.has_more).map(|last| last.unit_id);
    let units = page.items.into_iter().map(UnitLine::from).collect();
    Ok(Shown { head: head(row, &counts), counts, units, next })
}

fn head(row: InstanceRow, counts: &[UnitCount]) -> Head {
    let of = |status: UnitStatus| -> u64 {
        let own = counts.iter().filter(|count| count.status == status.as_str());
        own.map(|count| count.count).sum()
    };
    let pairs = ORDER.map(|status| (status.as_str(), of(status)));
    let total = pairs.iter().map(|(_, count)| count).sum();
    Head {
        id: row.instance_id.to_string(),
        name: row.name,
        description: row.description,
        template: row.template,
        version: row.template_version,
        status: row.status.as_str(),
        reason: row.reason,
        created: moment(row.created_at),
        created_by: row.created_by,
        counts: bar(&pairs),
        total,
        active: of(UnitStatus::Active),
    }
}

/// What is done stands first, as in a bar that fills up.
pub(super) const ORDER: [UnitStatus; UnitStatus::ALL.len()] = [
    UnitStatus::Finalized,
    UnitStatus::Archived,
    UnitStatus::Completed,
    UnitStatus::FailedSecurityBreach,
    UnitStatus::Failed,
    UnitStatus::ZombiedDead,
    UnitStatus::ZombiedSoft,
    UnitStatus::PendingPilotApproval,
    UnitStatus::Paused,
    UnitStatus::Active,
    UnitStatus::Pending,
];

/// The parts of a bar of 1,000.
pub(super) fn bar(pairs: &[(&'static str, u64)]) -> Vec<Count> {
    let total = pairs.iter().map(|(_, count)| count).sum::<u64>().max(1);
    let mut before = 0;
    let part = |(status, count): &(&'static str, u64)| {
        let x = before * 1_000 / total;
        before += count;
        Count { status, count: *count, x, width: before * 1_000 / total - x }
    };
    pairs.iter().map(part).filter(|part| part.count > 0).collect()
}

/// Who acts in an instance, and in which roles alone.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn actors(store: &dyn Store, instance_id: Uuid) -> Result<Vec<Actor>, StoreError> {
    let mut assignments = store.assignments(instance_id, None)?;
    assignments.retain(|one| one.status == AssignmentRow::ACTIVE);
    // Those who have a role come first: whoever has ever asked for work is an actor too.
    let mut actors = Vec::new();
    let assigned: BTreeSet<Uuid> = assignments.iter().map(|one| one.actor_id).collect();
    for id in &assigned {
        actors.extend(store.actor(instance_id, &id.to_string())?);
    }
    let others = store.actors(instance_id, None, ACTORS_SHOWN)?.items;
    actors.extend(others.into_iter().filter(|row| !assigned.contains(&row.actor_id)));
    let actor = |row: ActorRow| {
        let own = assignments.iter().filter(|one| one.actor_id == row.actor_id);
        Actor {
            roles: own.map(|one| (one.role.clone(), one.assignment_id.to_string())).collect(),
            name: row.name,
            kind: row.kind,
            seen: moment(row.seen_at),
        }
    };
    Ok(actors.into_iter().map(actor).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_no_gaps() {
        let parts = bar(&[("finalized", 1), ("active", 0), ("pending", 2)]);
        let ends: Vec<_> = parts.iter().map(|part| (part.x, part.x + part.width)).collect();
        assert_eq!(ends, [(0, 333), (333, 1_000)]);
        assert!(bar(&[("pending", 0)]).is_empty());
    }
}
