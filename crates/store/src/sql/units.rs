//! Units of work: written with their runs, found in lists, counted where they stand.

use uuid::Uuid;

use super::read::{Columns, all, page};
use super::waves::{Writing, rounds, rows_of};
use super::{
    Connection, Driver, IdText, Row, SqlError, SqlStore, Statement, Value, unit_groups, unit_list,
};
use crate::error::StoreError;
use crate::rows::Page;
use crate::tokens::{UnitCount, UnitFilter, UnitRow};

static PUT: Statement = Statement::new(
    "INSERT INTO unit (unit_id, run_id, path, ordinal, project, instance_id, workflow, parent_id,
                       place, role, status, reason, holder, fence, interaction_count,
                       max_interactions, child_count, finished_child_count, version, hash, priority,
                       created_at, entered_at, updated_at, lease_micros, due_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
             $20, $21, $22, $23, $24, $25, $26)
     ON CONFLICT (unit_id) DO UPDATE
        SET workflow = excluded.workflow, place = excluded.place, role = excluded.role,
            status = excluded.status, reason = excluded.reason, holder = excluded.holder,
            fence = excluded.fence, interaction_count = excluded.interaction_count,
            max_interactions = excluded.max_interactions, child_count = excluded.child_count,
            finished_child_count = excluded.finished_child_count, version = excluded.version,
            hash = excluded.hash, priority = excluded.priority, entered_at = excluded.entered_at,
            updated_at = excluded.updated_at, lease_micros = excluded.lease_micros,
            due_at = excluded.due_at",
);

pub(super) const COLUMNS: &str = "unit_id, run_id, path, ordinal, project, instance_id, workflow,
    parent_id, place, role, status, reason, holder, fence, interaction_count, max_interactions,
    child_count, finished_child_count, version, hash, priority, created_at, entered_at, updated_at,
    lease_micros, due_at";

static COUNTS: Statement = Statement::new(
    "SELECT status, place, workflow, COUNT(*) FROM unit WHERE instance_id = $1
      GROUP BY status, place, workflow ORDER BY status, place, workflow",
);

/// The texts of a row that are not at hand as they are written.
struct Texts<'a> {
    row: UnitRow,
    unit_id: IdText,
    run_id: &'a IdText,
    instance_id: IdText,
    parent_id: Option<IdText>,
}

impl Texts<'_> {
    fn of<'a>(run_id: &'a IdText, row: &UnitRow) -> Texts<'a> {
        let row = row.clone().safe();
        Texts {
            unit_id: IdText::of(row.unit_id),
            run_id,
            instance_id: IdText::of(row.instance_id),
            parent_id: row.parent_id.map(IdText::of),
            row,
        }
    }

    fn values(&self) -> [Value<'_>; 26] {
        let row = &self.row;
        [
            self.unit_id.value(),
            self.run_id.value(),
            (&row.path).into(),
            row.ordinal.into(),
            (&row.project).into(),
            self.instance_id.value(),
            (&row.workflow).into(),
            self.parent_id.as_ref().map_or(Value::Null, IdText::value),
            row.place.as_deref().unwrap_or("").into(),
            row.role.as_deref().unwrap_or("").into(),
            (&row.status).into(),
            row.reason.as_deref().into(),
            row.holder.as_deref().into(),
            row.fence.into(),
            row.interaction_count.into(),
            row.max_interactions.into(),
            row.child_count.into(),
            row.finished_child_count.into(),
            row.version.into(),
            (&row.hash).into(),
            row.priority.into(),
            row.created_at.into(),
            row.entered_at.into(),
            row.updated_at.into(),
            row.lease_micros.into(),
            row.due_at.into(),
        ]
    }
}

pub(super) fn put(connection: &mut impl Connection, runs: &[Writing<'_>]) -> Result<(), SqlError> {
    let texts: Vec<_> =
        rows_of(runs, |run| &run.units).map(|(id, row)| Texts::of(id, row)).collect();
    for round in rounds(&texts, |texts| texts.row.unit_id) {
        connection.execute_many(&PUT, round.into_iter().map(Texts::values))?;
    }
    Ok(())
}

pub(super) fn unit(row: &dyn Row) -> Result<UnitRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(UnitRow {
        unit_id: columns.id()?,
        run_id: columns.id()?,
        path: columns.text()?,
        ordinal: columns.int()?,
        project: columns.text()?,
        instance_id: columns.id()?,
        workflow: columns.text()?,
        parent_id: columns.opt_id()?,
        place: named(columns.text()?),
        role: named(columns.text()?),
        status: columns.text()?,
        reason: columns.opt_text()?,
        holder: columns.opt_text()?,
        fence: columns.int()?,
        interaction_count: columns.int()?,
        max_interactions: columns.opt_number()?,
        child_count: columns.int()?,
        finished_child_count: columns.int()?,
        version: columns.int()?,
        hash: columns.text()?,
        priority: columns.int()?,
        created_at: columns.time()?,
        entered_at: columns.time()?,
        updated_at: columns.time()?,
        lease_micros: columns.opt_int()?,
        due_at: columns.opt_time()?,
    })
}

fn named(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn count(row: &dyn Row) -> Result<UnitCount, StoreError> {
    let mut columns = Columns::of(row);
    let (status, place, workflow) = (columns.text()?, named(columns.text()?), columns.text()?);
    Ok(UnitCount { workflow, place, status, count: columns.int()? })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_unit(
        &self,
        project: &str,
        unit_id: Uuid,
    ) -> Result<Option<UnitRow>, StoreError> {
        let id = IdText::of(unit_id);
        let statement =
            Statement::assembled(format!("SELECT {COLUMNS} FROM unit WHERE unit_id = $1"));
        let found = self
            .0
            .read(|connection| Ok(all(connection, &statement, &[id.value()], unit)?.pop()))?;
        Ok(found.filter(|unit| unit.project == project))
    }

    pub(super) fn read_units(
        &self,
        project: &str,
        filter: &UnitFilter,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<UnitRow>, StoreError> {
        let filter = filter.clone().safe();
        let after = IdText::of(after.unwrap_or(Uuid::max()));
        let most = limit.saturating_add(1);
        self.0.read(|connection| {
            let rows = match unit_groups::instance_of(&filter) {
                Some(id) => unit_groups::newest(connection, project, id, &filter, &after, most)?,
                None => unit_list::newest(connection, project, &filter, &after, most)?,
            };
            Ok(page(rows, limit))
        })
    }

    pub(super) fn read_units_of_run(
        &self,
        run_id: Uuid,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Page<UnitRow>, StoreError> {
        let (id, after) = (IdText::of(run_id), after.map_or(-1, i64::from));
        let statement = Statement::assembled(format!(
            "SELECT {COLUMNS} FROM unit WHERE run_id = $1 AND ordinal > $2
              ORDER BY ordinal LIMIT $3"
        ));
        let values = [id.value(), after.into(), limit.saturating_add(1).into()];
        self.0.read(|connection| Ok(page(all(connection, &statement, &values, unit)?, limit)))
    }

    pub(super) fn count_units(&self, instance_id: Uuid) -> Result<Vec<UnitCount>, StoreError> {
        let id = IdText::of(instance_id);
        self.0.read(|connection| Ok(all(connection, &COUNTS, &[id.value()], count)?))
    }
}
