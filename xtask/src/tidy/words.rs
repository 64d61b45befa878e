//! Words that must not be there: unfinished work that nobody tracks, and clocks in the core.

use std::path::Path;

use super::source::{Kind, pieces};
use super::{File, Tree, Violation};

/// Looked through line by line, as if all of it were a comment.
const OTHER_TEXTS: [&str; 9] = ["py", "sh", "js", "css", "html", "sql", "toml", "yaml", "yml"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations: Vec<Violation> = tree.with_extension("rs").flat_map(in_rust).collect();
    let others = tree.files.iter().filter(|file| {
        let extension = Path::new(&file.path).extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| OTHER_TEXTS.contains(&extension))
    });
    for file in others {
        let lines = file.text.lines().enumerate();
        violations.extend(lines.filter_map(|(index, text)| unfinished(file, index + 1, text)));
    }
    violations
}

fn in_rust(file: &File) -> Vec<Violation> {
    let is_core = file.path.starts_with("crates/core/src/");
    let mut violations = Vec::new();
    for piece in pieces(&file.text) {
        for (line, text) in piece.lines() {
            match piece.kind {
                Kind::Comment => violations.extend(unfinished(file, line, text)),
                Kind::Literal => {}
                Kind::Code => {
                    violations.extend(left_behind(file, line, text));
                    violations.extend(clock(file, line, text).filter(|_| is_core));
                }
            }
        }
    }
    violations
}

fn unfinished(file: &File, line: usize, text: &str) -> Option<Violation> {
    let (word, hint) = if find_word(text, "FIXME").is_some() {
        ("FIXME", "mend it, or make it a `TODO` with an issue's number")
    } else {
        let after = &text[find_word(text, "TODO")? + "TODO".len()..];
        let number = after.trim_start_matches(['(', ' ', ':']).strip_prefix('#');
        if number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit())) {
            return None;
        }
        ("TODO", "say which issue will do it: `TODO #12: …`")
    };
    Some(Violation {
        file: file.path.clone(),
        line,
        what: format!("a {word} that nobody tracks"),
        hint,
    })
}

fn left_behind(file: &File, line: usize, text: &str) -> Option<Violation> {
    let word = ["todo!", "dbg!"].into_iter().find(|word| find_word(text, word).is_some())?;
    Some(Violation {
        file: file.path.clone(),
        line,
        what: format!("a `{word}` was left behind"),
        hint: "finish it, or take it out",
    })
}

fn clock(file: &File, line: usize, text: &str) -> Option<Violation> {
    let words = ["SystemTime", "Instant::now"];
    let word = words.into_iter().find(|word| find_word(text, word).is_some())?;
    Some(Violation {
        file: file.path.clone(),
        line,
        what: format!("the core reads a clock: `{word}`"),
        hint: "time comes in with the input, so that replay gives the same state",
    })
}

/// Where the word stands by itself. In backticks it is talked about and not used.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '`';
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let (before, after) = (&text[..*at], &text[at + word.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(path: &str, text: &str) -> Vec<(usize, String)> {
        let found = check(&Tree::planted(&[(path, text)]));
        found.into_iter().map(|violation| (violation.line, violation.what)).collect()
    }

    #[test]
    fn unfinished_work_needs_an_issue() {
        let source = "// TODO: later\n// TODO #12: later\n// TODO(#12) later\n/* a\n FIXME b */\n\
                      // Says `TODO` only.\nlet text = \"TODO\"; let TODOS = 1;";
        let lines: Vec<usize> = found_in("a.rs", source).iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 5]);
        assert_eq!(found_in("live.js", "// one\n// TODO two").len(), 1);
        assert_eq!(found_in("CONTRIBUTING.md", "TODO needs a number"), []);
    }

    #[test]
    fn what_was_left_behind_is_found_in_code_only() {
        let source = "todo!()\nlet a = dbg!(1);\n// todo! and dbg!\nlet b = \"dbg!\"; mydbg!();";
        let expected = [
            (1, "a `todo!` was left behind".to_owned()),
            (2, "a `dbg!` was left behind".to_owned()),
        ];
        assert_eq!(found_in("a.rs", source), expected);
    }

    #[test]
    fn the_core_has_no_clock_and_others_may() {
        let source =
            "//! No SystemTime here.\nlet now = Instant::now();\nuse std::time::SystemTime;";
        assert_eq!(found_in("crates/core/src/time.rs", source).len(), 2);
        assert_eq!(found_in("crates/engine/src/clock.rs", source), []);
    }
}
