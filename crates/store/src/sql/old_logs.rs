//! Migration 13, as far as it is not SQL: the lines of `log` become those of `log_line`, with their
//! words. It goes with the last version that has not been migrated.

use super::logs::write_lines;
use super::{Connection, Row, SqlError, Statement, Value};
use crate::error::StoreError;

/// Lines on their way at once.
const LINES_A_TURN: usize = 2_000;

/// Run by run, and runs as they were created. Nobody knows better in which order they came.
static NEXT: Statement = Statement::new(
    "SELECT run_id, log_seq, at, path, attempt, stream, text, level FROM log
      WHERE (run_id, log_seq) > ($1, $2) ORDER BY run_id, log_seq LIMIT $3",
);

struct Old {
    run_id: String,
    log_seq: i64,
    at: i64,
    path: String,
    attempt: i64,
    stream: String,
    text: String,
    level: Option<i64>,
}

fn old(row: &dyn Row) -> Result<Old, StoreError> {
    let mut columns = super::read::Columns::of(row);
    Ok(Old {
        run_id: columns.text()?,
        log_seq: columns.int()?,
        at: columns.int()?,
        path: columns.text()?,
        attempt: columns.int()?,
        stream: columns.text()?,
        text: columns.text()?,
        level: columns.opt_int()?,
    })
}

/// Makes the index of words, and carries all lines over.
pub(super) fn carry_over<C: Connection>(connection: &mut C) -> Result<(), SqlError> {
    for statement in C::lines().create {
        connection.execute(&Statement::new(statement), &[])?;
    }
    let (mut line_id, mut behind) = (0_i64, (String::new(), 0_i64));
    loop {
        let values = [(&behind.0).into(), behind.1.into(), LINES_A_TURN.into()];
        let lines = super::read::all(connection, &NEXT, &values, old)?;
        let rows = lines.iter().zip(line_id + 1..).map(|(line, line_id)| {
            let row: [Value<'_>; 9] = [
                line_id.into(),
                (&line.run_id).into(),
                line.log_seq.into(),
                line.at.into(),
                (&line.path).into(),
                line.attempt.into(),
                (&line.stream).into(),
                (&line.text).into(),
                line.level.into(),
            ];
            (row, line.text.as_str())
        });
        write_lines(connection, rows)?;
        connection.flush()?;
        let count = lines.len();
        line_id += i64::try_from(count).unwrap_or(i64::MAX);
        match lines.into_iter().next_back() {
            Some(last) if count == LINES_A_TURN => behind = (last.run_id, last.log_seq),
            _ => return Ok(()),
        }
    }
}
