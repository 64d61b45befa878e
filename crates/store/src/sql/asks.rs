//! Steps that wait for somebody's word.

use serde_json::Value as Json;
use uuid::Uuid;
use windlass_core::Time;

use super::read::{Columns, all, page};
use super::waves::{Writing, rows_of};
use super::{Connection, Driver, IdText, Row, SqlError, SqlStore, Statement};
use crate::error::StoreError;
use crate::rows::{AskKey, AskRow, Page};
use crate::text::nul_safe;

static SET: Statement = Statement::new(
    "INSERT INTO ask (run_id, path, project, workflow, kind, name, detail, since, deadline)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (run_id, path) DO UPDATE
        SET kind = excluded.kind, name = excluded.name, detail = excluded.detail,
            since = excluded.since, deadline = excluded.deadline",
);

static CLEAR: Statement = Statement::new("DELETE FROM ask WHERE run_id = $1 AND path = $2");

static BY_TIME: Statement = Statement::new(
    "SELECT run_id, path, project, workflow, kind, name, detail, since, deadline FROM ask
      WHERE project = $1 AND kind = $2 AND (since, run_id, path) > ($3, $4, $5)
      ORDER BY since, run_id, path LIMIT $6",
);

static BY_NAME: Statement = Statement::new(
    "SELECT run_id, path, project, workflow, kind, name, detail, since, deadline FROM ask
      WHERE project = $1 AND kind = $2 AND (since, run_id, path) > ($3, $4, $5) AND name = $7
      ORDER BY since, run_id, path LIMIT $6",
);

pub(super) fn set(connection: &mut impl Connection, runs: &[Writing<'_>]) -> Result<(), SqlError> {
    let texts = rows_of(runs, |run| &run.asks_set)
        .map(|(id, ask)| (id, ask, nul_safe(&ask.name), ask.detail.to_string()));
    let texts: Vec<_> = texts.collect();
    let rows = texts.iter().map(|(id, ask, name, detail)| {
        [
            id.value(),
            (&ask.path).into(),
            (&ask.project).into(),
            (&ask.workflow).into(),
            (&ask.kind).into(),
            (&**name).into(),
            detail.into(),
            ask.since.into(),
            ask.deadline.into(),
        ]
    });
    connection.execute_many(&SET, rows)
}

pub(super) fn clear(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    let rows = rows_of(runs, |run| &run.asks_cleared).map(|(id, path)| [id.value(), path.into()]);
    connection.execute_many(&CLEAR, rows)
}

fn ask(row: &dyn Row) -> Result<AskRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(AskRow {
        run_id: columns.id()?,
        path: columns.text()?,
        project: columns.text()?,
        workflow: columns.text()?,
        kind: columns.text()?,
        name: columns.text()?,
        detail: columns.opt_json::<Json>()?.unwrap_or_default(),
        since: columns.time()?,
        deadline: columns.opt_time()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_asks(
        &self,
        project: &str,
        kind: &str,
        name: Option<&str>,
        after: Option<&AskKey>,
        limit: usize,
    ) -> Result<Page<AskRow>, StoreError> {
        let (since, run_id, path) = match after {
            None => (Time::from_micros(i64::MIN), Uuid::nil(), ""),
            Some(AskKey { since, run_id, path }) => (*since, *run_id, path.as_str()),
        };
        let run_id = IdText::of(run_id);
        let name = name.map(nul_safe);
        let mut values = vec![
            project.into(),
            kind.into(),
            since.into(),
            run_id.value(),
            path.into(),
            (limit + 1).into(),
        ];
        let statement = match &name {
            None => &BY_TIME,
            Some(name) => {
                values.push((&**name).into());
                &BY_NAME
            }
        };
        self.0.read(|connection| Ok(page(all(connection, statement, &values, ask)?, limit)))
    }
}
