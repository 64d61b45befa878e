//! Large texts, beside the database: files of a directory, or objects of an S3-compatible service.
//!
//! Wherever they are, each is named by the SHA-256 of what it holds. It is written before the commit
//! that names it, is never changed, and whoever reads it checks that. One that no commit came to
//! name is found by its age.
//!
//! Not here: which texts are large, and who names one (`sql::blobs`).

mod files;
mod s3;

use std::path::{Path, PathBuf};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use windlass_core::Time;

use crate::error::StoreError;
use crate::text::sha256_hex;
use files::Files;
use s3::S3;
pub use s3::{S3Folder, S3Options};

/// Where values are kept that are too large for a row. What a database does not name there, it
/// removes: the place belongs to it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobPlace {
    /// A directory, which is created when it is needed.
    Files(PathBuf),
    /// A bucket, or the part of one.
    S3(S3Options),
}

impl From<PathBuf> for BlobPlace {
    fn from(directory: PathBuf) -> BlobPlace {
        BlobPlace::Files(directory)
    }
}

impl From<S3Options> for BlobPlace {
    fn from(options: S3Options) -> BlobPlace {
        BlobPlace::S3(options)
    }
}

impl From<&Path> for BlobPlace {
    fn from(directory: &Path) -> BlobPlace {
        BlobPlace::Files(directory.to_owned())
    }
}

/// A place of large texts.
pub(crate) struct Blobs {
    kept: Kept,
    /// Shared by those who have written a text and not yet committed its name, and held alone by
    /// who removes texts: none goes between its writing and its commit.
    in_use: RwLock<()>,
}

enum Kept {
    Files(Files),
    S3(Box<S3>),
}

/// Holds all texts in their place.
pub(crate) type InUse<'a> = RwLockReadGuard<'a, ()>;

impl Blobs {
    /// The texts of a place, for whoever only reads them.
    ///
    /// # Errors
    ///
    /// [`StoreError::CannotOpen`] if the place makes no sense.
    pub(crate) fn at(place: &BlobPlace) -> Result<Blobs, StoreError> {
        let kept = match place {
            BlobPlace::Files(directory) => Kept::Files(Files::at(directory)),
            BlobPlace::S3(options) => Kept::S3(Box::new(S3::at(options)?)),
        };
        Ok(Blobs { kept, in_use: RwLock::default() })
    }

    /// The texts of a place that is going to be written to. A service is asked whether it lets us
    /// before any work is taken that would depend on it; a directory tells its troubles by itself.
    ///
    /// # Errors
    ///
    /// [`StoreError::CannotOpen`] if the place makes no sense, or a service does not let us write,
    /// read, list and remove.
    pub(crate) fn open(place: &BlobPlace) -> Result<Blobs, StoreError> {
        let blobs = Blobs::at(place)?;
        if let Kept::S3(s3) = &blobs.kept {
            s3.probe()?;
        }
        Ok(blobs)
    }

    /// While this is held, no text is removed.
    pub(crate) fn in_use(&self) -> InUse<'_> {
        self.in_use.read()
    }

    /// While this is held, nobody is about to name a text.
    pub(crate) fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.in_use.write()
    }

    /// Writes texts, and returns when they are durable. Answers their hashes. One that is there
    /// already is written again: it is young then, and whole.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the disk or the service refuses.
    pub(crate) fn put(&self, texts: &[&str]) -> Result<Vec<String>, StoreError> {
        let hashes: Vec<String> = texts.iter().map(|text| sha256_hex(text.as_bytes())).collect();
        match &self.kept {
            Kept::Files(files) => files.put(texts, &hashes)?,
            Kept::S3(s3) => s3.put(texts, &hashes)?,
        }
        Ok(hashes)
    }

    /// Reads a text. It is what was written, or an error.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`], with the hash, if the text is missing or not as it was written;
    /// [`StoreError::Unavailable`] if the disk or the service refuses.
    pub(crate) fn read(&self, hash: &str) -> Result<String, StoreError> {
        let damaged = |what: &str| StoreError::Damaged(format!("the blob `{hash}` {what}"));
        if !is_hash(hash) {
            return Err(damaged("has a name that is no hash"));
        }
        let found = match &self.kept {
            Kept::Files(files) => files.read(hash)?.ok_or_else(|| files.to_string()),
            Kept::S3(s3) => s3.read(hash)?.ok_or_else(|| s3.to_string()),
        };
        let bytes = found.map_err(|place| damaged(&format!("is missing in `{place}`")))?;
        if sha256_hex(&bytes) != hash {
            return Err(damaged("is not as it was written"));
        }
        String::from_utf8(bytes).map_err(|_| damaged("is no text"))
    }

    /// Goes on from where it was until it has looked at about `limit` texts or at all that follow.
    /// Answers those that were written before `before`, by their hashes. Old drafts and probes,
    /// which nobody can need any more, it removes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the place cannot be looked through.
    pub(crate) fn written_before(
        &self,
        before: Time,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        match &self.kept {
            Kept::Files(files) => files.written_before(before, limit),
            Kept::S3(s3) => s3.written_before(before, limit),
        }
    }

    /// Removes those of these texts that were not written again since `before`. Answers how many.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the disk or the service refuses. Some may be gone then.
    pub(crate) fn remove_old(&self, hashes: &[String], before: Time) -> Result<usize, StoreError> {
        match &self.kept {
            Kept::Files(files) => files.remove_old(hashes, before),
            Kept::S3(s3) => s3.remove_old(hashes, before),
        }
    }
}

/// Whether a name is one that a text may have.
fn is_hash(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
