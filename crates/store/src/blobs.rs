//! Large texts, each in a file of its own beside the database.
//!
//! A file is named by the SHA-256 of what it holds: `ab/cdef…`. It gets that name only once all of
//! it is on the disk, so a file that has its name is whole, and whoever reads it checks that. Files
//! are written before the commit that names them and never changed; one that no commit came to name
//! is found by its age.
//!
//! Not here: which texts are large, and who names a file (`sql::blobs`).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use windlass_core::Time;

use crate::error::StoreError;
use crate::text::sha256_hex;

/// How many folders the files are spread over, by the first two digits of their names.
const FOLDER_COUNT: usize = 256;

/// What a draft's name begins with. No folder is named so.
const DRAFT: &str = "draft-";

/// A directory of large texts.
pub(crate) struct Blobs {
    directory: PathBuf,
    draft_count: AtomicU64,
    /// Shared by those who have written a file and not yet committed its name, and held alone by
    /// who removes files: none goes between its writing and its commit.
    in_use: RwLock<()>,
    /// The folder to look at next for files nobody names.
    next_folder: Mutex<usize>,
}

/// Holds all files in their place.
pub(crate) type InUse<'a> = RwLockReadGuard<'a, ()>;

impl Blobs {
    /// The files of a directory. It is made when the first file is written.
    pub(crate) fn at(directory: &Path) -> Blobs {
        Blobs {
            directory: directory.to_owned(),
            draft_count: AtomicU64::new(0),
            in_use: RwLock::default(),
            next_folder: Mutex::default(),
        }
    }

    /// While this is held, no file is removed.
    pub(crate) fn in_use(&self) -> InUse<'_> {
        self.in_use.read()
    }

    /// While this is held, nobody is about to name a file.
    pub(crate) fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.in_use.write()
    }

    /// Writes texts, and returns when they are durable. Answers their hashes. A file that is there
    /// already is written again: it is young then, and whole.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the disk refuses.
    pub(crate) fn put(&self, texts: &[&str]) -> Result<Vec<String>, StoreError> {
        let mut drafts = Vec::with_capacity(texts.len());
        let hashes: Vec<String> = texts.iter().map(|text| sha256_hex(text.as_bytes())).collect();
        self.write(texts, &hashes, &mut drafts).map_err(|error| {
            drafts.iter().for_each(|draft| drop(std::fs::remove_file(draft)));
            let directory = self.directory.display();
            StoreError::Unavailable(format!("cannot write a blob to `{directory}`: {error}"))
        })?;
        Ok(hashes)
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

    /// Reads a text. It is what was written, or an error.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`], with the hash, if the file is missing or not as it was written.
    pub(crate) fn read(&self, hash: &str) -> Result<String, StoreError> {
        let damaged = |what: &str| StoreError::Damaged(format!("the blob `{hash}` {what}"));
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash {
            return Err(damaged("has a name that is no hash"));
        }
        let (folder, name) = hash.split_at(2);
        let bytes = std::fs::read(self.directory.join(folder).join(name)).map_err(|error| {
            match error.kind() {
                ErrorKind::NotFound => {
                    damaged(&format!("is missing in `{}`", self.directory.display()))
                }
                _ => StoreError::Unavailable(format!("cannot read the blob `{hash}`: {error}")),
            }
        })?;
        if sha256_hex(&bytes) != hash {
            return Err(damaged("is not as it was written"));
        }
        String::from_utf8(bytes).map_err(|_| damaged("is no text"))
    }

    /// Goes on through the folders until it has looked at `limit` files or at all folders, and
    /// finishes the one it is in. Answers the files that were written before `before`, by their
    /// hashes. Old drafts, which nobody can be writing any more, it removes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the directory cannot be read.
    pub(crate) fn written_before(
        &self,
        before: Time,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let unavailable = |error: io::Error| {
            let directory = self.directory.display();
            StoreError::Unavailable(format!("cannot look through `{directory}`: {error}"))
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

    /// Removes a file, unless it was written again since `before`. Answers whether it did.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the disk refuses.
    pub(crate) fn remove_old(&self, hash: &str, before: Time) -> Result<bool, StoreError> {
        let (folder, name) = hash.split_at(2);
        let path = self.directory.join(folder).join(name);
        let is_old = std::fs::metadata(&path)
            .and_then(|about| micros(&about))
            .is_ok_and(|written| written < before.micros());
        if is_old {
            self.remove(&path)?;
        }
        Ok(is_old)
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
