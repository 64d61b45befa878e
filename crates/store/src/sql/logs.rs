//! Log lines: writing them with their words, reading those of a run, finding them across runs.

use std::borrow::Cow;
use std::fmt::Write as _;

use uuid::Uuid;
use windlass_core::Time;

use super::read::{Columns, page};
use super::waves::{Writing, rows_of};
use super::{Connection, Driver, IdText, Row, SqlError, SqlStore, Statement, Value};
use crate::error::StoreError;
use crate::logs::{FoundLine, LogFilter, LogLevel, LogRow, LogSearch, LogStream};
use crate::rows::Page;
use crate::text::nul_safe;
use crate::words::{Query, indexed};

const COLUMNS: &str = "log_line.log_seq, log_line.at, log_line.path, log_line.attempt,
    log_line.stream, log_line.text, log_line.level";

static LAST_LOG_SEQ: Statement =
    Statement::new("SELECT MAX(log_seq) FROM log_line WHERE run_id = $1");

static LAST_LINE_ID: Statement = Statement::new("SELECT MAX(line_id) FROM log_line");

/// Lines that are read at once when many may not be what is looked for.
const LINES_A_TURN: usize = 1_000;

/// Lines that have all words are looked at for what the index does not know, more of them each time: one
/// of the databases puts all of them in order first. Past so many the search is given up.
const TURN_GROWTH: usize = 8;
const TURN_MAX: usize = 50_000;
const LINES_LOOKED_AT_MAX: usize = 300_000;

/// The columns of a row of `log_line`.
type Line<'a> = [Value<'a>; 9];

/// Writes lines with their texts.
pub(super) fn write_lines<'a, C: Connection>(
    connection: &mut C,
    lines: impl Iterator<Item = (Line<'a>, &'a str)>,
) -> Result<(), SqlError> {
    let lines: Vec<(Line<'_>, String)> = lines.map(|(line, text)| (line, indexed(text))).collect();
    let dialect = C::lines();
    let rows = lines.iter().map(|(line, words)| {
        let [a, b, c, d, e, f, g, h, i] = *line;
        [words.into(), a, b, c, d, e, f, g, h, i]
    });
    connection.execute_many(&dialect.insert, rows)?;
    let Some(index) = &dialect.index else { return Ok(()) };
    let with_words = lines.iter().filter(|(_, words)| !words.is_empty());
    connection.execute_many(index, with_words.map(|([id, ..], words)| [*id, words.into()]))
}

/// The number of the last line that was written; 0 if there is none.
pub(super) fn last_line_id(connection: &mut impl Connection) -> Result<i64, SqlError> {
    let mut last = 0;
    connection.query(&LAST_LINE_ID, &[], &mut |row| {
        last = Columns::of(row).opt_int()?.unwrap_or(0);
        Ok(())
    })?;
    Ok(last)
}

pub(super) fn insert(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    if runs.iter().all(|writing| writing.run.logs.is_empty()) {
        return Ok(());
    }
    // Nobody else writes meanwhile, so they are counted here.
    let last = last_line_id(connection)?;
    let texts: Vec<Cow<'_, str>> =
        rows_of(runs, |run| &run.logs).map(|(_, log)| nul_safe(&log.text)).collect();
    let rows = rows_of(runs, |run| &run.logs).zip(&texts).zip(last + 1..);
    let lines = rows.map(|(((id, log), text), line_id)| {
        let line: Line<'_> = [
            line_id.into(),
            id.value(),
            log.log_seq.into(),
            log.at.into(),
            (&log.path).into(),
            log.attempt.into(),
            log.stream.as_str().into(),
            (&**text).into(),
            log.level.map(LogLevel::number).into(),
        ];
        (line, &**text)
    });
    write_lines(connection, lines)
}

/// The number of a run's last line; 0 if there is none.
pub(super) fn last_log_seq(connection: &mut impl Connection, id: &IdText) -> Result<u64, SqlError> {
    super::journal::largest(connection, &LAST_LOG_SEQ, id)
}

fn log_row(columns: &mut Columns<'_>) -> Result<LogRow, StoreError> {
    Ok(LogRow {
        log_seq: columns.int()?,
        at: columns.time()?,
        path: columns.text()?,
        attempt: columns.int()?,
        stream: columns.word(LogStream::parse)?,
        text: columns.text()?,
        level: columns.opt_number()?.and_then(LogLevel::of_number),
    })
}

/// A query that grows. Only fixed words and placeholders enter its text.
struct Growing<'a> {
    text: String,
    values: Vec<Value<'a>>,
}

impl<'a> Growing<'a> {
    /// Adds a condition with a value at its end.
    fn and(&mut self, condition: &str, value: impl Into<Value<'a>>) {
        self.values.push(value.into());
        let _ = write!(self.text, " AND {condition} ${}", self.values.len());
    }

    /// What both kinds of filters ask of a line.
    fn and_line(&mut self, level: Option<LogLevel>, from: Option<Time>, until: Option<Time>) {
        if let Some(level) = level {
            let silent = LogLevel::Info.number();
            self.and(&format!("COALESCE(log_line.level, {silent}) >="), level.number());
        }
        if let Some(from) = from {
            self.and("log_line.at >=", from);
        }
        if let Some(until) = until {
            self.and("log_line.at <", until);
        }
    }

    /// Puts them in order, and hands over the first ones.
    fn run(
        mut self,
        connection: &mut impl Connection,
        order: &str,
        limit: usize,
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), SqlError> {
        self.values.push(limit.into());
        let _ = write!(self.text, " ORDER BY {order} LIMIT ${}", self.values.len());
        connection.query(&Statement::assembled(self.text), &self.values, each)
    }
}

impl<D: Driver> SqlStore<D> {
    /// A text is looked for line by line: there is no index of one run's words.
    pub(super) fn read_logs(
        &self,
        run_id: Uuid,
        after: u64,
        filter: &LogFilter,
        limit: usize,
    ) -> Result<Page<LogRow>, StoreError> {
        let query = filter.text.as_deref().map(Query::parse);
        if let Some(None) = query {
            return Ok(Page { items: Vec::new(), has_more: false });
        }
        let query = query.flatten();
        let (id, wanted) = (IdText::of(run_id), limit.saturating_add(1));
        let turn = if query.is_some() { wanted.max(LINES_A_TURN) } else { wanted };
        self.0.read(|connection| {
            let (mut logs, mut after) = (Vec::new(), after);
            loop {
                let text = format!("SELECT {COLUMNS} FROM log_line WHERE log_line.run_id = $1");
                let mut lines = Growing { text, values: vec![id.value()] };
                lines.and("log_line.log_seq >", after);
                if let Some(path) = &filter.path {
                    lines.and("log_line.path =", path);
                }
                lines.and_line(filter.level, filter.from, filter.until);
                let mut read = 0;
                lines.run(connection, "log_line.log_seq", turn, &mut |row| {
                    let log = log_row(&mut Columns::of(row))?;
                    (read, after) = (read + 1, log.log_seq);
                    if query.as_ref().is_none_or(|query| query.matches(&log.text)) {
                        logs.push(log);
                    }
                    Ok(())
                })?;
                if read < turn || logs.len() >= wanted {
                    return Ok(page(logs, limit));
                }
            }
        })
    }

    pub(super) fn find_lines(
        &self,
        project: &str,
        search: &LogSearch,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Page<FoundLine>, StoreError> {
        let Some(query) = Query::parse(&search.text) else {
            return Ok(Page { items: Vec::new(), has_more: false });
        };
        self.0.read(|connection| Ok(find(connection, project, search, &query, before, limit)?))
    }
}

fn find<C: Connection>(
    connection: &mut C,
    project: &str,
    search: &LogSearch,
    query: &Query,
    before: Option<i64>,
    limit: usize,
) -> Result<Page<FoundLine>, SqlError> {
    let dialect = C::lines();
    let question = (dialect.question)(&query.terms());
    let workflow_id = search.workflow_id.map(IdText::of);
    let wanted = limit.saturating_add(1);
    let (mut found, mut before) = (Vec::new(), before);
    let (mut looked_at, mut turn) = (0, wanted);
    loop {
        let text = format!(
            "SELECT log_line.line_id, log_line.run_id, run.workflow, {COLUMNS}
               FROM {} CROSS JOIN run
              WHERE {} AND run.run_id = log_line.run_id",
            dialect.found, dialect.condition
        );
        let mut lines = Growing { text, values: vec![Value::from(&question)] };
        if let Some(before) = before {
            lines.and(&format!("{} <", dialect.line_id), before);
        }
        lines.and_line(search.level, search.from, search.until);
        lines.and("run.project =", project);
        if let Some(workflow_id) = &workflow_id {
            lines.and("run.workflow_id =", workflow_id.value());
        }
        let mut read = 0;
        lines.run(connection, &format!("{} DESC", dialect.line_id), turn, &mut |row| {
            let mut columns = Columns::of(row);
            let (line_id, run_id) = (columns.int()?, columns.id()?);
            let (workflow, line) = (columns.text()?, log_row(&mut columns)?);
            (read, before) = (read + 1, Some(line_id));
            // The index knows which words there are, and not in which order.
            if query.matches(&line.text) {
                found.push(FoundLine { line_id, run_id, workflow, line });
            }
            Ok(())
        })?;
        if read < turn || found.len() >= wanted {
            return Ok(page(found, limit));
        }
        looked_at += read;
        if looked_at > LINES_LOOKED_AT_MAX && !found.is_empty() {
            return Ok(Page { items: found, has_more: true });
        }
        if looked_at > LINES_LOOKED_AT_MAX {
            let message = "too many lines have these words, but not side by side";
            return Err(StoreError::Unavailable(message.to_owned()).into());
        }
        turn = wanted.max(LINES_A_TURN).max((turn * TURN_GROWTH).min(TURN_MAX));
    }
}
