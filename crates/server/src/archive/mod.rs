//! Runs that are about to be deleted, kept elsewhere: one file for each batch, packed with zstd, a line of
//! JSON for each run as `windlass runs export` writes it.
//!
//! All of it is done on the engine's thread for that, which may wait.

mod folder;
mod s3;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use tokio::sync::watch;
use windlass_core::kinds::Kinds;
use windlass_engine::clock::Clock;
use windlass_engine::{Archive, Definitions};
use windlass_store::{RunRow, S3Folder, Store};

use crate::config::{ArchivePlace, Config};
use crate::run_file;
use folder::Folder;
use s3::Bucket;

/// How hard zstd tries.
const LEVEL: i32 = 3;

/// What keeps the runs of a store where the settings say, if they say so. `drafts` is a directory for
/// files on their way, and `going_down` says when there is no time any more.
///
/// # Errors
///
/// If the place makes no sense.
pub(crate) fn open(
    config: &Config,
    store: Arc<dyn Store>,
    kinds: Kinds,
    drafts: PathBuf,
    going_down: watch::Receiver<bool>,
) -> anyhow::Result<Option<Arc<dyn Archive>>> {
    let place = config.archive().map_err(|complaints| {
        let lines = complaints.iter().map(|(key, complaint)| format!("{key}: {complaint}"));
        anyhow!(lines.collect::<Vec<_>>().join("\n"))
    })?;
    let Some(place) = place else { return Ok(None) };
    let definitions = Definitions::new(store.clone(), kinds);
    let packer = Packer { store, definitions, clock: Clock::new() };
    Ok(Some(match place {
        ArchivePlace::Folder(directory) => Arc::new(Folder { directory, packer }),
        ArchivePlace::S3(options) => {
            Arc::new(Bucket { folder: S3Folder::at(&options)?, packer, drafts, going_down })
        }
    }))
}

/// Writes runs as an archive has them.
struct Packer {
    store: Arc<dyn Store>,
    definitions: Definitions,
    clock: Clock,
}

impl Packer {
    /// Reads one run after the other, so that memory holds no more than one.
    fn pack(&self, runs: &[RunRow], into: impl Write) -> anyhow::Result<()> {
        let mut packed = zstd::Encoder::new(into, LEVEL)?;
        for row in runs {
            let now = self.clock.now();
            match run_file::read(&*self.store, &self.definitions, row, now)? {
                Some(run) => serde_json::to_writer(&mut packed, &run)?,
                // Nothing can hold all of it at once; what lists show of it is better than nothing.
                None => {
                    let body = crate::api::run::RunBody::read(&*self.store, row.clone())?;
                    let cut = serde_json::json!({ "format": "windlass.run.cut", "run": body });
                    serde_json::to_writer(&mut packed, &cut)?;
                }
            }
            packed.write_all(b"\n")?;
        }
        packed.finish()?.flush()?;
        Ok(())
    }
}

/// What the file of a batch is called. The same batch again, after a crash, is the same file.
fn name(runs: &[RunRow]) -> Option<String> {
    let (first, last) = (runs.first()?, runs.last()?);
    Some(format!("runs-{}-{}.jsonl.zst", first.run_id, last.run_id))
}
