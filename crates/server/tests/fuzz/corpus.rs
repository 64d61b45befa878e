//! What mutations begin with: everything well-formed that lies in the repository.

use std::path::{Path, PathBuf};

use windlass_nodes::Registry;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Files of a folder, in the order of their names.
fn files(folder: &Path) -> Vec<String> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .filter(|path| path.is_file())
        .map(|p| std::fs::read_to_string(p).unwrap())
        .collect()
}

/// The examples, and those of the kinds.
pub(crate) fn definitions() -> Vec<String> {
    let mut texts = files(&repository().join("examples"));
    texts.extend(Registry::builtin().kinds().iter().map(|kind| kind.example.to_owned()));
    assert!(texts.len() > 10);
    texts
}

/// The blocks of the page on expressions, line by line.
pub(crate) fn expressions() -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("docs/expressions.md")).unwrap();
    let quoted = page.split('`').skip(1).step_by(2);
    let texts: Vec<String> =
        quoted.filter(|text| text.len() > 2 && !text.contains('\n')).map(str::to_owned).collect();
    assert!(texts.len() > 30);
    texts
}

/// Recorded journals, one event a line.
pub(crate) fn journals() -> Vec<Vec<String>> {
    let versions = std::fs::read_dir(repository().join("crates/core/tests/histories")).unwrap();
    let mut folders: Vec<_> = versions.map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    let texts = folders.iter().flat_map(|folder| files(folder));
    let journals: Vec<Vec<String>> = texts
        .filter(|text| text.starts_with("{\"at\":"))
        .map(|text| text.lines().map(str::to_owned).collect())
        .collect();
    assert!(journals.len() > 20);
    journals
}
