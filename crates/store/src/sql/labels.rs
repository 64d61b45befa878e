//! Labels of runs: in the run's row to be read, in rows of their own to be found by.

use std::collections::BTreeMap;

use super::read::Columns;
use super::waves::Writing;
use super::{Connection, SqlError, Statement, Value, to_json};

static INSERT: Statement =
    Statement::new("INSERT INTO run_label (project, key, value, run_id) VALUES ($1, $2, $3, $4)");

static DELETE: Statement = Statement::new(
    "DELETE FROM run_label WHERE project = $1 AND key = $2 AND value = $3 AND run_id = $4",
);

static FIND: Statement = Statement::new("SELECT project, labels FROM run WHERE run_id = $1");

static UPDATE: Statement = Statement::new("UPDATE run SET labels = $1 WHERE run_id = $2");

/// The row of a label: project, key, value and run.
pub(super) type LabelRow<'a> = [Value<'a>; 4];

pub(super) fn insert<'a>(
    connection: &mut impl Connection,
    rows: impl Iterator<Item = LabelRow<'a>>,
) -> Result<(), SqlError> {
    connection.execute_many(&INSERT, rows)
}

pub(super) fn delete<'a>(
    connection: &mut impl Connection,
    rows: impl Iterator<Item = LabelRow<'a>>,
) -> Result<(), SqlError> {
    connection.execute_many(&DELETE, rows)
}

/// A run that gets labels, with those it has.
struct Labelled<'a> {
    writing: &'a Writing<'a>,
    project: String,
    earlier: BTreeMap<String, String>,
    labels: Option<String>,
}

impl Labelled<'_> {
    /// The labels that change, each with the value it has.
    fn changes(&self) -> impl Iterator<Item = (&String, &String, Option<&String>)> {
        let set = self.writing.run.labels_set.iter();
        set.map(|(key, value)| (key, value, self.earlier.get(key)))
            .filter(|(_, value, earlier)| *earlier != Some(*value))
    }

    fn row<'a>(&'a self, key: &'a String, value: &'a String) -> LabelRow<'a> {
        [(&self.project).into(), key.into(), value.into(), self.writing.id.value()]
    }
}

/// Sets labels of runs that are there already.
pub(super) fn set(connection: &mut impl Connection, runs: &[Writing<'_>]) -> Result<(), SqlError> {
    let is_set =
        |writing: &&Writing<'_>| !writing.run.labels_set.is_empty() && writing.run.create.is_none();
    let runs: Vec<&Writing<'_>> = runs.iter().filter(is_set).collect();
    let mut found = Vec::with_capacity(runs.len());
    connection.query_many(&FIND, runs.iter().map(|it| [it.id.value()]), &mut |place, row| {
        let mut columns = Columns::of(row);
        let (project, earlier) = (columns.text()?, columns.opt_json()?.unwrap_or_default());
        found.push(Labelled { writing: runs[place], project, earlier, labels: None });
        Ok(())
    })?;
    found.retain(|run| run.changes().next().is_some());
    for run in &mut found {
        let mut labels = run.earlier.clone();
        labels.extend(run.writing.run.labels_set.clone());
        run.labels = Some(to_json(&labels));
    }
    let rows = found.iter().map(|run| [run.labels.as_deref().into(), run.writing.id.value()]);
    connection.execute_many(&UPDATE, rows)?;
    let gone = found
        .iter()
        .flat_map(|run| run.changes().filter_map(|(key, _, earlier)| Some(run.row(key, earlier?))));
    delete(connection, gone)?;
    let new = found.iter().flat_map(|run| run.changes().map(|(key, value, _)| run.row(key, value)));
    insert(connection, new)
}
