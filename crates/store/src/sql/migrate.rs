//! Bringing a database to the schema this binary knows.

use super::read::Columns;
use super::{Connection, SqlError, Statement, old_logs};
use crate::error::StoreError;

/// Every migration, in order. Released ones never change.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "spine", include_str!("../../migrations/0001_spine.sql")),
    (
        2,
        "families_messages_access",
        include_str!("../../migrations/0002_families_messages_access.sql"),
    ),
    (3, "blob_refs", include_str!("../../migrations/0003_blob_refs.sql")),
    (4, "lists", include_str!("../../migrations/0004_lists.sql")),
    (5, "heirs", include_str!("../../migrations/0005_heirs.sql")),
    (6, "retention", include_str!("../../migrations/0006_retention.sql")),
    (7, "asks", include_str!("../../migrations/0007_asks.sql")),
    (8, "secrets", include_str!("../../migrations/0008_secrets.sql")),
    (9, "cache", include_str!("../../migrations/0009_cache.sql")),
    (10, "usage", include_str!("../../migrations/0010_usage.sql")),
    (11, "units", include_str!("../../migrations/0011_units.sql")),
    (12, "levels", include_str!("../../migrations/0012_levels.sql")),
    (13, "log_lines", include_str!("../../migrations/0013_log_lines.sql")),
    (14, "no_log", include_str!("../../migrations/0014_no_log.sql")),
    (15, "expiry", include_str!("../../migrations/0015_expiry.sql")),
];

static CREATE_TABLE: Statement = Statement::new(
    "CREATE TABLE IF NOT EXISTS migration (
        number     BIGINT NOT NULL PRIMARY KEY,
        name       TEXT   NOT NULL,
        applied_at BIGINT NOT NULL
    )",
);

static NEWEST: Statement = Statement::new("SELECT number FROM migration ORDER BY number");

static APPLIED: Statement =
    Statement::new("INSERT INTO migration (number, name, applied_at) VALUES ($1, $2, $3)");

/// The one that is not SQL alone.
const CARRIES_LINES_OVER: i64 = 13;

/// The newest one.
pub(crate) const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// Applies what is missing, inside of the caller's transaction. `dialect` puts a statement in the
/// database's own words.
///
/// # Errors
///
/// [`StoreError::CannotOpen`] if the database has a migration that this binary does not know: a
/// newer version has written it, and an older one must not guess.
pub(crate) fn migrate(
    connection: &mut impl Connection,
    dialect: fn(&str) -> String,
    now_micros: i64,
) -> Result<(), SqlError> {
    connection.execute(&CREATE_TABLE, &[])?;
    let mut applied: i64 = 0;
    connection.query(&NEWEST, &[], &mut |row| {
        applied = Columns::of(row).int()?;
        Ok(())
    })?;
    if applied > KNOWN {
        let message = format!(
            "the database has schema {applied}, but this version of windlass knows only up to \
             {KNOWN}: use the version that wrote it, or a newer one"
        );
        return Err(StoreError::CannotOpen(message).into());
    }
    for (number, name, text) in MIGRATIONS.iter().filter(|(number, _, _)| *number > applied) {
        for statement in statements(text) {
            connection.execute(&Statement::assembled(dialect(&statement)), &[])?;
        }
        if *number == CARRIES_LINES_OVER {
            old_logs::carry_over(connection)?;
        }
        connection.execute(&APPLIED, &[(*number).into(), (*name).into(), now_micros.into()])?;
    }
    Ok(())
}

/// Refuses a database that does not have the schema of this version.
///
/// # Errors
///
/// [`StoreError::CannotOpen`], with what to do.
pub(crate) fn must_be_known(connection: &mut impl Connection) -> Result<(), SqlError> {
    let mut applied: i64 = 0;
    connection.query(&NEWEST, &[], &mut |row| {
        applied = Columns::of(row).int()?;
        Ok(())
    })?;
    if applied == KNOWN {
        return Ok(());
    }
    let message = format!(
        "the database has schema {applied}, and this version of windlass needs {KNOWN}: \
         `windlass db migrate` brings an older one there"
    );
    Err(StoreError::CannotOpen(message).into())
}

/// The statements of a migration, without comments. No text of ours has a `;` or `--` inside.
pub(super) fn statements(text: &str) -> Vec<String> {
    let without_comments: Vec<&str> =
        text.lines().map(|line| line.split("--").next().unwrap_or("")).collect();
    without_comments
        .join("\n")
        .split(';')
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps() {
        let numbers: Vec<i64> = MIGRATIONS.iter().map(|(number, _, _)| *number).collect();
        let count = i64::try_from(MIGRATIONS.len()).unwrap();
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
    }

    #[test]
    fn comments_may_hold_anything() {
        let text = "-- a; b\nCREATE TABLE x (\n  a TEXT -- one; two\n);\n\nCREATE INDEX y;\n";
        assert_eq!(statements(text), ["CREATE TABLE x (\n  a TEXT \n)", "CREATE INDEX y"]);
    }
}
