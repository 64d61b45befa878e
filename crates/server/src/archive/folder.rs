use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use windlass_engine::Archive;
use windlass_store::RunRow;

use super::{ENDING, Packer, name};

/// A directory of runs that are kept nowhere else.
pub(super) struct Folder {
    pub(super) directory: PathBuf,
    pub(super) packer: Packer,
}

impl Folder {
    fn write(&self, name: &str, runs: &[RunRow]) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        // It has its name once it is whole.
        let file = NamedTempFile::new_in(&self.directory)?;
        self.packer.pack(runs, BufWriter::new(file.as_file()))?;
        file.as_file().sync_all()?;
        give_name(file, &self.directory, name)?;
        File::open(&self.directory)?.sync_all()?;
        Ok(())
    }
}

/// Gives a file the name, or the first of `NAME-2`, `NAME-3` … that no other file has. What is there is
/// never overwritten: it may be the only place that has these runs. The same content needs no second name.
fn give_name(mut file: NamedTempFile, directory: &Path, name: &str) -> anyhow::Result<()> {
    for number in 1_u32.. {
        let numbered = match number {
            1 => format!("{name}{ENDING}"),
            _ => format!("{name}-{number}{ENDING}"),
        };
        let path = directory.join(numbered);
        file = match file.persist_noclobber(&path) {
            Ok(_) => return Ok(()),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => error.file,
            Err(error) => return Err(error.error.into()),
        };
        if is_alike(file.path(), &path)? {
            return Ok(());
        }
    }
    anyhow::bail!("all names are taken")
}

fn is_alike(one: &Path, other: &Path) -> std::io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (BufReader::new(one).bytes(), BufReader::new(other).bytes());
    loop {
        match (one.next().transpose()?, other.next().transpose()?) {
            (None, None) => return Ok(true),
            (here, there) if here != there => return Ok(false),
            _ => {}
        }
    }
}

impl Archive for Folder {
    fn keep(&self, runs: &[RunRow]) -> Result<(), String> {
        let Some(name) = name(runs) else { return Ok(()) };
        let path = self.directory.join(&name);
        self.write(&name, runs).map_err(|error| format!("{}: {error:#}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn no_file_of_an_archive_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let write = |text: &str| {
            let mut file = NamedTempFile::new_in(directory.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            give_name(file, directory.path(), "runs-a-b").unwrap();
        };
        for text in ["all of it", "some", "some", "all of it", "more"] {
            write(text);
        }
        let files = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<(String, String)> = files
            .map(|path| {
                let text = std::fs::read_to_string(&path).unwrap();
                (path.file_name().unwrap().to_string_lossy().into_owned(), text)
            })
            .collect();
        files.sort();
        let wanted = [
            ("runs-a-b-2.jsonl.zst", "some"),
            ("runs-a-b-3.jsonl.zst", "more"),
            ("runs-a-b.jsonl.zst", "all of it"),
        ];
        assert_eq!(files, wanted.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }
}
