//! Documents that speak of files which are not there.

use std::path::{Component, Path};

use super::{File, Tree, Violation};

/// What makes a word in backticks a file's name.
const EXTENSIONS: [&str; 12] =
    [".rs", ".toml", ".md", ".sql", ".js", ".css", ".html", ".yaml", ".yml", ".json", ".py", ".sh"];

/// Links inside of the repository lead somewhere.
pub(super) fn check_markdown(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.with_extension("md").filter(|file| is_ours(&file.path)) {
        for (line, text) in prose(file) {
            let broken =
                targets(&text).into_iter().filter(|target| !leads_somewhere(tree, file, target));
            violations.extend(broken.map(|target| Violation {
                file: file.path.clone(),
                line,
                what: format!("a link to `{target}`, which does not exist"),
                hint: "links are relative to the file they stand in",
            }));
        }
    }
    violations
}

/// ARCHITECTURE.md names files in backticks, by their path or the end of it.
pub(super) fn check_architecture(tree: &Tree) -> Vec<Violation> {
    let Some(file) = tree.files.iter().find(|file| file.path == "ARCHITECTURE.md") else {
        return Vec::new();
    };
    let mut violations = Vec::new();
    for (index, text) in file.text.lines().enumerate() {
        let spans = text.split('`').skip(1).step_by(2);
        let gone = spans.filter(|name| is_file_name(tree, name) && !exists(tree, name));
        violations.extend(gone.map(|name| Violation {
            file: file.path.clone(),
            line: index + 1,
            what: format!("`{name}` does not exist"),
            hint: "name it as it is now, by its path or the end of its path",
        }));
    }
    violations
}

fn is_ours(path: &str) -> bool {
    path.starts_with("docs/")
        || ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].contains(&path)
}

/// The lines outside of fenced blocks, with `code` taken out.
fn prose(file: &File) -> Vec<(usize, String)> {
    let mut is_fenced = false;
    let mut lines = Vec::new();
    for (index, text) in file.text.lines().enumerate() {
        if text.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced {
            lines.push((index + 1, text.split('`').step_by(2).collect::<Vec<_>>().join("`")));
        }
    }
    lines
}

/// What `[text](target)` and `[name]: target` lead to.
fn targets(text: &str) -> Vec<&str> {
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let reference = text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .and_then(|(_, target)| target.split_whitespace().next());
    inline.chain(reference).collect()
}

fn leads_somewhere(tree: &Tree, file: &File, target: &str) -> bool {
    let is_outside = target.contains("://") || target.starts_with("mailto:");
    let path = target.split('#').next().unwrap_or_default();
    if is_outside || path.is_empty() {
        return true;
    }
    let full = match path.strip_prefix('/') {
        Some(from_top) => Path::new(from_top).to_owned(),
        None => Path::new(&file.path).parent().unwrap_or_else(|| Path::new("")).join(path),
    };
    let mut parts: Vec<&str> = Vec::new();
    for component in full.components() {
        match component {
            Component::ParentDir if parts.pop().is_none() => return false,
            Component::Normal(part) => parts.extend(part.to_str()),
            _ => {}
        }
    }
    let full = parts.join("/");
    full.is_empty() || tree.paths.contains(&full) || is_folder(tree, &full)
}

fn is_folder(tree: &Tree, path: &str) -> bool {
    let inside = format!("{}/", path.trim_end_matches('/'));
    tree.paths.iter().any(|known| known.starts_with(&inside))
}

/// A name in backticks is a file's if it ends like one, or starts like a folder at the top. `*`
/// and `{a,b}` stand for several files, and are left to the reader.
fn is_file_name(tree: &Tree, name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if name.starts_with('/') || name.starts_with('.') || !name.chars().all(is_plain) {
        return false;
    }
    let top = name.split('/').next().unwrap_or_default();
    let is_path = name.contains('/') && is_folder(tree, top);
    is_path
        || EXTENSIONS
            .iter()
            .any(|extension| name.len() > extension.len() && name.ends_with(extension))
}

fn exists(tree: &Tree, name: &str) -> bool {
    let name = name.trim_end_matches('/');
    let (end, inside) = (format!("/{name}"), format!("/{name}/"));
    tree.paths.iter().any(|path| {
        let path = format!("/{path}");
        path.ends_with(&end) || path.contains(&inside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(violations: Vec<Violation>) -> Vec<usize> {
        violations.into_iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn links_are_followed_from_where_they_stand() {
        let page = "[a](../../README.md) [b](other.md#part) [c](#here) [d](https://elsewhere.example)\n\
                    ![gone](picture.png)\n[e](/crates/core) [f](../..) `[not](a/link.md)`\n\
                    ```\n[not](a/link.md)\n```\n[ref]: gone.md\n[g](../../../outside.md)";
        let tree = Tree::planted(&[
            ("docs/guide/page.md", page),
            ("docs/guide/other.md", ""),
            ("README.md", "[x](docs/guide/) [y](docs/gone/)"),
            ("crates/core/src/lib.rs", ""),
            ("vendor/README.md", "[not ours](gone.md)"),
        ]);
        let found = check_markdown(&tree);
        assert_eq!(lines(found), [2, 7, 8, 1]);
    }

    #[test]
    fn architecture_names_files_that_exist() {
        let text = "`crates/core/src/lib.rs`, `core/src/lib.rs`, `lib.rs`, `crates/core/`\n\
                    `crates/gone/`, `evolve.rs`\n`application/json`, `a.b()`, `.rs`, `/api/v1/x.json`\n\
                    `crates/{core,gone}` and `ib.rs`";
        let tree = Tree::planted(&[("ARCHITECTURE.md", text), ("crates/core/src/lib.rs", "")]);
        assert_eq!(lines(check_architecture(&tree)), [2, 2, 4]);
        assert_eq!(check_architecture(&Tree::planted(&[("README.md", text)])), []);
    }
}
