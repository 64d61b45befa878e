//! Units of one instance by where they stand. Those of one status, place, workflow and role are a
//! group: there are few groups, however many units, and an index has each in the list's order. So a
//! list is put together out of the newest of each group, be there five units that fit or a million.

use uuid::Uuid;

use super::read::{Columns, all};
use super::units::{COLUMNS, unit};
use super::{Connection, IdText, Row, SqlError, Statement};
use crate::error::StoreError;
use crate::tokens::{UnitFilter, UnitRow};

/// The first unit, in the order of the index, behind a place in it.
static NEXT: Statement = Statement::new(
    "SELECT status, place, workflow, role FROM unit
      WHERE instance_id = $1 AND (status, place, workflow, role, unit_id) > ($2, $3, $4, $5, $6)
      ORDER BY status, place, workflow, role, unit_id LIMIT 1",
);

static NEWEST: Statement = Statement::new(
    "SELECT unit_id FROM unit
      WHERE instance_id = $1 AND status = $2 AND place = $3 AND workflow = $4 AND role = $5
        AND unit_id < $6
      ORDER BY unit_id DESC LIMIT $7",
);

/// Behind all ids.
const END: &str = "~";

#[derive(Clone, Default)]
struct Group {
    status: String,
    place: String,
    workflow: String,
    role: String,
}

/// The instance whose groups have what the filter shows; `None` if another index leads there.
pub(super) fn instance_of(filter: &UnitFilter) -> Option<Uuid> {
    let has_place = filter.status.is_some() || filter.place.is_some() || filter.role.is_some();
    let leads = filter.run_id.is_none() && filter.parent_id.is_none() && filter.holder.is_none();
    filter.instance_id.filter(|_| has_place && leads)
}

/// The newest units that a filter shows, behind `after`.
pub(super) fn newest(
    connection: &mut impl Connection,
    project: &str,
    instance_id: Uuid,
    filter: &UnitFilter,
    after: &IdText,
    limit: usize,
) -> Result<Vec<UnitRow>, SqlError> {
    let instance = IdText::of(instance_id);
    let mut ids: Vec<String> = Vec::new();
    for group in groups(connection, &instance, filter)? {
        let Group { status, place, workflow, role } = &group;
        let values = [
            instance.value(),
            status.into(),
            place.into(),
            workflow.into(),
            role.into(),
            after.value(),
            limit.into(),
        ];
        ids.extend(all(connection, &NEWEST, &values, |row| Columns::of(row).text())?);
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.truncate(limit);
    let by_id = Statement::assembled(format!("SELECT {COLUMNS} FROM unit WHERE unit_id = $1"));
    let mut units = Vec::with_capacity(ids.len());
    connection.query_many(&by_id, ids.iter().map(|id| [id.into()]), &mut |_, row| {
        units.push(unit(row)?);
        Ok(())
    })?;
    // All units of an instance are of its project.
    units.retain(|unit| unit.project == project);
    Ok(units)
}

/// The groups that have what a filter shows.
fn groups(
    connection: &mut impl Connection,
    instance: &IdText,
    filter: &UnitFilter,
) -> Result<Vec<Group>, SqlError> {
    let fits =
        |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted == text);
    let mut found = Vec::new();
    let status = filter.status.clone().unwrap_or_default();
    let (mut last, mut unit_id) = (Group { status, ..Group::default() }, "");
    loop {
        let Group { status, place, workflow, role } = &last;
        let values = [
            instance.value(),
            status.into(),
            place.into(),
            workflow.into(),
            role.into(),
            unit_id.into(),
        ];
        let Some(next) = all(connection, &NEXT, &values, group)?.pop() else { return Ok(found) };
        if !fits(&filter.status, &next.status) {
            return Ok(found);
        }
        if fits(&filter.place, &next.place) && fits(&filter.role, &next.role) {
            found.push(next.clone());
        }
        (last, unit_id) = (next, END);
    }
}

fn group(row: &dyn Row) -> Result<Group, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Group {
        status: columns.text()?,
        place: columns.text()?,
        workflow: columns.text()?,
        role: columns.text()?,
    })
}
