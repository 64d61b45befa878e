//! Where the store is, by the settings.

use std::sync::Arc;

use anyhow::Context;
use windlass_core::Time;
use windlass_store::{BlobPlace, DirectoryLock, Place, PostgresOptions, SqliteOptions, Store};

use crate::cli::Usage;
use crate::config::{DatabaseUrl, StoreSection, sqlite_directory};

/// Where large values are, unless in files.
fn elsewhere(section: &StoreSection) -> anyhow::Result<Option<BlobPlace>> {
    section.s3().map_err(|complaints| {
        let lines = complaints.iter().map(|(key, complaint)| format!("{key}: {complaint}"));
        Usage(lines.collect::<Vec<_>>().join("\n")).into()
    })
}

/// The SQLite database of the data directory.
///
/// # Errors
///
/// If a number does not fit this machine, or the place of large values makes no sense.
pub fn sqlite(section: &StoreSection) -> anyhow::Result<SqliteOptions> {
    let options = SqliteOptions::at(&section.data);
    Ok(SqliteOptions {
        blobs: elsewhere(section)?.unwrap_or(options.blobs),
        reader_count: usize::try_from(section.reader_count)?,
        read_time_max: section.read_time_max.0,
        size_max: section.size_bytes_max,
        ..options
    })
}

/// The database on a server, if one is named. Its large values are in the data directory, unless the
/// settings say otherwise, apart from those of an SQLite database there: what one no longer names,
/// the other may.
///
/// # Errors
///
/// Like [`sqlite`].
pub fn postgres(section: &StoreSection) -> anyhow::Result<Option<PostgresOptions>> {
    let Some(database) = &section.database else { return Ok(None) };
    let files = BlobPlace::Files(section.data.join("postgres-blobs"));
    Ok(Some(PostgresOptions {
        reader_count: usize::try_from(section.reader_count)?,
        read_time_max: section.read_time_max.0,
        ..PostgresOptions::at(database.reveal(), elsewhere(section)?.unwrap_or(files))
    }))
}

/// Where the settings keep everything.
///
/// # Errors
///
/// Like [`sqlite`].
pub fn place(section: &StoreSection) -> anyhow::Result<Place> {
    Ok(match postgres(section)? {
        Some(options) => Place::Postgres(options),
        None => Place::Sqlite(sqlite(section)?),
    })
}

/// Where a text says: an address of Postgres or SQLite, or a data directory. Large values are files
/// there, wherever the settings have those of the database they speak of.
///
/// # Errors
///
/// If it is an address of another kind.
pub fn named(section: &StoreSection, text: &str) -> anyhow::Result<Place> {
    let mut section = StoreSection { database: None, blobs: None, ..section.clone() };
    match sqlite_directory(text) {
        Some(directory) => section.data = directory,
        None if text.contains("://") => {
            let database = DatabaseUrl::from(text.to_owned());
            if let Some(complaint) = database.check() {
                return Err(Usage(complaint).into());
            }
            section.database = Some(database);
        }
        None => section.data = text.into(),
    }
    place(&section)
}

/// A store that stands. The data directory belongs to this process as long as it does.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What holds the directory, if the store itself is elsewhere.
    pub lock: Option<DirectoryLock>,
}

/// Opens the store.
///
/// # Errors
///
/// If another process owns the directory or the database, or it cannot be opened.
pub fn open(section: &StoreSection, now: Time) -> anyhow::Result<Opened> {
    let data = section.data.display();
    let Some(options) = postgres(section)? else {
        let store = sqlite(section)?
            .open(now)
            .with_context(|| format!("cannot open the data directory `{data}`"))?;
        return Ok(Opened { store, lock: None });
    };
    std::fs::create_dir_all(&section.data).with_context(|| format!("cannot create `{data}`"))?;
    let lock = DirectoryLock::take(&section.data)?;
    Ok(Opened { store: options.open(now)?, lock: Some(lock) })
}
