//! Runs: finding one, listing many, bringing one back to memory.

use uuid::Uuid;
use windlass_core::run::RunStatus;

use super::commit::prove_epoch;
use super::read::Columns;
use super::run_list::ListQuery;
use super::run_search::{lead, search};
use super::{
    Connection, Driver, IdText, Row, SqlError, SqlStore, Statement, Value, journal, logs, steps,
};
use crate::error::StoreError;
use crate::rows::{KeyRow, Overview, RunFilter, RunPage, RunRow, StoredRun};

pub(super) const COLUMNS: &str = "run.run_id, run.project, run.workflow_id, run.workflow, run.version,
    run.definition_id, run.status, run.reason, run.error, run.labels, run.external_id,
    run.rerun_of, run.parent_run_id, run.parent_step, run.depth, run.concurrency_key,
    run.concurrency_limit, run.priority, run.created_by, run.created_at, run.started_at, run.finished_at, run.last_seq, run.counts,
    run.owner";

static RUN_CALLED: Statement =
    Statement::new("SELECT run_id FROM run WHERE project = $1 AND external_id = $2");

/// In the words of the index `run_open`, so that the planner sees that it applies.
static ORPHANS: Statement = Statement::new(
    "SELECT run_id FROM run
      WHERE status IN ('queued', 'running', 'waiting', 'paused') AND status IN ('queued', 'running')
        AND owner < $1 AND run_id > $2
      ORDER BY run_id LIMIT $3",
);

static FIND_KEY: Statement = Statement::new(
    "SELECT run_id, request_hash FROM idempotency_key
      WHERE project = $1 AND route = $2 AND key = $3",
);

static PRUNE_KEYS: Statement = Statement::new(
    "DELETE FROM idempotency_key WHERE (project, route, key) IN
        (SELECT project, route, key FROM idempotency_key WHERE used_at < $1
          ORDER BY used_at LIMIT $2)",
);

pub(super) fn run_row(row: &dyn Row) -> Result<RunRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(RunRow {
        run_id: columns.id()?,
        project: columns.text()?,
        workflow_id: columns.id()?,
        workflow: columns.text()?,
        version: columns.int()?,
        definition_id: columns.id()?,
        status: columns.word(RunStatus::parse)?,
        reason: columns.opt_text()?,
        error: columns.opt_json()?,
        labels: columns.opt_json()?.unwrap_or_default(),
        external_id: columns.opt_text()?,
        rerun_of: columns.opt_id()?,
        parent: columns.parent()?,
        concurrency: columns.concurrency()?,
        priority: columns.priority()?,
        created_by: columns.opt_text()?,
        created_at: columns.time()?,
        started_at: columns.opt_time()?,
        finished_at: columns.opt_time()?,
        last_seq: columns.int()?,
        counts: columns.json()?,
        owner: columns.int()?,
    })
}

fn by_id(connection: &mut impl Connection, id: &IdText) -> Result<Option<RunRow>, SqlError> {
    let statement = Statement::assembled(format!("SELECT {COLUMNS} FROM run WHERE run_id = $1"));
    one(connection, &statement, &[id.value()])
}

/// What the row of a run that goes on says of late, as it is now.
fn up_to_date(connection: &mut impl Connection, row: RunRow) -> Result<RunRow, SqlError> {
    if row.status.is_terminal() {
        return Ok(row);
    }
    let id = IdText::of(row.run_id);
    let last_seq = journal::last_seq(connection, &id)?;
    let counts = steps::count(connection, &id, row.counts.total())?;
    Ok(RunRow { last_seq, counts, ..row })
}

fn one(
    connection: &mut impl Connection,
    statement: &Statement,
    values: &[Value<'_>],
) -> Result<Option<RunRow>, SqlError> {
    let mut found = None;
    connection.query(statement, values, &mut |row| {
        found = Some(run_row(row)?);
        Ok(())
    })?;
    Ok(found)
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_stored_run(
        &self,
        run_id: Uuid,
        state_version: u32,
    ) -> Result<Option<StoredRun>, StoreError> {
        let id = IdText::of(run_id);
        self.0.read(|connection| {
            let Some(row) = by_id(connection, &id)? else { return Ok(None) };
            let row = up_to_date(connection, row)?;
            let snapshot = journal::find_snapshot(connection, &id, state_version)?;
            let after = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
            let events = journal::events_behind(
                connection,
                self.0.blobs(),
                &id,
                after,
                usize::MAX,
                usize::MAX,
            )?
            .items;
            let last_log_seq = logs::last_log_seq(connection, &id)?;
            Ok(Some(StoredRun { row, snapshot, events, last_log_seq }))
        })
    }

    pub(super) fn read_orphans(
        &self,
        epoch: i64,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>, StoreError> {
        let after = IdText::of(after.unwrap_or(Uuid::nil()));
        self.0.read(|connection| {
            let mut found = Vec::new();
            let values = [epoch.into(), after.value(), limit.into()];
            connection.query(&ORPHANS, &values, &mut |row| {
                found.push(Columns::of(row).id()?);
                Ok(())
            })?;
            Ok(found)
        })
    }

    pub(super) fn read_run(&self, project: &str, word: &str) -> Result<Option<RunRow>, StoreError> {
        self.0.read(|connection| {
            if let Ok(run_id) = Uuid::parse_str(word) {
                let run = by_id(connection, &IdText::of(run_id))?;
                if let Some(run) = run.filter(|run| run.project == project) {
                    return Ok(Some(up_to_date(connection, run)?));
                }
            }
            let statement = Statement::assembled(format!(
                "SELECT {COLUMNS} FROM run WHERE project = $1 AND external_id = $2"
            ));
            match one(connection, &statement, &[project.into(), word.into()])? {
                Some(run) => Ok(Some(up_to_date(connection, run)?)),
                None => Ok(None),
            }
        })
    }

    pub(super) fn read_runs_called(
        &self,
        project: &str,
        names: &[String],
    ) -> Result<Vec<(String, Uuid)>, StoreError> {
        self.0.read(|connection| {
            let mut found = Vec::new();
            for name in names {
                connection.query(&RUN_CALLED, &[project.into(), name.into()], &mut |row| {
                    found.push((name.clone(), Columns::of(row).id()?));
                    Ok(())
                })?;
            }
            Ok(found)
        })
    }

    pub(super) fn read_overview(
        &self,
        run_id: Uuid,
        step_limit: usize,
    ) -> Result<Option<Overview>, StoreError> {
        let id = IdText::of(run_id);
        // One read is one transaction: what it finds is of one moment.
        self.0.read(|connection| {
            let Some(row) = by_id(connection, &id)? else { return Ok(None) };
            let row = up_to_date(connection, row)?;
            let steps = steps::behind(connection, &id, None, step_limit)?;
            let last_log_seq = logs::last_log_seq(connection, &id)?;
            Ok(Some(Overview { row, steps, last_log_seq }))
        })
    }

    /// One query for each status: a partial index answers each in the list's order, where one query
    /// for all of them would have to sort.
    pub(super) fn read_runs(
        &self,
        project: &str,
        filter: &RunFilter,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<RunPage, StoreError> {
        let statuses: Vec<Option<RunStatus>> = match filter.statuses.as_slice() {
            [] => vec![None],
            some => some.iter().copied().map(Some).collect(),
        };
        self.0.read(|connection| {
            let mut found: Vec<RunRow> = Vec::new();
            let mut given_up = None;
            let limit = limit.saturating_add(1);
            for status in &statuses {
                if let Some(text) = &filter.text {
                    let (runs, ends_at) =
                        search(connection, project, filter, (*status, text), before, limit)?;
                    // Of several, the one that has come least far says how far the page goes.
                    given_up = given_up.max(ends_at);
                    found.extend(runs);
                    continue;
                }
                let lead = lead(connection, project, filter, *status, before)?;
                let query = ListQuery::new(project, filter, *status, before, lead);
                query.run(connection, COLUMNS, limit, &mut |row| {
                    found.push(run_row(row)?);
                    Ok(())
                })?;
            }
            found.sort_by_key(|run| std::cmp::Reverse(run.run_id));
            found.dedup_by_key(|run| run.run_id);
            Ok(RunPage::cut(found, limit - 1, given_up))
        })
    }

    pub(super) fn read_key(
        &self,
        project: &str,
        route: &str,
        key: &str,
    ) -> Result<Option<KeyRow>, StoreError> {
        self.0.read(|connection| {
            let mut found = None;
            let values = [project.into(), route.into(), key.into()];
            connection.query(&FIND_KEY, &values, &mut |row| {
                let mut columns = Columns::of(row);
                found = Some(KeyRow { run_id: columns.id()?, request_hash: columns.text()? });
                Ok(())
            })?;
            Ok(found)
        })
    }

    pub(super) fn delete_keys(
        &self,
        epoch: i64,
        before: windlass_core::Time,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let delete = |connection: &mut D::Connection<'_>| {
            prove_epoch(connection, epoch)?;
            connection.execute(&PRUNE_KEYS, &[before.into(), limit.into()])
        };
        self.0.write(delete).map_err(StoreError::from)
    }
}
