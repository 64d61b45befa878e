//! What analytics read: many runs with little of each, and sums over their steps.

use std::time::Duration;

use serde::Deserialize;
use uuid::Uuid;
use windlass_core::run::RunStatus;

use super::read::Columns;
use super::run_list::{Lead, ListQuery};
use super::{Connection, Driver, Row, SqlStore, Statement};
use crate::analytics::{KindSum, RunGlance, ScanFilter};
use crate::error::StoreError;
use crate::rows::RunFilter;

/// Of an error only where it counts: it is the largest thing in a row.
const GLANCE: &str = "run.run_id, run.workflow_id, run.workflow, run.status, run.created_at,
    run.started_at, run.finished_at, CASE WHEN run.status = 'failed' THEN run.error END";

/// Runs that are read at once: one of the databases hands over a whole answer, which must not be as
/// large as a table.
const RUNS_A_TURN: usize = 10_000;

fn glance(row: &dyn Row) -> Result<RunGlance, StoreError> {
    #[derive(Deserialize)]
    struct Error {
        message: String,
    }
    let mut columns = Columns::of(row);
    Ok(RunGlance {
        run_id: columns.id()?,
        workflow_id: columns.id()?,
        workflow: columns.text()?,
        status: columns.word(RunStatus::parse)?,
        created_at: columns.time()?,
        started_at: columns.opt_time()?,
        finished_at: columns.opt_time()?,
        error: columns.opt_json::<Error>()?.map(|error| error.message),
    })
}

fn kind_sum(row: &dyn Row) -> Result<KindSum, StoreError> {
    let mut columns = Columns::of(row);
    Ok(KindSum {
        kind: columns.text()?,
        steps: columns.int()?,
        succeeded: columns.int()?,
        failed: columns.int()?,
        total: Duration::from_micros(columns.int()?),
        timed: columns.int()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_glances(
        &self,
        project: &str,
        filter: &ScanFilter,
        at_most: usize,
        each: &mut dyn FnMut(RunGlance),
    ) -> Result<bool, StoreError> {
        let filter = runs_of(filter);
        self.0.read(|connection| {
            let (mut left, mut before): (usize, Option<Uuid>) = (at_most, None);
            loop {
                let query = ListQuery::new(project, &filter, None, before, Lead::Run);
                let asked = RUNS_A_TURN.min(left.saturating_add(1));
                let mut read = 0;
                query.run(connection, GLANCE, asked, &mut |row| {
                    read += 1;
                    if read <= left {
                        let glance = glance(row)?;
                        before = Some(glance.run_id);
                        each(glance);
                    }
                    Ok(())
                })?;
                match read {
                    read if read > left => return Ok(true),
                    read if read < asked => return Ok(false),
                    read => left -= read,
                }
            }
        })
    }

    pub(super) fn read_kind_sums(
        &self,
        project: &str,
        filter: &ScanFilter,
        at_most: usize,
    ) -> Result<Vec<KindSum>, StoreError> {
        let filter = runs_of(filter);
        let runs = ListQuery::new(project, &filter, None, None, Lead::Run);
        let (text, values) = runs.newest("run.run_id", at_most);
        // A clock that was set back must not make time of others disappear.
        let statement = Statement::assembled(format!(
            "SELECT step.kind, COUNT(*),
                    COUNT(CASE WHEN step.status = 'succeeded' THEN 1 END),
                    COUNT(CASE WHEN step.status = 'failed' THEN 1 END),
                    CAST(SUM(CASE WHEN step.finished_at > step.started_at
                                  THEN step.finished_at - step.started_at ELSE 0 END) AS BIGINT),
                    COUNT(step.finished_at - step.started_at)
               FROM ({text}) AS looked_at JOIN step ON step.run_id = looked_at.run_id
              GROUP BY step.kind ORDER BY step.kind"
        ));
        self.0.read(|connection| {
            let mut sums = Vec::new();
            connection.query(&statement, &values, &mut |row| {
                sums.push(kind_sum(row)?);
                Ok(())
            })?;
            Ok(sums)
        })
    }
}

fn runs_of(filter: &ScanFilter) -> RunFilter {
    RunFilter {
        workflow_id: filter.workflow_id,
        created_after: filter.from,
        created_before: filter.until,
        ..RunFilter::default()
    }
}
