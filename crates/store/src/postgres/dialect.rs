//! The portable SQL in Postgres' words.

use std::fmt::Write as _;

/// A statement of a migration. Text is ordered by its bytes, as SQLite does and pages rely on.
pub(super) fn schema(statement: &str) -> String {
    statement.replace(" WITHOUT ROWID", "").replace(" TEXT", " TEXT COLLATE \"C\"")
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
            let (values, tail) = rest.split_once(')').unwrap_or((rest, ""));
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
