//! Where things are, and how cargo is asked for them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// A cargo command that runs at the top of the repository.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root());
    cargo
}

/// The binary as given, or one that is built now, in the dev profile: these commands look at what
/// the server does, not at how fast it does it.
pub(crate) fn windlass(given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = given {
        return path.canonicalize().with_context(|| format!("`{}`", path.display()));
    }
    let output = cargo()
        .args(["build", "--package", "windlass-server", "--bin", "windlass"])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("`windlass` does not build");
    }
    // The target directory may be anywhere; cargo says where it put what it built.
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo did not say where it put `windlass`")
}
