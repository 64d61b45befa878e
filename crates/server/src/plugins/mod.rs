//! Plugins: kinds of node that programs of others do.
//!
//! Their manifests are read when the server starts, so a definition is checked against their kinds
//! before any worker has come. Workers come from outside, or are children of the server.

mod child;

use std::io::Read;
use std::path::Path;

use windlass_nodes::Registry;
use windlass_nodes::worker::{MANIFEST_BYTES_MAX, Manifest};

pub use child::Children;

use crate::config::{Config, ConfigError};

/// All kinds of node, those of plugins included.
///
/// # Errors
///
/// Everything that is wrong with the manifests, one sentence each.
pub fn registry(config: &Config) -> Result<Registry, ConfigError> {
    let (mut manifests, mut wrong) = (Vec::new(), Vec::new());
    for (name, section) in &config.plugins {
        match read(&section.manifest) {
            Ok(manifest) => manifests.push((name.clone(), manifest)),
            Err(found) => {
                let file = section.manifest.display();
                wrong.extend(
                    found.iter().map(|what| format!("plugins.{name}.manifest: `{file}` {what}")),
                );
            }
        }
    }
    if !wrong.is_empty() {
        return Err(ConfigError(wrong));
    }
    let mut registry = Registry::builtin();
    let added = registry.add_plugins(manifests);
    added.map_err(|wrong| {
        ConfigError(wrong.iter().map(|what| format!("plugins: {what}")).collect())
    })?;
    Ok(registry)
}

fn read(path: &Path) -> Result<Manifest, Vec<String>> {
    let unreadable = |error: std::io::Error| vec![format!("cannot be read: {error}")];
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // One byte more than is allowed is enough to know.
    let most = u64::try_from(MANIFEST_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    file.take(most).read_to_string(&mut text).map_err(unreadable)?;
    Manifest::parse(&text)
}
