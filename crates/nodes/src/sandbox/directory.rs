//! A directory of a step, and its removal.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory that goes when this is dropped, whatever a step has made of it.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// An empty one in `parent`.
    pub(super) fn new(parent: &Path) -> io::Result<Directory> {
        let directory: TempDir = tempfile::Builder::new().prefix("step-").tempdir_in(parent)?;
        Ok(Directory { path: directory.keep() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if fs::remove_dir(&self.path).is_ok() {
            return;
        }
        if let Err(error) = remove(&self.path) {
            tracing::warn!(%error, "a directory of a step could not be removed");
        }
    }
}

/// Removes a directory with all that is in it. One inside of another is moved up before it is entered:
/// a step can nest them so deep that no path and no number of open files is enough for the way down.
///
/// Nobody else is at it any more, so what was looked at stays what it is; links are removed, and never
/// followed.
pub(crate) fn remove(directory: &Path) -> io::Result<()> {
    let mut number = 0_u64;
    loop {
        let mut is_empty = true;
        for entry in fs::read_dir(directory)? {
            is_empty = false;
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
                continue;
            }
            // A step may have closed it to itself, and so to a server that is not root.
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700))?;
            for inner in fs::read_dir(entry.path())? {
                let inner = inner?;
                if inner.file_type()?.is_dir() {
                    let free = loop {
                        number += 1;
                        let free = directory.join(format!(".windlass-{number}"));
                        if fs::symlink_metadata(&free).is_err() {
                            break free;
                        }
                    };
                    fs::rename(inner.path(), free)?;
                } else {
                    fs::remove_file(inner.path())?;
                }
            }
            fs::remove_dir(entry.path())?;
        }
        if is_empty {
            return fs::remove_dir(directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_tree_is_removed_and_links_are_not_followed() {
        let around = tempfile::tempdir().unwrap();
        fs::write(around.path().join("kept"), "").unwrap();
        let directory = Directory::new(around.path()).unwrap();
        let mut deep = directory.path().to_owned();
        fs::write(deep.join(".windlass-1"), "").unwrap();
        for level in 0..300 {
            // Built from the inside, as a path to the innermost would soon be too long.
            let around = directory.path().join(format!("level-{level}"));
            fs::create_dir(&around).unwrap();
            fs::write(around.join("file"), "").unwrap();
            if level > 0 {
                fs::rename(directory.path().join("deep"), around.join("deep")).unwrap();
            }
            deep = directory.path().join("deep");
            fs::rename(&around, &deep).unwrap();
        }
        std::os::unix::fs::symlink(around.path(), deep.join("link")).unwrap();
        drop(directory);
        let left: Vec<_> =
            fs::read_dir(around.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
        assert_eq!(left, ["kept"]);
    }
}
