//! The portable SQL in Postgres' words.

use std::fmt::Write as _;

use crate::sql::{LineDialect, Statement};
use crate::words::Term;

/// A statement of a migration. Text is ordered by its bytes, as SQLite does and pages rely on.
pub(super) fn schema(statement: &str) -> String {
    statement
        .replace(" WITHOUT ROWID", "")
        .replace(" INTEGER", " BIGINT")
        .replace(" TEXT", " TEXT COLLATE \"C\"")
}

/// Words are in their line's row. They come in as they are to be found, and pass no parser: what that
/// takes for a word depends on the server's locale.
pub(super) static LINES: LineDialect = LineDialect {
    create: &[
        "ALTER TABLE log_line ADD COLUMN words TSVECTOR",
        "CREATE INDEX log_line_by_words ON log_line USING gin (words)",
    ],
    insert: Statement::new(
        "INSERT INTO log_line
            (words, line_id, run_id, log_seq, at, path, attempt, stream, text, level)
         VALUES (array_to_tsvector(string_to_array($1, ' ')), $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    ),
    index: None,
    found: "log_line",
    condition: "log_line.words @@ CAST(CAST($1 AS TEXT) AS TSQUERY)",
    line_id: "log_line.line_id",
    question,
};

fn question(terms: &[Term]) -> String {
    let quoted = |term: &Term| match term.may_go_on {
        true => format!("'{}':*", term.word),
        false => format!("'{}'", term.word),
    };
    terms.iter().map(quoted).collect::<Vec<_>>().join(" & ")
}

/// A statement that is run once for each row of values, as one that takes all rows at once: for
/// each placeholder an array of the type named. A query answers with the row's number, from 1, as
/// its last column.
pub(super) fn many(statement: &str, types: &[String]) -> String {
    let mut arrays = String::from("UNNEST(");
    let mut names = String::new();
    for (place, name) in (1..).zip(types) {
        let comma = if place == 1 { "" } else { ", " };
        let _ = write!(arrays, "{comma}${place}::{name}[]");
        let _ = write!(names, "{comma}c{place}");
    }
    arrays.push(')');
    let text = named(statement);
    let verb = text.split_whitespace().next().unwrap_or("");
    let rows = format!("{arrays} AS u ({names})");
    match verb {
        "INSERT" => {
            let (head, rest) = text.split_once("VALUES (").unwrap_or((&text, ""));
            let (values, tail) = rest.split_at(closing(rest));
            let tail = tail.strip_prefix(')').unwrap_or(tail);
            format!("{head}SELECT {values} FROM {rows}{tail}")
        }
        "UPDATE" => {
            let (head, condition) = text.split_once("WHERE").unwrap_or((&text, "TRUE"));
            format!("{head}FROM {rows} WHERE{condition}")
        }
        "DELETE" => {
            let (head, condition) = text.split_once("WHERE").unwrap_or((&text, "TRUE"));
            format!("{head}USING {rows} WHERE{condition}")
        }
        _ => format!(
            "SELECT q.*, u.place FROM {arrays} WITH ORDINALITY AS u ({names}, place)
              CROSS JOIN LATERAL ({text}) AS q ORDER BY u.place"
        ),
    }
}

/// Where a parenthesis is closed that was opened before the text.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    let closes = |c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth < 0
    };
    text.find(closes).unwrap_or(text.len())
}

/// The text with `u.c1` for `$1`.
fn named(text: &str) -> String {
    text.replace('$', "u.c")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_one_line(statement: &str, types: &[&str]) -> String {
        let types: Vec<String> = types.iter().map(|name| (*name).to_owned()).collect();
        many(statement, &types).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn statements_take_many_rows() {
        let text = "INSERT INTO t (a, b) VALUES ($1, $2)\n ON CONFLICT (a) DO NOTHING";
        assert_eq!(
            in_one_line(text, &["text", "int8"]),
            "INSERT INTO t (a, b) SELECT u.c1, u.c2 FROM UNNEST($1::text[], $2::int8[]) AS u (c1, \
             c2) ON CONFLICT (a) DO NOTHING"
        );
        assert_eq!(
            in_one_line("INSERT INTO t (a) VALUES (f(g($1), ' '), $2)", &["text", "int8"]),
            "INSERT INTO t (a) SELECT f(g(u.c1), ' '), u.c2 FROM UNNEST($1::text[], $2::int8[]) AS u \
             (c1, c2)"
        );
        assert_eq!(
            in_one_line("UPDATE t SET a = COALESCE($1, a)\n WHERE b = $2", &["text", "int8"]),
            "UPDATE t SET a = COALESCE(u.c1, a) FROM UNNEST($1::text[], $2::int8[]) AS u (c1, c2) \
             WHERE b = u.c2"
        );
        assert_eq!(
            in_one_line("DELETE FROM t WHERE a = $1", &["text"]),
            "DELETE FROM t USING UNNEST($1::text[]) AS u (c1) WHERE a = u.c1"
        );
        assert_eq!(
            in_one_line("SELECT MAX(b) FROM t WHERE a = $1", &["text"]),
            "SELECT q.*, u.place FROM UNNEST($1::text[]) WITH ORDINALITY AS u (c1, place) CROSS \
             JOIN LATERAL (SELECT MAX(b) FROM t WHERE a = u.c1) AS q ORDER BY u.place"
        );
    }

    #[test]
    fn text_is_ordered_by_its_bytes() {
        let text = "CREATE TABLE t (\n a TEXT NOT NULL,\n b BIGINT\n) WITHOUT ROWID";
        let expected = "CREATE TABLE t (\n a TEXT COLLATE \"C\" NOT NULL,\n b BIGINT\n)";
        assert_eq!(schema(text), expected);
    }
}
