//! What is too large for a row: the row names a file or an object of a service (here: a file), and a
//! table says which run names which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_core::Time;

use super::read::Columns;
use super::waves::{Writing, rows_of};
use super::{Connection, Driver, SqlError, SqlStore, Statement, Value, to_json};
use crate::blobs::{Blobs, InUse};
use crate::error::StoreError;
use crate::write::{Chunk, INLINE_BYTES_MAX, RunWrite};

static INSERT_REF: Statement = Statement::new(
    "INSERT INTO blob_ref (run_id, hash) VALUES ($1, $2) ON CONFLICT (run_id, hash) DO NOTHING",
);

static IS_NAMED: Statement = Statement::new("SELECT MAX(run_id) FROM blob_ref WHERE hash = $1");

static HASHES: Statement =
    Statement::new("SELECT DISTINCT hash FROM blob_ref WHERE hash > $1 ORDER BY hash LIMIT $2");

/// How many files are on their way at once. Each may have as much as a value, and a little more.
const FILES_A_TURN: usize = 8;

/// What stands in a row in the place of a text. A list of events begins with `[`, so what begins
/// with `{` is a reference.
#[derive(Debug, Serialize, Deserialize)]
struct Reference<'a> {
    /// The hash of the text, and the name of its file.
    blob: &'a str,
    /// The text's length, for whoever looks at the row.
    bytes: usize,
}

/// The text that a row stands for.
pub(crate) fn resolved(blobs: &Blobs, body: String) -> Result<String, StoreError> {
    if !body.starts_with('{') {
        return Ok(body);
    }
    let reference: Reference<'_> = serde_json::from_str(&body)
        .map_err(|error| StoreError::Damaged(format!("a reference cannot be read: {error}")))?;
    blobs.read(reference.blob)
}

/// The large chunks of a group, in their files. None is removed while this lives.
#[derive(Default)]
pub(super) struct Filed<'a> {
    /// Hash and reference, by where the chunk is in memory: a group may say two things about the
    /// same events, of which only one is written.
    chunks: BTreeMap<usize, (String, String)>,
    _in_use: Option<InUse<'a>>,
}

impl<'a> Filed<'a> {
    /// Writes what is large to files. A group without anything large costs a look.
    pub(super) fn of(blobs: &'a Blobs, group: &[RunWrite]) -> Result<Filed<'a>, StoreError> {
        let chunks = group.iter().flat_map(|run| &run.chunks);
        let large: Vec<&Chunk> =
            chunks.filter(|chunk| chunk.body.len() > INLINE_BYTES_MAX).collect();
        if large.is_empty() {
            return Ok(Filed::default());
        }
        let in_use = blobs.in_use();
        let texts: Vec<&str> = large.iter().map(|chunk| chunk.body.as_str()).collect();
        let filed = large.iter().zip(blobs.put(&texts)?).map(|(chunk, hash)| {
            let reference = to_json(&Reference { blob: &hash, bytes: chunk.body.len() });
            (std::ptr::from_ref(*chunk).addr(), (hash, reference))
        });
        Ok(Filed { chunks: filed.collect(), _in_use: Some(in_use) })
    }

    /// What is written in the chunk's row.
    pub(super) fn body<'c>(&'c self, chunk: &'c Chunk) -> &'c str {
        self.find(chunk).map_or(&chunk.body, |(_, reference)| reference)
    }

    fn find(&self, chunk: &Chunk) -> Option<&(String, String)> {
        if self.chunks.is_empty() {
            return None;
        }
        self.chunks.get(&std::ptr::from_ref(chunk).addr())
    }
}

/// Writes down which files the runs name.
pub(super) fn insert_refs(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
    filed: &Filed<'_>,
) -> Result<(), SqlError> {
    if filed.chunks.is_empty() {
        return Ok(());
    }
    let rows = rows_of(runs, |run| &run.chunks)
        .filter_map(|(id, chunk)| Some([id.value(), (&filed.find(chunk)?.0).into()]));
    connection.execute_many(&INSERT_REF, rows)
}

/// Which of these files no run names.
fn unnamed<D: Driver>(driver: &D, hashes: Vec<String>) -> Result<Vec<String>, StoreError> {
    if hashes.is_empty() {
        return Ok(hashes);
    }
    let mut is_named = vec![false; hashes.len()];
    driver.read(|connection| {
        let rows = hashes.iter().map(|hash| [Value::from(hash)]);
        connection.query_many(&IS_NAMED, rows, &mut |place, row| {
            is_named[place] = Columns::of(row).opt_text()?.is_some();
            Ok(())
        })?;
        Ok(())
    })?;
    let unnamed = hashes.into_iter().zip(is_named).filter(|(_, is_named)| !is_named);
    Ok(unnamed.map(|(hash, _)| hash).collect())
}

/// Hands over the hashes of all files that runs name, a few at a time.
fn each_turn<D: Driver>(
    driver: &D,
    mut turn: impl FnMut(&[String]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut last = String::new();
    loop {
        let mut hashes = Vec::new();
        driver.read(|connection| {
            let values = [(&last).into(), FILES_A_TURN.into()];
            connection.query(&HASHES, &values, &mut |row| {
                hashes.push(Columns::of(row).text()?);
                Ok(())
            })?;
            Ok(())
        })?;
        turn(&hashes)?;
        match hashes.pop() {
            Some(end) if hashes.len() + 1 == FILES_A_TURN => last = end,
            _ => return Ok(()),
        }
    }
}

/// Copies all files that runs name.
pub(crate) fn copy<A: Driver, B: Driver>(source: &A, target: &B) -> Result<(), StoreError> {
    each_turn(source, |hashes| {
        let texts = hashes.iter().map(|hash| source.blobs().read(hash));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        if !texts.is_empty() {
            target.blobs().put(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        Ok(())
    })
}

/// What is wrong with the files that runs name, a line for each.
pub(crate) fn broken<D: Driver>(driver: &D) -> Result<Vec<String>, StoreError> {
    let mut lines = Vec::new();
    each_turn(driver, |hashes| {
        for hash in hashes {
            match driver.blobs().read(hash) {
                Err(StoreError::Damaged(line)) => lines.push(line),
                other => drop(other?),
            }
        }
        Ok(())
    })?;
    Ok(lines)
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn remove_blobs(&self, before: Time, limit: usize) -> Result<usize, StoreError> {
        let blobs = self.0.blobs();
        let candidates = unnamed(&self.0, blobs.written_before(before, limit)?)?;
        let mut removed = 0;
        // A few at a time, since commits wait meanwhile, and a service far away takes its time.
        for turn in candidates.chunks(FILES_A_TURN) {
            // One of them may have been named since. Now nobody can name one.
            let _alone = blobs.alone();
            removed += blobs.remove_old(&unnamed(&self.0, turn.to_vec())?, before)?;
        }
        Ok(removed)
    }
}
