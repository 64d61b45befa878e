//! Large texts, each in a file of its own: `ab/cdef…`, by its hash. A file gets that name only once
//! all of it is on the disk, so a file that has its name is whole.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use parking_lot::Mutex;
use windlass_core::Time;

use crate::error::StoreError;

/// How many folders the files are spread over, by the first two digits of their names.
const FOLDER_COUNT: usize = 256;

/// What a draft's name begins with. No folder is named so.
const DRAFT: &str = "draft-";

/// A directory of large texts.
pub(super) struct Files {
    directory: PathBuf,
    draft_count: AtomicU64,
    /// The folder to look at next for files nobody names.
    next_folder: Mutex<usize>,
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.directory.display(), f)
    }
}

impl Files {
    /// The files of a directory. It is made when the first file is written.
    pub(super) fn at(directory: &Path) -> Files {
        Files {
            directory: directory.to_owned(),
            draft_count: AtomicU64::new(0),
            next_folder: Mutex::default(),
        }
    }

    /// Writes texts under their hashes. A file that is there already is replaced.
    pub(super) fn put(&self, texts: &[&str], hashes: &[String]) -> Result<(), StoreError> {
        let mut drafts = Vec::with_capacity(texts.len());
        self.write(texts, hashes, &mut drafts).map_err(|error| {
            drafts.iter().for_each(|draft| drop(std::fs::remove_file(draft)));
            StoreError::Unavailable(format!("cannot write a blob to `{self}`: {error}"))
        })
    }

    fn write(
        &self,
        texts: &[&str],
        hashes: &[String],
        drafts: &mut Vec<PathBuf>,
    ) -> io::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        for text in texts {
            let number = self.draft_count.fetch_add(1, Ordering::Relaxed);
            let draft = self.directory.join(format!("{DRAFT}{}-{number}", std::process::id()));
            let mut file = File::create(&draft)?;
            drafts.push(draft);
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
        }
        let mut folders = BTreeSet::new();
        for (hash, draft) in hashes.iter().zip(&*drafts) {
            let (folder, name) = hash.split_at(2);
            let folder = self.directory.join(folder);
            std::fs::create_dir_all(&folder)?;
            std::fs::rename(draft, folder.join(name))?;
            folders.insert(folder);
        }
        // A folder may be new, and so may the directory. Another commit may have made them and not
        // come this far, so each sees to it itself.
        for folder in &folders {
            sync(folder)?;
        }
        sync(&self.directory)?;
        let parent = self.directory.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or_else(|| Path::new(".")))
    }

    /// What is in a file, if there is one.
    pub(super) fn read(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let (folder, name) = hash.split_at(2);
        match std::fs::read(self.directory.join(folder).join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(StoreError::Unavailable(format!("cannot read the blob `{hash}`: {error}")))
            }
        }
    }

    /// Goes on through the folders until it has looked at `limit` files or at all folders, and
    /// finishes the one it is in.
    pub(super) fn written_before(
        &self,
        before: Time,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let unavailable = |error: io::Error| {
            StoreError::Unavailable(format!("cannot look through `{self}`: {error}"))
        };
        for (name, is_old) in self.files("", before).map_err(unavailable)? {
            if is_old && name.starts_with(DRAFT) {
                self.remove(&self.directory.join(name))?;
            }
        }
        let (mut seen, mut old) = (0, Vec::new());
        let mut next = self.next_folder.lock();
        for _ in 0..FOLDER_COUNT {
            let folder = format!("{:02x}", *next);
            for (name, is_old) in self.files(&folder, before).map_err(unavailable)? {
                seen += 1;
                if is_old {
                    old.push(format!("{folder}{name}"));
                }
            }
            *next = (*next + 1) % FOLDER_COUNT;
            if seen >= limit {
                break;
            }
        }
        Ok(old)
    }

    /// The names in a folder, each with whether it is old.
    fn files(&self, folder: &str, before: Time) -> io::Result<Vec<(String, bool)>> {
        let mut found = Vec::new();
        let entries = match std::fs::read_dir(self.directory.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.metadata() {
                Ok(about) if about.is_file() => {
                    found.push((name, micros(&about)? < before.micros()));
                }
                // A draft that has got its name meanwhile.
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(found)
    }

    pub(super) fn remove_old(&self, hashes: &[String], before: Time) -> Result<usize, StoreError> {
        let mut removed = 0;
        for hash in hashes {
            let (folder, name) = hash.split_at(2);
            let path = self.directory.join(folder).join(name);
            let written = std::fs::metadata(&path).and_then(|about| micros(&about));
            if written.is_ok_and(|written| written < before.micros()) {
                self.remove(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn remove(&self, path: &Path) -> Result<(), StoreError> {
        std::fs::remove_file(path).map_err(|error| {
            StoreError::Unavailable(format!("cannot remove `{}`: {error}", path.display()))
        })
    }
}

/// When a file was written, in microseconds since 1970.
fn micros(about: &std::fs::Metadata) -> io::Result<i64> {
    let since = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
