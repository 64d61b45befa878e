//! Only the store speaks SQL.

use super::source::{Kind, pieces};
use super::{Tree, Violation};

/// Where SQL is at home. The bench measures a bare database beside ours, one test plays somebody who
/// alters what must not be altered, and one makes a database large that has a use for nothing of it.
const EXEMPT: [&str; 4] = [
    "crates/store/",
    "crates/server/src/cli/bench/",
    "crates/server/tests/api/tamper.rs",
    "crates/server/tests/cli/compact.rs",
];

/// How statements begin. Upper case only: a sentence may well begin with "Select".
const OPENINGS: [&[&str]; 5] = [
    &["SELECT"],
    &["INSERT", "INTO"],
    &["UPDATE", "", "SET"],
    &["DELETE", "FROM"],
    &["CREATE", "TABLE"],
];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.with_extension("rs") {
        if EXEMPT.iter().any(|exempt| file.path.starts_with(exempt)) {
            continue;
        }
        for piece in pieces(&file.text).into_iter().filter(|piece| piece.kind == Kind::Literal) {
            let (line, text) = piece.whole();
            if let Some(opening) = OPENINGS.iter().find(|opening| begins_with(text, opening)) {
                violations.push(Violation {
                    file: file.path.clone(),
                    line,
                    what: format!("a string begins like SQL: `{}`", opening[0]),
                    hint: "SQL lives in crates/store; add a verb to its trait",
                });
            }
        }
    }
    violations
}

/// Whether the text's words begin with these; an empty one stands for any word.
fn begins_with(text: &str, opening: &[&str]) -> bool {
    let mut words = text.split_whitespace();
    opening
        .iter()
        .all(|expected| words.next().is_some_and(|word| expected.is_empty() || word == *expected))
        && words.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_found_in_any_kind_of_string() {
        let source = "let a = \"SELECT 1\";\nlet b = r#\"\n  UPDATE runs\n  SET a = 1\"#;\n\
                      // \"DELETE FROM runs\"\nlet c = \"Select a run\"; let d = \"UPDATE it\";";
        let tree = Tree::planted(&[
            ("crates/engine/src/a.rs", source),
            ("crates/store/src/sql/b.rs", source),
            ("crates/server/src/cli/bench/probe.rs", source),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|v| (v.file, v.line)).collect();
        let file = "crates/engine/src/a.rs".to_owned();
        assert_eq!(found, [(file.clone(), 1), (file, 2)]);
    }

    #[test]
    fn each_opening_is_known() {
        let source = "[\"INSERT INTO t VALUES (1)\",\n\"DELETE FROM t\",\n\"CREATE TABLE t (a)\"]";
        assert_eq!(check(&Tree::planted(&[("a.rs", source)])).len(), 3);
    }
}
