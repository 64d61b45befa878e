use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _};
use std::path::PathBuf;

use ring::digest::{Context, SHA256};
use tokio::sync::watch;
use windlass_engine::Archive;
use windlass_store::{RunRow, S3Folder};

use super::{ENDING, Packer, name};

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

/// A short mark of what a file says. The key may only put objects, not look which there are: with it in
/// its name, an object is overwritten by nothing but its own content.
fn mark(file: &mut File) -> std::io::Result<String> {
    file.rewind()?;
    let (mut context, mut part) = (Context::new(&SHA256), vec![0; 64 * 1024]);
    loop {
        let count = file.read(&mut part)?;
        if count == 0 {
            break;
        }
        context.update(part.get(..count).unwrap_or_default());
    }
    let digest = context.finish();
    Ok(digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

impl Archive for Bucket {
    fn keep(&self, runs: &[RunRow]) -> Result<(), String> {
        let Some(name) = name(runs) else { return Ok(()) };
        let cannot = |error: anyhow::Error| format!("{}: {error:#}", self.drafts.display());
        let mut file = self.draft(runs).map_err(cannot)?;
        let mark = mark(&mut file).map_err(|error| cannot(error.into()))?;
        let name = format!("{name}-{mark}{ENDING}");
        self.folder.put(&name, &mut file, &|| !*self.going_down.borrow())
    }
}
