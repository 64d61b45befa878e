use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::StoreError;

/// How long a lock is waited for. Whoever forks passes it on, until the child has become another
/// program: an owner that was killed in between seems to live on for that moment, which on a busy
/// machine lasts some tens of milliseconds.
const WAIT_MAX: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Holds a directory for this process. The system lets go of it when the process ends, however it
/// ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the directory, which must exist, by its file `windlass.lock`. Waits up to a second.
    ///
    /// # Errors
    ///
    /// [`StoreError::CannotOpen`] if another process has it, or the file cannot be made.
    pub fn take(directory: &Path) -> Result<DirectoryLock, StoreError> {
        let cannot = |what: String| {
            StoreError::CannotOpen(format!("cannot use `{}`: {what}", directory.display()))
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("windlass.lock"))
            .map_err(|error| cannot(error.to_string()))?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(DirectoryLock { _file: file }),
                Err(TryLockError::WouldBlock) if begin.elapsed() < WAIT_MAX => {
                    std::thread::sleep(LOOK_EVERY);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(cannot("another windlass process is using it".to_owned()));
                }
                Err(TryLockError::Error(error)) => return Err(cannot(error.to_string())),
            }
        }
    }
}
