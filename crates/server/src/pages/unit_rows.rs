//! Units of work as lists show them.

use serde::Serialize;
use windlass_store::UnitRow;

use super::render::{Moment, moment};
use super::runs::short_id;

/// A row of a list of units.
#[derive(Clone, Debug, Serialize)]
pub(super) struct UnitLine {
    pub(super) id: String,
    pub(super) short_id: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    /// The workflow of its instance that it is in.
    pub(super) workflow: String,
    pub(super) place: Option<String>,
    /// Who has it.
    pub(super) holder: Option<String>,
    /// In which role; without a holder, the role that had it last.
    pub(super) role: Option<String>,
    /// How many of its children have finished, and how many there are.
    pub(super) children: Option<(u32, u32)>,
    /// The end of its parent's id.
    pub(super) parent: Option<(String, String)>,
    pub(super) interactions: u32,
    /// Since when it is where it is.
    pub(super) since: Moment,
}

impl From<UnitRow> for UnitLine {
    fn from(row: UnitRow) -> UnitLine {
        let id = row.unit_id.to_string();
        let named = |id: String| (short_id(&id), id);
        UnitLine {
            short_id: short_id(&id),
            id,
            status: row.status,
            reason: row.reason,
            workflow: row.workflow,
            place: row.place,
            holder: row.holder,
            role: row.role,
            children: (row.child_count > 0).then_some((row.finished_child_count, row.child_count)),
            parent: row.parent_id.map(|id| named(id.to_string())),
            interactions: row.interaction_count,
            since: moment(row.entered_at),
        }
    }
}
