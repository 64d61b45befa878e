use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use tokio::sync::watch;
use windlass_engine::Archive;
use windlass_store::{RunRow, S3Folder};

use super::{Packer, name};

/// A part of a bucket with runs that are kept nowhere else.
pub(super) struct Bucket {
    pub(super) folder: S3Folder,
    pub(super) packer: Packer,
    /// Where a batch is written first: it may be larger than memory, and may have to be sent twice.
    pub(super) drafts: PathBuf,
    /// A server that ends does not wait for a large batch. The next one sends it again.
    pub(super) going_down: watch::Receiver<bool>,
}

impl Bucket {
    fn draft(&self, runs: &[RunRow]) -> anyhow::Result<File> {
        // It has no name, so it is gone with this process, however that ends.
        let file = tempfile::tempfile_in(&self.drafts)?;
        self.packer.pack(runs, BufWriter::new(&file))?;
        Ok(file)
    }
}

impl Archive for Bucket {
    fn keep(&self, runs: &[RunRow]) -> Result<(), String> {
        let Some(name) = name(runs) else { return Ok(()) };
        let cannot = |error: anyhow::Error| format!("{}: {error:#}", self.drafts.display());
        let mut file = self.draft(runs).map_err(cannot)?;
        self.folder.put(&name, &mut file, &|| !*self.going_down.borrow())
    }
}
