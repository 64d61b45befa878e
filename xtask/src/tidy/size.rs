//! A file that is too long holds more than one idea.

use super::{Tree, Violation};

const LINE_COUNT_MAX: usize = 600;
const SHOWN: usize = 10;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let too_long = lengths(tree).into_iter().filter(|(count, _)| *count > LINE_COUNT_MAX);
    too_long
        .map(|(count, path)| Violation {
            file: path.to_owned(),
            line: LINE_COUNT_MAX + 1,
            what: format!("{count} lines, and {LINE_COUNT_MAX} are the most"),
            hint: "split it by what a reader would look for; long tests go to a sibling `tests.rs`",
        })
        .collect()
}

/// The longest files and the median, shown on every run so that growth is seen before the limit.
pub(super) fn longest(tree: &Tree) -> String {
    let lengths = lengths(tree);
    let median = lengths.get(lengths.len() / 2).map_or(0, |(count, _)| *count);
    let mut text = String::new();
    for (count, path) in lengths.iter().take(SHOWN) {
        text += &format!("{count:>5} {path}\n");
    }
    text + &format!("{median:>5} the median of {} Rust files\n", lengths.len())
}

fn lengths(tree: &Tree) -> Vec<(usize, &str)> {
    let mut lengths: Vec<(usize, &str)> = tree
        .with_extension("rs")
        .map(|file| (file.text.lines().count(), file.path.as_str()))
        .collect();
    lengths.sort_by_key(|(count, path)| (usize::MAX - count, *path));
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_600_lines_and_not_601() {
        let (most, too_many) = ("x\n".repeat(600), "x\n".repeat(601));
        let tree = Tree::planted(&[("a.rs", &most), ("b.rs", &too_many), ("c.md", &too_many)]);
        let found = check(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].file.as_str(), found[0].line), ("b.rs", 601));
    }

    #[test]
    fn the_longest_come_first_and_the_median_last() {
        let tree = Tree::planted(&[("a.rs", "1\n"), ("b.rs", "1\n2\n3\n"), ("c.rs", "1\n2\n")]);
        let expected = "    3 b.rs\n    2 c.rs\n    1 a.rs\n    2 the median of 3 Rust files\n";
        assert_eq!(longest(&tree), expected);
    }
}
