//! Data on standard output: as a table for people, as JSON for programs.

use std::io::Write;

use clap::ValueEnum;
use serde_json::Value;

/// How data is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns, for people.
    #[default]
    Table,
    /// JSON, for programs.
    Json,
}

/// Writes a line. That nobody reads any more, as behind `head`, is no error.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes JSON.
pub(crate) fn json(value: &Value) {
    line(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Writes rows under a head, each column as wide as its widest cell.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let width_of = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str);
        cells.chain(head.get(column).copied()).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width_of).collect();
    let write = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        line(padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    write(&mut head.iter().copied());
    for row in rows {
        write(&mut row.iter().map(String::as_str));
    }
}

/// A field as a cell.
pub(crate) fn cell(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A time without its parts of a second.
pub(crate) fn time(value: &Value, field: &str) -> String {
    let text = cell(value, field);
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

/// What went wrong, in a line: where, what and its code. `None` if nothing did.
pub(crate) fn error(error: &Value) -> Option<String> {
    let message = error["message"].as_str()?;
    // A message may bring a traceback with it.
    let message = message.lines().next().unwrap_or_default();
    let step = error["step"].as_str().map(|step| format!("{step}: ")).unwrap_or_default();
    let code = error["code"].as_str().map(|code| format!(" ({code})")).unwrap_or_default();
    Some(format!("{step}{message}{code}"))
}
