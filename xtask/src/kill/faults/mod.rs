//! Ways in which a disk fails, each to be begun and ended while a server runs on it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// More than the WAL takes before it is folded back (32 MiB), and filled at once.
const DISK_SIZE: &str = "128m";
const SHIM: &str = include_str!("disk.c");

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// No space is left on the data directory's file system
    Full,
    /// Syncs of the database fail with EIO
    Sync,
    /// Writes to the database fail with EIO
    Write,
}

/// A disk that can fail.
pub(super) enum Fault {
    /// A file system of its own in memory, mounted here.
    Full { mount: PathBuf },
    /// A library preloaded into the server, which fails while the control file exists.
    Error { library: PathBuf, control: PathBuf, what: &'static str },
}

impl Fault {
    /// Prepares a way to fail, with its files in `dir`.
    pub(super) fn new(kind: Kind, dir: &Path) -> Result<Fault> {
        let what = match kind {
            Kind::Full => return Fault::mounted(dir),
            Kind::Sync => "sync",
            Kind::Write => "write",
        };
        let (source, library) = (dir.join("disk.c"), dir.join("disk.so"));
        fs::write(&source, SHIM)?;
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source);
        succeed(cc)?;
        Ok(Fault::Error { library, control: dir.join("fault"), what })
    }

    fn mounted(dir: &Path) -> Result<Fault> {
        let mount = dir.join("disk");
        fs::create_dir(&mount)?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={DISK_SIZE}"), "tmpfs"]).arg(&mount);
        succeed(command).context("a disk to be filled needs the right to mount")?;
        Ok(Fault::Full { mount })
    }

    /// Where the data directory has to be, if it matters.
    pub(super) fn place(&self) -> Option<&Path> {
        match self {
            Fault::Full { mount } => Some(mount),
            Fault::Error { .. } => None,
        }
    }

    /// What the server's environment needs.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        match self {
            Fault::Full { .. } => Vec::new(),
            Fault::Error { library, control, .. } => {
                vec![("LD_PRELOAD", library.into()), ("WINDLASS_FAULT", control.into())]
            }
        }
    }

    /// Whether nothing at all can become durable while it lasts. A full disk may have room in files
    /// that are there.
    pub(super) fn is_total(&self) -> bool {
        matches!(self, Fault::Error { .. })
    }

    pub(super) fn begin(&self) -> Result<()> {
        match self {
            Fault::Full { mount } => fill(&mount.join("ballast")),
            Fault::Error { control, what, .. } => Ok(fs::write(control, what)?),
        }
    }

    pub(super) fn end(&self) -> Result<()> {
        let obstacle = match self {
            Fault::Full { mount } => &mount.join("ballast"),
            Fault::Error { control, .. } => control,
        };
        Ok(fs::remove_file(obstacle)?)
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        if let Fault::Full { mount } = self {
            // Lazily, since a server that is being killed may still hold files in it.
            let _ = Command::new("umount").arg("-l").arg(mount).status();
        }
    }
}

/// Writes until nothing more goes in.
fn fill(file: &Path) -> Result<()> {
    let mut file = File::create(file)?;
    for size in [64 * 1024, 4096, 1] {
        let portion = vec![b'x'; size];
        loop {
            match file.write(&portion) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

fn succeed(mut command: Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
