use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use windlass_engine::Archive;
use windlass_store::RunRow;

use super::{Packer, name};

/// A directory of runs that are kept nowhere else.
pub(super) struct Folder {
    pub(super) directory: PathBuf,
    pub(super) packer: Packer,
}

impl Folder {
    fn write(&self, path: &Path, runs: &[RunRow]) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        // It has its name once it is whole.
        let file = tempfile::NamedTempFile::new_in(&self.directory)?;
        self.packer.pack(runs, BufWriter::new(file.as_file()))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(&self.directory)?.sync_all()?;
        Ok(())
    }
}

impl Archive for Folder {
    fn keep(&self, runs: &[RunRow]) -> Result<(), String> {
        let Some(name) = name(runs) else { return Ok(()) };
        let path = self.directory.join(name);
        self.write(&path, runs).map_err(|error| format!("{}: {error:#}", path.display()))
    }
}
