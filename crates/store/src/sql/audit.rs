use super::read::{Columns, all, page};
use super::{Connection, Driver, Row, SqlStore, Statement, Value};
use crate::audit::{AuditEntry, AuditRow, chained};
use crate::error::StoreError;
use crate::rows::Page;

static LAST: Statement = Statement::new("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1");

static APPEND: Statement = Statement::new(
    "INSERT INTO audit (seq, at, project, principal, action, target, detail, previous_hash, hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
);

static BEHIND: Statement = Statement::new(
    "SELECT seq, at, project, principal, action, target, detail, previous_hash, hash
       FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2",
);

static OF_PROJECT: Statement = Statement::new(
    "SELECT seq, at, project, principal, action, target, detail, previous_hash, hash
       FROM audit WHERE seq > $1 AND project = $3 ORDER BY seq LIMIT $2",
);

fn audit_row(row: &dyn Row) -> Result<AuditRow, StoreError> {
    let mut columns = Columns::of(row);
    let seq = columns.int()?;
    let entry = AuditEntry {
        at: columns.time()?,
        project: columns.text()?,
        principal: columns.text()?,
        action: columns.text()?,
        target: columns.text()?,
        detail: columns.opt_text()?,
    };
    Ok(AuditRow { seq, entry, previous_hash: columns.text()?, hash: columns.text()? })
}

impl<D: Driver> SqlStore<D> {
    /// The last record is read in the transaction that writes the next ones: no other writer can
    /// come between, so the chain never forks.
    pub(super) fn insert_audit(&self, entries: &[AuditEntry]) -> Result<Vec<AuditRow>, StoreError> {
        let result = self.0.write(|connection| {
            let mut last = None;
            connection.query(&LAST, &[], &mut |row| {
                let mut columns = Columns::of(row);
                last = Some((columns.int()?, columns.text()?));
                Ok(())
            })?;
            let rows = chained(last, entries);
            connection.execute_many(
                &APPEND,
                rows.iter().map(|row| -> [Value<'_>; 9] {
                    [
                        row.seq.into(),
                        row.entry.at.into(),
                        (&row.entry.project).into(),
                        (&row.entry.principal).into(),
                        (&row.entry.action).into(),
                        (&row.entry.target).into(),
                        row.entry.detail.as_deref().into(),
                        (&row.previous_hash).into(),
                        (&row.hash).into(),
                    ]
                }),
            )?;
            Ok(rows)
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn list_audit(
        &self,
        project: Option<&str>,
        after: i64,
        limit: usize,
    ) -> Result<Page<AuditRow>, StoreError> {
        self.0.read(|connection| {
            let (after, most) = (after.into(), (limit + 1).into());
            let rows = match project {
                None => all(connection, &BEHIND, &[after, most], audit_row)?,
                Some(project) => {
                    all(connection, &OF_PROJECT, &[after, most, project.into()], audit_row)?
                }
            };
            Ok(page(rows, limit))
        })
    }
}
