//! Copying everything from one database to another, table by table.
//!
//! Which tables there are, and of which columns, is read from the migrations: none is forgotten.

use super::migrate::{self, MIGRATIONS};
use super::read::{Columns, all};
use super::{Connection, Driver, Row, SqlError, Statement, Value, logs};
use crate::error::StoreError;
use crate::place::TableCount;

/// Rows that are on their way at once.
const ROWS_A_TURN: usize = 500;

/// The table of log lines, and the place of a line's text.
const LINES: &str = "log_line";
const LINE_TEXT: usize = 7;

/// A table as the migrations make it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    name: String,
    /// With whether it is text, or else a number.
    columns: Vec<(String, bool)>,
    /// The places of the columns that tell a row from all others.
    key: Vec<usize>,
}

/// A value on its way.
enum Cell {
    Text(String),
    Int(i64),
    Null,
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Cell::Text(text) => Value::Text(text),
            Cell::Int(value) => Value::Int(*value),
            Cell::Null => Value::Null,
        }
    }
}

/// Copies all rows in one transaction of the target, as they are at one moment in the source.
///
/// # Errors
///
/// [`StoreError::CannotOpen`] if the target has rows already.
pub(crate) fn copy<A: Driver, B: Driver>(
    source: &A,
    target: &B,
) -> Result<Vec<TableCount>, StoreError> {
    let tables = tables();
    let result = target.write(|target| {
        must_be_empty(target)?;
        let copied = source
            .read(|source| tables.iter().map(|table| copy_table(source, target, table)).collect());
        Ok(copied?)
    });
    result.map_err(StoreError::from)
}

/// # Errors
///
/// [`StoreError::CannotOpen`] if a table has rows.
pub(crate) fn must_be_empty(connection: &mut impl Connection) -> Result<(), StoreError> {
    match counts(connection)?.into_iter().find(|table| table.rows > 0) {
        None => Ok(()),
        Some(TableCount { table, .. }) => {
            let message = format!("the target is not empty: `{table}` has rows");
            Err(StoreError::CannotOpen(message))
        }
    }
}

/// How many rows each table has.
pub(crate) fn counts(connection: &mut impl Connection) -> Result<Vec<TableCount>, StoreError> {
    let rows = |table: &Table, count: u64| TableCount { table: table.name.clone(), rows: count };
    tables().iter().map(|table| Ok(rows(table, count(connection, table)?))).collect()
}

fn copy_table(
    source: &mut impl Connection,
    target: &mut impl Connection,
    table: &Table,
) -> Result<TableCount, StoreError> {
    let insert = table.insert();
    let (mut last, mut copied) = (None, 0);
    loop {
        let rows = next_rows(source, table, last.as_deref())?;
        let Some(end) = rows.last() else { break };
        copied += rows.len() as u64;
        match table.name.as_str() {
            LINES => logs::write_lines(target, rows.iter().filter_map(|row| line(row)))?,
            _ => {
                let values = rows.iter().map(|row| row.iter().map(Cell::value).collect::<Vec<_>>());
                target.execute_many(&insert, values)?;
            }
        }
        target.flush()?;
        let is_last = rows.len() < ROWS_A_TURN;
        last = Some(table.key.iter().map(|place| owned(&end[*place])).collect::<Vec<_>>());
        if is_last {
            break;
        }
    }
    let (before, after) = (count(source, table)?, count(target, table)?);
    if (before, after) != (copied, copied) {
        let name = &table.name;
        let message = format!("`{name}` had {before} rows and has {after} in the target");
        return Err(StoreError::Damaged(message));
    }
    Ok(TableCount { table: table.name.clone(), rows: copied })
}

/// A log line and its text, the words of which are found in the target as well.
fn line(row: &[Cell]) -> Option<([Value<'_>; 9], &str)> {
    let values: Vec<Value<'_>> = row.iter().map(Cell::value).collect();
    match &row[LINE_TEXT] {
        Cell::Text(text) => Some((values.try_into().ok()?, text)),
        Cell::Int(_) | Cell::Null => None,
    }
}

fn owned(cell: &Cell) -> Cell {
    match cell {
        Cell::Text(text) => Cell::Text(text.clone()),
        Cell::Int(value) => Cell::Int(*value),
        Cell::Null => Cell::Null,
    }
}

fn count(connection: &mut impl Connection, table: &Table) -> Result<u64, SqlError> {
    let statement = Statement::assembled(format!("SELECT COUNT(*) FROM {}", table.name));
    let counted = all(connection, &statement, &[], |row| Columns::of(row).int())?;
    Ok(counted.first().copied().unwrap_or(0))
}

fn next_rows(
    source: &mut impl Connection,
    table: &Table,
    last: Option<&[Cell]>,
) -> Result<Vec<Vec<Cell>>, SqlError> {
    let statement = table.select(last.is_some());
    let mut values: Vec<Value<'_>> = last.into_iter().flatten().map(Cell::value).collect();
    values.push(ROWS_A_TURN.into());
    let mut rows = Vec::new();
    source.query(&statement, &values, &mut |row| {
        rows.push(table.read(row)?);
        Ok(())
    })?;
    Ok(rows)
}

impl Table {
    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn insert(&self) -> Statement {
        let places: Vec<String> = (1..=self.columns.len()).map(|n| format!("${n}")).collect();
        Statement::assembled(format!(
            "INSERT INTO {} ({}) VALUES ({})",
            self.name,
            self.names(),
            places.join(", ")
        ))
    }

    /// The first rows by key, or those behind a key.
    fn select(&self, goes_on: bool) -> Statement {
        let key: Vec<&str> = self.key.iter().map(|at| self.columns[*at].0.as_str()).collect();
        let key = key.join(", ");
        let places: Vec<String> = (1..=self.key.len()).map(|n| format!("${n}")).collect();
        let behind = match goes_on {
            true => format!("WHERE ({key}) > ({})", places.join(", ")),
            false => String::new(),
        };
        let limit = if goes_on { self.key.len() + 1 } else { 1 };
        let (columns, name) = (self.names(), &self.name);
        Statement::assembled(format!(
            "SELECT {columns} FROM {name} {behind} ORDER BY {key} LIMIT ${limit}"
        ))
    }

    fn read(&self, row: &dyn Row) -> Result<Vec<Cell>, StoreError> {
        let cell = |(place, (_, is_text)): (usize, &(String, bool))| {
            Ok(match is_text {
                true => row.text(place)?.map_or(Cell::Null, Cell::Text),
                false => row.int(place)?.map_or(Cell::Null, Cell::Int),
            })
        };
        self.columns.iter().enumerate().map(cell).collect()
    }
}

/// Every table of ours but the one that lists migrations: opening a database fills that.
fn tables() -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for (_, _, text) in MIGRATIONS {
        for statement in migrate::statements(text) {
            if let Some(rest) = statement.strip_prefix("CREATE TABLE ") {
                tables.extend(new_table(rest));
            } else if let Some(name) = statement.strip_prefix("DROP TABLE ") {
                tables.retain(|table| table.name != name);
            } else if let Some(rest) = statement.strip_prefix("ALTER TABLE ") {
                let words: Vec<&str> = rest.split_whitespace().collect();
                let [name, "ADD", "COLUMN", column, kind, ..] = words.as_slice() else { continue };
                if let Some(table) = tables.iter_mut().find(|table| table.name == *name) {
                    table.columns.push(((*column).to_owned(), *kind == "TEXT"));
                }
            }
        }
    }
    tables
}

/// A table by what stands behind `CREATE TABLE`, one column a line.
fn new_table(text: &str) -> Option<Table> {
    let (name, body) = text.split_once('(')?;
    let mut table = Table { name: name.trim().to_owned(), ..Table::default() };
    for line in body.lines().map(|line| line.trim().trim_end_matches(',')) {
        if let Some(key) = line.strip_prefix("PRIMARY KEY (") {
            let names = key.split(')').next()?.split(',').map(str::trim);
            let place = |name| table.columns.iter().position(|(column, _)| column == name);
            table.key = names.filter_map(place).collect();
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(column), Some(kind @ ("TEXT" | "BIGINT" | "INTEGER"))) =
            (words.next(), words.next())
        else {
            continue;
        };
        table.columns.push((column.to_owned(), kind == "TEXT"));
        if line.contains("PRIMARY KEY") {
            table.key = vec![table.columns.len() - 1];
        }
    }
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_say_which_tables_there_are() {
        let tables = tables();
        let text: String = MIGRATIONS.iter().map(|(_, _, text)| *text).collect();
        let dropped = text.matches("DROP TABLE").count();
        assert_eq!(tables.len() + dropped, text.matches("CREATE TABLE").count());
        for table in &tables {
            assert!(!table.key.is_empty(), "{table:?}");
        }
        let run = tables.iter().find(|table| table.name == "run").unwrap();
        let columns: Vec<&str> = run.columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((columns[0], columns[17], columns.len()), ("run_id", "owner", 25));
        let lines = tables.iter().find(|table| table.name == LINES).unwrap();
        assert_eq!((lines.key.as_slice(), lines.columns.len()), (&[0][..], 9));
        assert_eq!(lines.columns[LINE_TEXT], ("text".to_owned(), true));
        let outbox = tables.iter().find(|table| table.name == "outbox").unwrap();
        assert_eq!((outbox.key.as_slice(), outbox.columns.len()), (&[0, 1, 2, 3][..], 6));
    }
}
