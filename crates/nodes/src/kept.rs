//! Directories that belong to a step and not to one of its attempts: they outlive a crash of the
//! server, and go when the step has ended.

use std::collections::HashSet;
use std::fs;
use std::hash::Hasher;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::sandbox;

/// What the directory of all of them is called, below that of the attempts.
const NAME: &str = "kept";

/// The directories of steps, one for each step that asks for it.
#[derive(Debug)]
pub struct Kept {
    root: PathBuf,
    /// The runs that have any.
    runs: Mutex<HashSet<Uuid>>,
}

impl Kept {
    /// Those below a directory of attempts, with what an earlier server has left there.
    pub fn new(work_dir: &Path) -> Kept {
        let root = work_dir.join(NAME);
        let entries = fs::read_dir(&root).into_iter().flatten().flatten();
        let runs = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        Kept { root, runs: Mutex::new(runs) }
    }

    /// Whether something below a directory of attempts is what outlives a crash.
    pub fn is_kept(name: &std::ffi::OsStr) -> bool {
        name == NAME
    }

    /// The runs that have directories.
    pub fn runs(&self) -> Vec<Uuid> {
        self.lock().iter().copied().collect()
    }

    /// Whether a run has a directory.
    pub fn has(&self, run_id: Uuid) -> bool {
        self.lock().contains(&run_id)
    }

    /// The directory of a step: the one it had before, or an empty one.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn open(&self, run_id: Uuid, step: &str) -> io::Result<PathBuf> {
        let place = self.place(run_id, step);
        self.lock().insert(run_id);
        fs::create_dir_all(&place)?;
        Ok(place)
    }

    /// Removes the directory of a step, if it has one. Blocks.
    pub fn remove_step(&self, run_id: Uuid, step: &str) {
        remove(&self.place(run_id, step));
    }

    /// Removes all directories of a run. Blocks.
    pub fn remove_run(&self, run_id: Uuid) {
        remove(&self.root.join(run_id.to_string()));
        self.lock().remove(&run_id);
    }

    fn place(&self, run_id: Uuid, step: &str) -> PathBuf {
        self.root.join(run_id.to_string()).join(name_of(step))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<Uuid>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path of a step may be longer than a name may be, so its end is followed by a hash.
fn name_of(step: &str) -> String {
    let readable: Vec<char> = step
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '.' })
        .collect();
    let end: String = readable[readable.len().saturating_sub(64)..].iter().collect();
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    hasher.write(step.as_bytes());
    format!("{}-{:016x}", end.trim_start_matches('.'), hasher.finish())
}

/// The same in every process, unlike the hasher of the standard library.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn remove(directory: &Path) {
    match sandbox::remove_directory(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "a directory of a step could not be removed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_finds_its_directory_again_until_it_is_removed() {
        let around = tempfile::tempdir().unwrap();
        let (run, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let kept = Kept::new(around.path());
        let steps = ["a", "each[3].a", "../../a", &"long.".repeat(200), "é"];
        for step in steps {
            let place = kept.open(run, step).unwrap();
            assert!(place.parent().unwrap().ends_with(format!("kept/{run}")), "{place:?}");
            fs::write(place.join("note"), step).unwrap();
        }
        kept.open(other, "a").unwrap();
        // A server that comes after.
        let kept = Kept::new(around.path());
        assert!(kept.has(run) && kept.runs().len() == 2);
        for step in steps {
            let place = kept.open(run, step).unwrap();
            assert_eq!(fs::read_to_string(place.join("note")).unwrap(), step);
        }
        kept.remove_step(run, "a");
        assert_eq!(fs::read_dir(kept.open(run, "a").unwrap()).unwrap().count(), 0);
        kept.remove_run(run);
        kept.remove_run(run);
        assert_eq!(kept.runs(), [other]);
        assert_eq!(fs::read_dir(around.path().join("kept")).unwrap().count(), 1);
    }
}
