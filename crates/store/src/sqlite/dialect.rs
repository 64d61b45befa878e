//! What SQLite says in its own words.

use crate::sql::{LineDialect, Statement};
use crate::words::Term;

/// Words are in a table beside the lines that has nothing but its index, since a line's text is not
/// to be kept twice. They come in as they are to be found: whatever is not ASCII is part of a word. A
/// line takes its words with it.
pub(super) static LINES: LineDialect = LineDialect {
    create: &[
        "CREATE VIRTUAL TABLE log_word USING fts5 (
            words, content = '', contentless_delete = 1, detail = 'none', tokenize = 'ascii')",
        "CREATE TRIGGER log_line_goes AFTER DELETE ON log_line BEGIN
            DELETE FROM log_word WHERE rowid = old.line_id;
         END",
        "INSERT INTO log_word (log_word, rank) VALUES ('automerge', 8)",
    ],
    insert: Statement::new(
        "INSERT INTO log_line (line_id, run_id, log_seq, at, path, attempt, stream, text, level)
         VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10)",
    ),
    index: Some(Statement::new("INSERT INTO log_word (rowid, words) VALUES ($1, $2)")),
    // In this order and no other: whoever asks for the newest lines does not wait for the oldest.
    found: "log_word CROSS JOIN log_line",
    condition: "log_word MATCH $1 AND log_line.line_id = log_word.rowid",
    line_id: "log_word.rowid",
    question,
};

/// Merges about so many pages of the index, if merging is worth while.
pub(super) const MERGE_WORDS: &str = "INSERT INTO log_word (log_word, rank) VALUES ('merge', 64)";

fn question(terms: &[Term]) -> String {
    let quoted = |term: &Term| match term.may_go_on {
        true => format!("\"{}\" *", term.word),
        false => format!("\"{}\"", term.word),
    };
    terms.iter().map(quoted).collect::<Vec<_>>().join(" AND ")
}
