//! Runs that are about to be deleted, as files: one for each batch, packed with zstd, a line of JSON for
//! each run as `windlass runs export` writes it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_core::kinds::Kinds;
use windlass_engine::clock::Clock;
use windlass_engine::{Archive, Definitions};
use windlass_store::{RunRow, Store};

use crate::run_file;

/// How hard zstd tries.
const LEVEL: i32 = 3;

/// A directory of runs that are kept nowhere else.
pub struct Folder {
    directory: PathBuf,
    store: Arc<dyn Store>,
    definitions: Definitions,
    clock: Clock,
}

impl Folder {
    /// Keeps the runs of a store in a directory.
    pub fn new(directory: PathBuf, store: Arc<dyn Store>, kinds: Kinds) -> Folder {
        let definitions = Definitions::new(store.clone(), kinds);
        Folder { directory, store, definitions, clock: Clock::new() }
    }

    fn write(&self, path: &Path, runs: &[RunRow]) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        // It has its name once it is whole.
        let file = tempfile::NamedTempFile::new_in(&self.directory)?;
        let mut packed = zstd::Encoder::new(BufWriter::new(file.as_file()), LEVEL)?;
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
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(&self.directory)?.sync_all()?;
        Ok(())
    }
}

impl Archive for Folder {
    fn keep(&self, runs: &[RunRow]) -> Result<(), String> {
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(()) };
        // The same batch again, after a crash, is the same file.
        let name = format!("runs-{}-{}.jsonl.zst", first.run_id, last.run_id);
        let path = self.directory.join(name);
        self.write(&path, runs).map_err(|error| format!("{}: {error:#}", path.display()))
    }
}
