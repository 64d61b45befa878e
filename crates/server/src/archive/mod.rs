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
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;
use windlass_core::kinds::Kinds;
use windlass_core::run::Event;
use windlass_engine::clock::Clock;
use windlass_engine::{Archive, Definitions};
use windlass_store::{LogFilter, RunRow, S3Folder, Store};

use crate::config::{ArchivePlace, Config};
use crate::http::paging::PAGE_BYTES_MAX;
use crate::run_file::{self, FileLine};
use folder::Folder;
use s3::Bucket;

/// Events and log lines of a part of a run.
const PAGE: usize = 5_000;
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
            // Nothing can hold all of a very large run at once: what its line leaves out follows it.
            let lines_from = match run_file::read(&*self.store, &self.definitions, row, now)? {
                Some(run) => {
                    line(&mut packed, &run)?;
                    run.logs.first().map_or(1, |first| first.log_seq)
                }
                None => {
                    let body = crate::api::run::RunBody::read(&*self.store, row.clone())?;
                    line(&mut packed, &json!({ "format": "windlass.run.cut", "run": body }))?;
                    self.pack_events(row, &mut packed)?;
                    u64::MAX
                }
            };
            self.pack_lines(row, lines_from, &mut packed)?;
        }
        packed.finish()?.flush()?;
        Ok(())
    }

    fn pack_events(&self, row: &RunRow, into: &mut impl Write) -> anyhow::Result<()> {
        let mut after = 0;
        loop {
            let page = self.store.events(row.run_id, after, PAGE, PAGE_BYTES_MAX)?;
            let Some(last) = page.items.last() else { return Ok(()) };
            after = last.seq;
            let events: Vec<&Event> = page.items.iter().map(|one| &one.event).collect();
            let part = "windlass.run.events";
            line(into, &json!({ "format": part, "run_id": row.run_id, "events": events }))?;
            if !page.has_more {
                return Ok(());
            }
        }
    }

    /// Log lines up to one that is there already.
    fn pack_lines(&self, row: &RunRow, until: u64, into: &mut impl Write) -> anyhow::Result<()> {
        let mut after = 0;
        while after + 1 < until {
            let mut page = self.store.logs(row.run_id, after, &LogFilter::default(), PAGE)?;
            page.items.retain(|one| one.log_seq < until);
            let Some(last) = page.items.last() else { return Ok(()) };
            after = last.log_seq;
            let logs: Vec<FileLine> = page.items.into_iter().map(FileLine::from).collect();
            let part = "windlass.run.logs";
            line(into, &json!({ "format": part, "run_id": row.run_id, "logs": logs }))?;
        }
        Ok(())
    }
}

fn line(into: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *into, value)?;
    Ok(into.write_all(b"\n")?)
}

/// What the names of files end with.
const ENDING: &str = ".jsonl.zst";

/// How the name of a batch's file begins. Another batch may begin and end with the same runs: a smaller
/// one, or one of which some had to be cut.
fn name(runs: &[RunRow]) -> Option<String> {
    let (first, last) = (runs.first()?, runs.last()?);
    Some(format!("runs-{}-{}", first.run_id, last.run_id))
}
