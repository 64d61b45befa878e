//! Runs: finding one, listing many, bringing one back to memory.

use std::fmt::Write as _;

use uuid::Uuid;
use windlass_core::run::RunStatus;

use super::commit::prove_epoch;
use super::read::Columns;
use super::{
    Connection, Driver, IdText, Row, SqlError, SqlStore, Statement, Value, journal, steps,
};
use crate::error::StoreError;
use crate::rows::{KeyRow, Overview, RunFilter, RunPage, RunRow, StoredRun};

const COLUMNS: &str = "run.run_id, run.project, run.workflow_id, run.workflow, run.version,
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

fn run_row(row: &dyn Row) -> Result<RunRow, StoreError> {
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
            let last_log_seq = journal::last_log_seq(connection, &id)?;
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
            let last_log_seq = journal::last_log_seq(connection, &id)?;
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
            for status in &statuses {
                let query = ListQuery::new(project, filter, *status, before);
                if let Some(most) = filter.look_at_most.filter(|_| filter.text.is_some()) {
                    // Of several, the one that has come least far says how far the page goes.
                    given_up = given_up.max(query.last_looked_at(connection, most)?);
                }
                query.run(connection, limit.saturating_add(1), &mut |row| {
                    found.push(run_row(row)?);
                    Ok(())
                })?;
            }
            found.sort_by_key(|run| std::cmp::Reverse(run.run_id));
            found.dedup_by_key(|run| run.run_id);
            Ok(RunPage::cut(found, limit, given_up))
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

/// A run's id is made when somebody asks for it, which a list by time uses to begin and to end at the
/// right place. An id may be as much younger than its run as the clock is set back meanwhile.
const ID_YOUNGER_MILLIS: i64 = 1_000;
/// It may be as much older as a sub-run's order had to wait for a server.
const ID_OLDER_MILLIS: i64 = 24 * 3_600_000;

/// The first of all ids that could have been made at a time.
fn first_id_of(time: windlass_core::Time, slack: i64) -> String {
    let millis = (time.micros() / 1_000 + slack).clamp(0, (1 << 48) - 1);
    Uuid::from_u128(u128::try_from(millis).unwrap_or(0) << 80).to_string()
}

/// A list of runs under way to its SQL. Only fixed words and placeholders enter the text.
struct ListQuery<'a> {
    /// Everything but the text that is looked for, the order and the limit.
    text: String,
    order: &'static str,
    /// What a row has to say, if a text is looked for.
    wanted: Option<String>,
    look_at_most: Option<usize>,
    values: Vec<Owned<'a>>,
}

/// A value for a placeholder that may have been made for the query.
enum Owned<'a> {
    Text(std::borrow::Cow<'a, str>),
    Int(i64),
}

impl<'a> ListQuery<'a> {
    fn new(
        project: &'a str,
        filter: &'a RunFilter,
        status: Option<RunStatus>,
        before: Option<Uuid>,
    ) -> ListQuery<'a> {
        let mut query = ListQuery {
            text: String::new(),
            order: "run.run_id",
            wanted: None,
            look_at_most: filter.look_at_most,
            values: Vec::new(),
        };
        let mut labels = filter.labels.iter();
        // The first label leads, since its rows are in the list's order; the others are looked up.
        let order = if let Some((key, value)) = labels.next() {
            let project = query.bind(project);
            let (key, value) = (query.bind(key.as_str()), query.bind(value.as_str()));
            let _ = write!(
                query.text,
                "SELECT {COLUMNS} FROM run_label JOIN run ON run.run_id = run_label.run_id
                  WHERE run_label.project = {project} AND run_label.key = {key}
                    AND run_label.value = {value}"
            );
            "run_label.run_id"
        } else {
            let project = query.bind(project);
            let _ = write!(query.text, "SELECT {COLUMNS} FROM run WHERE run.project = {project}");
            "run.run_id"
        };
        for (key, value) in labels {
            let project = query.bind(project);
            let (key, value) = (query.bind(key.as_str()), query.bind(value.as_str()));
            let _ = write!(
                query.text,
                " AND EXISTS (SELECT 1 FROM run_label AS l WHERE l.project = {project}
                    AND l.key = {key} AND l.value = {value} AND l.run_id = run.run_id)"
            );
        }
        if let Some(status) = status {
            // SQLite takes a partial index only if its condition stands in the query word for word.
            let _ = write!(query.text, " AND run.status = '{status}'");
            query.text.push_str(match status {
                RunStatus::Succeeded => "",
                RunStatus::Failed | RunStatus::Cancelled => {
                    " AND run.status IN ('failed', 'cancelled')"
                }
                _ => " AND run.status IN ('queued', 'running', 'waiting', 'paused')",
            });
        }
        if let Some(workflow_id) = filter.workflow_id {
            let workflow_id = query.bind(workflow_id.to_string());
            let _ = write!(query.text, " AND run.workflow_id = {workflow_id}");
        }
        if let Some(parent) = filter.parent {
            let parent = query.bind(parent.to_string());
            let _ = write!(query.text, " AND run.parent_run_id = {parent}");
        }
        if filter.is_unrepeated {
            query.text.push_str(
                " AND NOT EXISTS (SELECT 1 FROM run AS heir WHERE heir.rerun_of = run.run_id)",
            );
        }
        if let Some(after) = filter.created_after {
            let earliest = query.bind(first_id_of(after, -ID_OLDER_MILLIS));
            let after = query.bind_int(after.micros());
            let _ = write!(query.text, " AND run.created_at >= {after} AND {order} >= {earliest}");
        }
        if let Some(until) = filter.created_before {
            let latest = query.bind(first_id_of(until, ID_YOUNGER_MILLIS));
            let until = query.bind_int(until.micros());
            let _ = write!(query.text, " AND run.created_at < {until} AND {order} < {latest}");
        }
        if let Some(before) = before {
            let before = query.bind(before.to_string());
            let _ = write!(query.text, " AND {order} < {before}");
        }
        query.order = order;
        if let Some(text) = &filter.text {
            let pattern = query.bind(like_pattern(text));
            query.wanted = Some(format!(
                "(LOWER(run.workflow) LIKE {pattern} ESCAPE '!'
                    OR run.run_id LIKE {pattern} ESCAPE '!'
                    OR LOWER(run.external_id) LIKE {pattern} ESCAPE '!'
                    OR LOWER(run.error) LIKE {pattern} ESCAPE '!')"
            ));
        }
        query
    }

    fn bind(&mut self, value: impl Into<std::borrow::Cow<'a, str>>) -> String {
        self.values.push(Owned::Text(value.into()));
        format!("${}", self.values.len())
    }

    fn bind_int(&mut self, value: i64) -> String {
        self.values.push(Owned::Int(value));
        format!("${}", self.values.len())
    }

    fn run(
        &self,
        connection: &mut impl Connection,
        limit: usize,
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), SqlError> {
        let ListQuery { text, order, .. } = self;
        let text = match (&self.wanted, self.look_at_most) {
            (None, _) => format!("{text} ORDER BY {order} DESC"),
            (Some(wanted), None) => format!("{text} AND {wanted} ORDER BY {order} DESC"),
            (Some(wanted), Some(most)) => format!(
                "SELECT {COLUMNS} FROM ({text} ORDER BY {order} DESC LIMIT {most}) AS run
                  WHERE {wanted} ORDER BY run.run_id DESC"
            ),
        };
        let statement = Statement::assembled(format!("{text} LIMIT ${}", self.values.len() + 1));
        let mut values = self.values();
        values.push(limit.into());
        connection.query(&statement, &values, each)
    }

    /// The last run that is looked at, if there may be more behind it.
    fn last_looked_at(
        &self,
        connection: &mut impl Connection,
        most: usize,
    ) -> Result<Option<Uuid>, SqlError> {
        let ListQuery { text, order, .. } = self;
        let text =
            format!("{text} ORDER BY {order} DESC LIMIT 1 OFFSET {}", most.saturating_sub(1));
        let mut values = self.values();
        // The text that is looked for comes last, and has no place here.
        values.pop();
        let mut last = None;
        connection.query(&Statement::assembled(text), &values, &mut |row| {
            last = Some(run_row(row)?.run_id);
            Ok(())
        })?;
        Ok(last)
    }

    fn values(&self) -> Vec<Value<'_>> {
        let values = self.values.iter().map(|value| match value {
            Owned::Text(text) => Value::Text(text),
            Owned::Int(int) => Value::Int(*int),
        });
        values.collect()
    }
}

/// A pattern that finds `text` anywhere, with what `LIKE` would take for wildcards escaped.
pub(super) fn like_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_ascii_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
