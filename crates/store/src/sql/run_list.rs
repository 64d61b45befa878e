//! Lists of runs under way to their SQL.

use std::borrow::Cow;
use std::fmt::Write as _;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::RunStatus;

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

/// What a list is read by: an index that has its rows in the list's order. Whatever else the filter
/// asks for is looked at row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// The label at this place in the filter.
    Label(usize),
    /// The run's own columns: its parent, workflow, status, or nothing but its id.
    Run,
    /// How the runs of a workflow ended. This index has another order, so whoever reads by it reads all
    /// that ended like this: it is for few.
    Outcome(Uuid, RunStatus),
}

/// A list of runs under way to its SQL. Only fixed words and placeholders enter the text.
pub(super) struct ListQuery<'a> {
    /// Everything from `FROM` on but the order and the limit.
    text: String,
    order: &'static str,
    values: Vec<Owned<'a>>,
}

/// A value for a placeholder that may have been made for the query.
enum Owned<'a> {
    Text(Cow<'a, str>),
    Int(i64),
}

impl<'a> ListQuery<'a> {
    /// Those that the filter shows, whatever text it looks for, below `before`.
    pub(super) fn new(
        project: &'a str,
        filter: &'a RunFilter,
        status: Option<RunStatus>,
        before: Option<Uuid>,
        lead: Lead,
    ) -> ListQuery<'a> {
        let mut query = match lead {
            Lead::Label(place) => {
                let (key, value) = &filter.labels[place];
                let tables = "run_label JOIN run ON run.run_id = run_label.run_id";
                ListQuery::over(tables, project, key, value)
            }
            Lead::Run => {
                let (text, order) = (String::new(), "run.run_id");
                let mut query = ListQuery { text, order, values: Vec::new() };
                let project = query.bind(project);
                let _ = write!(query.text, "FROM run WHERE run.project = {project}");
                query
            }
            Lead::Outcome(workflow_id, status) => {
                let (text, order) = (String::new(), "run.run_id");
                let mut query = ListQuery { text, order, values: Vec::new() };
                let (project, ended) = (query.bind(project), query.ended(workflow_id, status));
                // SQLite does a join like this in the order in which it is written, and must not take
                // another index of `ended` for where the list ends: both ids are not one to it.
                query.text = format!(
                    "FROM run AS ended CROSS JOIN run
                      WHERE run.run_id = ended.run_id || '' AND run.project = {project} AND {ended}"
                );
                query
            }
        };
        for (place, (key, value)) in filter.labels.iter().enumerate() {
            if lead != Lead::Label(place) {
                let project = query.bind(project);
                let (key, value) = (query.bind(key.as_str()), query.bind(value.as_str()));
                let _ = write!(
                    query.text,
                    " AND EXISTS (SELECT 1 FROM run_label AS l WHERE l.project = {project}
                        AND l.key = {key} AND l.value = {value} AND l.run_id = run.run_id)"
                );
            }
        }
        query.and_of(filter.workflow_id, status);
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
            let after = query.bind_int(after.micros());
            let _ = write!(query.text, " AND run.created_at >= {after}");
        }
        if let Some(until) = filter.created_before {
            let until = query.bind_int(until.micros());
            let _ = write!(query.text, " AND run.created_at < {until}");
        }
        query.and_between(filter, before);
        query
    }

    /// All that have a label, by the label's index alone.
    pub(super) fn labelled(project: &'a str, key: &'a str, value: &'a str) -> ListQuery<'a> {
        ListQuery::over("run_label", project, key, value)
    }

    fn over(tables: &str, project: &'a str, key: &'a str, value: &'a str) -> ListQuery<'a> {
        let (text, order) = (String::new(), "run_label.run_id");
        let mut query = ListQuery { text, order, values: Vec::new() };
        let (project, key, value) = (query.bind(project), query.bind(key), query.bind(value));
        query.text = format!(
            "FROM {tables} WHERE run_label.project = {project} AND run_label.key = {key}
                AND run_label.value = {value}"
        );
        query
    }

    /// All that an index of the run's own columns finds at once.
    pub(super) fn indexed(workflow_id: Option<Uuid>, status: Option<RunStatus>) -> ListQuery<'a> {
        let (text, order) = ("FROM run WHERE TRUE".to_owned(), "run.run_id");
        let mut query = ListQuery { text, order, values: Vec::new() };
        query.and_of(workflow_id, status);
        query
    }

    /// Whether more than `few` runs of a workflow ended like this.
    pub(super) fn outcome_is_common(
        connection: &mut impl Connection,
        workflow_id: Uuid,
        status: RunStatus,
        few: usize,
    ) -> Result<bool, SqlError> {
        let mut query = ListQuery { text: String::new(), order: "", values: Vec::new() };
        let ended = query.ended(workflow_id, status);
        let text = format!("SELECT 1 FROM run AS ended WHERE {ended} LIMIT 1 OFFSET {few}");
        let mut is_common = false;
        connection.query(&Statement::assembled(text), &query.values(), &mut |_| {
            is_common = true;
            Ok(())
        })?;
        Ok(is_common)
    }

    /// What is asked of `run AS ended` to read it by how runs of a workflow ended.
    fn ended(&mut self, workflow_id: Uuid, status: RunStatus) -> String {
        let workflow_id = self.bind(workflow_id.to_string());
        format!(
            "ended.workflow_id = {workflow_id} AND ended.status = '{status}'
                AND ended.finished_at IS NOT NULL"
        )
    }

    fn and_of(&mut self, workflow_id: Option<Uuid>, status: Option<RunStatus>) {
        if let Some(status) = status {
            // SQLite takes a partial index only if its condition stands in the query word for word.
            let _ = write!(self.text, " AND run.status = '{status}'");
            self.text.push_str(match status {
                RunStatus::Succeeded => "",
                RunStatus::Failed | RunStatus::Cancelled => {
                    " AND run.status IN ('failed', 'cancelled')"
                }
                _ => " AND run.status IN ('queued', 'running', 'waiting', 'paused')",
            });
        }
        if let Some(workflow_id) = workflow_id {
            let workflow_id = self.bind(workflow_id.to_string());
            let _ = write!(self.text, " AND run.workflow_id = {workflow_id}");
        }
    }

    /// Where the list begins and ends. Of two ends only the nearer one is named: a database may begin
    /// at the other.
    pub(super) fn and_between(&mut self, filter: &RunFilter, before: Option<Uuid>) {
        let order = self.order;
        if let Some(after) = filter.created_after {
            let earliest = self.bind(first_id_of(after, -ID_OLDER_MILLIS));
            let _ = write!(self.text, " AND {order} >= {earliest}");
        }
        let latest = filter.created_before.map(|until| first_id_of(until, ID_YOUNGER_MILLIS));
        let ends = latest.into_iter().chain(before.map(|before| before.to_string()));
        if let Some(end) = ends.min() {
            let end = self.bind(end);
            let _ = write!(self.text, " AND {order} < {end}");
        }
    }

    pub(super) fn bind(&mut self, value: impl Into<Cow<'a, str>>) -> String {
        self.values.push(Owned::Text(value.into()));
        format!("${}", self.values.len())
    }

    fn bind_int(&mut self, value: i64) -> String {
        self.values.push(Owned::Int(value));
        format!("${}", self.values.len())
    }

    /// Hands over some columns of the first runs.
    pub(super) fn run(
        &self,
        connection: &mut impl Connection,
        columns: &str,
        limit: usize,
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), SqlError> {
        let (text, values) = self.newest(columns, limit);
        connection.query(&Statement::assembled(text), &values, each)
    }

    /// The first runs as a query within another one, with its values.
    pub(super) fn newest(&self, columns: &str, most: usize) -> (String, Vec<Value<'_>>) {
        let ListQuery { text, order, .. } = self;
        let mut values = self.values();
        values.push(most.into());
        let limit = values.len();
        (format!("SELECT {columns} {text} ORDER BY {order} DESC LIMIT ${limit}"), values)
    }

    /// The id at a place of the list, from 0.
    pub(super) fn id_at(
        &self,
        connection: &mut impl Connection,
        place: usize,
    ) -> Result<Option<String>, SqlError> {
        let ListQuery { text, order, .. } = self;
        let text = format!("SELECT {order} {text} ORDER BY {order} DESC LIMIT 1 OFFSET {place}");
        let mut id = None;
        connection.query(&Statement::assembled(text), &self.values(), &mut |row| {
            id = row.text(0)?;
            Ok(())
        })?;
        Ok(id)
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
