//! `cargo xtask tidy`: what no compiler checks. One file per rule.
//!
//! A rule is a function from the tree of files to the violations it found. It sees what git would
//! commit, new files included, so that a breach shows before the commit and not after it.

mod arrows;
mod links;
mod size;
mod source;
mod sql;
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::root;

const RULES: [fn(&Tree) -> Vec<Violation>; 6] = [
    size::check,
    arrows::check,
    sql::check,
    words::check,
    links::check_markdown,
    links::check_architecture,
];

/// Something that must not be so.
#[derive(Debug, PartialEq)]
struct Violation {
    file: String,
    line: usize,
    what: String,
    hint: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { file, line, what, hint } = self;
        write!(f, "{file}:{line}: {what}\n    {hint}")
    }
}

/// The repository's files, by their paths from the top.
#[derive(Default)]
struct Tree {
    /// All of them.
    paths: BTreeSet<String>,
    /// Those that are text.
    files: Vec<File>,
}

struct File {
    path: String,
    text: String,
}

impl Tree {
    fn read(root: &Path) -> Result<Tree> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("cannot run git")?;
        if !output.status.success() {
            bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        }
        let listed = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
        let mut tree = Tree::default();
        for path in listed.split_terminator('\0') {
            // What git still lists but somebody has removed is gone.
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            tree.paths.insert(path.to_owned());
            if let Ok(text) = String::from_utf8(bytes) {
                tree.files.push(File { path: path.to_owned(), text });
            }
        }
        Ok(tree)
    }

    fn with_extension(&self, extension: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| {
            Path::new(&file.path).extension().is_some_and(|found| found == extension)
        })
    }

    #[cfg(test)]
    fn planted(files: &[(&str, &str)]) -> Tree {
        let own = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        let paths = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        Tree { paths, files: files.iter().map(own).collect() }
    }
}

/// Prints what is long and what is wrong; answers whether nothing is.
pub(crate) fn run() -> Result<bool> {
    let tree = Tree::read(&root())?;
    print!("{}", size::longest(&tree));
    let violations: Vec<Violation> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    for violation in &violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => println!("tidy: {} files, no violations", tree.paths.len()),
        count => println!("tidy: {} files, {count} violations", tree.paths.len()),
    }
    Ok(violations.is_empty())
}
