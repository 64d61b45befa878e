use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::error::StoreError;

/// Holds a directory for this process. The system lets go of it when the process ends, however it
/// ends.
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    pub(super) fn take(directory: &Path) -> Result<DirectoryLock, StoreError> {
        let cannot = |what: String| {
            StoreError::CannotOpen(format!("cannot use `{}`: {what}", directory.display()))
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("windlass.lock"))
            .map_err(|error| cannot(error.to_string()))?;
        match file.try_lock() {
            Ok(()) => Ok(DirectoryLock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(cannot("another windlass process is using it".to_owned()))
            }
            Err(TryLockError::Error(error)) => Err(cannot(error.to_string())),
        }
    }
}
