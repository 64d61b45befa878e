//! Requests to people to step in.

use std::fmt::Write as _;

use uuid::Uuid;

use super::read::{Columns, all, page};
use super::waves::{Writing, rounds, rows_of};
use super::{Connection, Driver, IdText, Row, SqlError, SqlStore, Statement, Value};
use crate::error::StoreError;
use crate::rows::Page;
use crate::tokens::{InterventionFilter, InterventionMetrics, InterventionRow, TOP};

static PUT: Statement = Statement::new(
    "INSERT INTO intervention (request_id, project, instance_id, run_id, unit_id, path, kind, status,
                               priority, urgency, title, description, context, required_role,
                               assigned_to, created_at, expires_at, updated_at, action_by,
                               action_reason, action_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
             $20, $21)
     ON CONFLICT (request_id) DO UPDATE
        SET status = excluded.status, expires_at = excluded.expires_at,
            updated_at = excluded.updated_at,
            action_by = excluded.action_by, action_reason = excluded.action_reason,
            action_at = excluded.action_at",
);

const COLUMNS: &str = "request_id, project, instance_id, run_id, unit_id, path, kind, status,
    priority, title, description, context, required_role, assigned_to, created_at, expires_at,
    updated_at, action_by, action_reason, action_at";

/// Sums of whole numbers are numerics in Postgres unless they are told otherwise.
static SUMS: Statement = Statement::new(
    "SELECT status, kind, priority, COUNT(*), COUNT(action_at),
            CAST(SUM(action_at - created_at) AS BIGINT)
       FROM intervention WHERE project = $1 GROUP BY status, kind, priority",
);

static ANSWERERS: Statement = Statement::new(
    "SELECT action_by, COUNT(*) FROM intervention
      WHERE project = $1 AND action_by IS NOT NULL AND status <> 'EXPIRED'
      GROUP BY action_by ORDER BY COUNT(*) DESC, action_by LIMIT $2",
);

/// The texts of a row that are not at hand as they are written.
struct Texts<'a> {
    row: InterventionRow,
    request_id: IdText,
    instance_id: IdText,
    run_id: &'a IdText,
    unit_id: IdText,
    context: String,
}

impl Texts<'_> {
    fn of<'a>(run_id: &'a IdText, row: &InterventionRow) -> Texts<'a> {
        let row = row.clone().safe();
        Texts {
            request_id: IdText::of(row.request_id),
            instance_id: IdText::of(row.instance_id),
            run_id,
            unit_id: IdText::of(row.unit_id),
            context: row.context.to_string(),
            row,
        }
    }

    fn values(&self) -> [Value<'_>; 21] {
        let row = &self.row;
        [
            self.request_id.value(),
            (&row.project).into(),
            self.instance_id.value(),
            self.run_id.value(),
            self.unit_id.value(),
            (&row.path).into(),
            (&row.kind).into(),
            (&row.status).into(),
            (&row.priority).into(),
            row.rank().into(),
            (&row.title).into(),
            (&row.description).into(),
            (&self.context).into(),
            (&row.required_role).into(),
            row.assigned_to.as_deref().into(),
            row.created_at.into(),
            row.expires_at.into(),
            row.updated_at.into(),
            row.action_by.as_deref().into(),
            row.action_reason.as_deref().into(),
            row.action_at.into(),
        ]
    }
}

pub(super) fn put(connection: &mut impl Connection, runs: &[Writing<'_>]) -> Result<(), SqlError> {
    let texts: Vec<_> =
        rows_of(runs, |run| &run.interventions).map(|(id, row)| Texts::of(id, row)).collect();
    for round in rounds(&texts, |texts| texts.row.request_id) {
        connection.execute_many(&PUT, round.into_iter().map(Texts::values))?;
    }
    Ok(())
}

fn intervention(row: &dyn Row) -> Result<InterventionRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(InterventionRow {
        request_id: columns.id()?,
        project: columns.text()?,
        instance_id: columns.id()?,
        run_id: columns.id()?,
        unit_id: columns.id()?,
        path: columns.text()?,
        kind: columns.text()?,
        status: columns.text()?,
        priority: columns.text()?,
        title: columns.text()?,
        description: columns.text()?,
        context: columns.json()?,
        required_role: columns.text()?,
        assigned_to: columns.opt_text()?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
        updated_at: columns.time()?,
        action_by: columns.opt_text()?,
        action_reason: columns.opt_text()?,
        action_at: columns.opt_time()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_intervention(
        &self,
        project: &str,
        request_id: Uuid,
    ) -> Result<Option<InterventionRow>, StoreError> {
        let id = IdText::of(request_id);
        let text = format!("SELECT {COLUMNS} FROM intervention WHERE request_id = $1");
        let statement = Statement::assembled(text);
        let found = self.0.read(|connection| {
            Ok(all(connection, &statement, &[id.value()], intervention)?.pop())
        })?;
        Ok(found.filter(|row| row.project == project))
    }

    pub(super) fn read_interventions(
        &self,
        project: &str,
        filter: &InterventionFilter,
        limit: usize,
        offset: usize,
    ) -> Result<Page<InterventionRow>, StoreError> {
        let filter = filter.clone().safe();
        let (unit, instance) = (filter.unit_id.map(IdText::of), filter.instance_id.map(IdText::of));
        let conditions = [
            ("unit_id", unit.as_ref().map(IdText::value)),
            ("instance_id", instance.as_ref().map(IdText::value)),
            ("project", Some(project.into())),
            ("status", filter.status.as_deref().map(Value::from)),
            ("kind", filter.kind.as_deref().map(Value::from)),
            ("assigned_to", filter.assigned_to.as_deref().map(Value::from)),
        ];
        let set = conditions.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let set: Vec<_> = set.collect();
        let leading = set.first().map_or("", |(name, _)| *name);
        let mut text = format!("SELECT {COLUMNS} FROM intervention WHERE 1 = 1");
        let mut values = Vec::new();
        for (name, value) in set {
            values.push(value);
            // As in the list of units: an expression keeps the database from a worse index. The
            // status is the next column of two of them.
            let leads = name == leading || (leading != "unit_id" && name == "status");
            let column = if leads { name.to_owned() } else { format!("{name} || ''") };
            let _ = write!(text, " AND {column} = ${}", values.len());
        }
        let (most, skip) = (values.len() + 1, values.len() + 2);
        let _ =
            write!(text, " ORDER BY urgency, created_at, request_id LIMIT ${most} OFFSET ${skip}");
        values.extend([Value::from(limit.saturating_add(1)), Value::from(offset)]);
        let statement = Statement::assembled(text);
        self.0
            .read(|connection| Ok(page(all(connection, &statement, &values, intervention)?, limit)))
    }

    pub(super) fn sum_interventions(
        &self,
        project: &str,
    ) -> Result<InterventionMetrics, StoreError> {
        self.0.read(|connection| {
            let mut metrics = InterventionMetrics::default();
            let (mut answered, mut spent) = (0_i64, 0_i64);
            connection.query(&SUMS, &[project.into()], &mut |row| {
                let mut columns = Columns::of(row);
                let (status, kind, priority) = (columns.text()?, columns.text()?, columns.text()?);
                metrics.count(status, kind, priority, columns.int()?);
                answered += columns.int::<i64>()?;
                spent = spent.saturating_add(columns.opt_int()?.unwrap_or(0));
                Ok(())
            })?;
            metrics.mean_resolution_micros = (answered > 0).then(|| spent / answered);
            let answerer = |row: &dyn Row| {
                let mut columns = Columns::of(row);
                Ok((columns.text()?, columns.int()?))
            };
            metrics.top = all(connection, &ANSWERERS, &[project.into(), TOP.into()], answerer)?;
            Ok(metrics)
        })
    }
}
