//! Lists of runs under way to their SQL.

use std::borrow::Cow;
use std::fmt::Write as _;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::RunStatus;

use super::read::Columns;
use super::{Connection, Row, SqlError, Statement, Value};
use crate::error::StoreError;
use crate::rows::RunFilter;

/// A run's id is made when somebody asks for it, which a list by time uses to begin and to end at the
/// right place. An id may be as much younger than its run as the clock is set back meanwhile.
const ID_YOUNGER_MILLIS: i64 = 1_000;
/// It may be as much older as a sub-run's order had to wait for a server.
const ID_OLDER_MILLIS: i64 = 24 * 3_600_000;

/// The first of all ids that could have been made at a time.
fn first_id_of(time: Time, slack: i64) -> String {
    let millis = (time.micros() / 1_000 + slack).clamp(0, (1 << 48) - 1);
    Uuid::from_u128(u128::try_from(millis).unwrap_or(0) << 80).to_string()
}

/// A list of runs under way to its SQL. Only fixed words and placeholders enter the text.
pub(super) struct ListQuery<'a> {
    /// What is read of each run.
    columns: &'static str,
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
    Text(Cow<'a, str>),
    Int(i64),
}

impl<'a> ListQuery<'a> {
    pub(super) fn new(
        columns: &'static str,
        project: &'a str,
        filter: &'a RunFilter,
        status: Option<RunStatus>,
        before: Option<Uuid>,
    ) -> ListQuery<'a> {
        let mut query = ListQuery {
            columns,
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
                "SELECT {columns} FROM run_label JOIN run ON run.run_id = run_label.run_id
                  WHERE run_label.project = {project} AND run_label.key = {key}
                    AND run_label.value = {value}"
            );
            "run_label.run_id"
        } else {
            let project = query.bind(project);
            let _ = write!(query.text, "SELECT {columns} FROM run WHERE run.project = {project}");
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

    fn bind(&mut self, value: impl Into<Cow<'a, str>>) -> String {
        self.values.push(Owned::Text(value.into()));
        format!("${}", self.values.len())
    }

    fn bind_int(&mut self, value: i64) -> String {
        self.values.push(Owned::Int(value));
        format!("${}", self.values.len())
    }

    /// Hands over the first runs.
    pub(super) fn run(
        &self,
        connection: &mut impl Connection,
        limit: usize,
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), SqlError> {
        let ListQuery { columns, text, order, .. } = self;
        let text = match (&self.wanted, self.look_at_most) {
            (None, _) => format!("{text} ORDER BY {order} DESC"),
            (Some(wanted), None) => format!("{text} AND {wanted} ORDER BY {order} DESC"),
            (Some(wanted), Some(most)) => format!(
                "SELECT {columns} FROM ({text} ORDER BY {order} DESC LIMIT {most}) AS run
                  WHERE {wanted} ORDER BY run.run_id DESC"
            ),
        };
        let statement = Statement::assembled(format!("{text} LIMIT ${}", self.values.len() + 1));
        let mut values = self.values();
        values.push(limit.into());
        connection.query(&statement, &values, each)
    }

    /// The first runs as a query within another one, with its values.
    pub(super) fn newest(&self, most: usize) -> (String, Vec<Value<'_>>) {
        let ListQuery { text, order, .. } = self;
        let mut values = self.values();
        values.push(most.into());
        (format!("{text} ORDER BY {order} DESC LIMIT ${}", values.len()), values)
    }

    /// The last run that is looked at, if there may be more behind it.
    pub(super) fn last_looked_at(
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
            last = Some(Columns::of(row).id()?);
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
