//! What it means to search for a text, for every store alike. Their indexes are made of these words,
//! and need only find all lines that may match: which do is seen here.

use std::collections::BTreeSet;

use crate::logs::SEARCHED_BYTES_MAX;

/// An index has so many characters of a longer word.
const INDEXED_CHARS_MAX: usize = 64;
/// An index is asked for so many words of a longer question.
const TERMS_MAX: usize = 32;

/// A word that an index is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Term {
    pub(crate) word: String,
    /// Whether the word may go on.
    pub(crate) may_go_on: bool,
}

/// What somebody looks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// The words of each part, as they stand in what [`words`] makes of a line: with a space before
    /// them and, if the last one may not go on, behind them.
    parts: Vec<String>,
}

impl Query {
    /// `None` if there is no word in it: then it finds nothing.
    pub(crate) fn parse(text: &str) -> Option<Query> {
        let parts: Vec<String> = parts(text).iter().filter_map(|part| pattern(part)).collect();
        (!parts.is_empty()).then_some(Query { parts })
    }

    pub(crate) fn matches(&self, line: &str) -> bool {
        let words = words(line, usize::MAX);
        self.parts.iter().all(|part| words.contains(part.as_str()))
    }

    /// What the index of a line must have for the line to match. More lines may have it.
    pub(crate) fn terms(&self) -> Vec<Term> {
        let mut terms = BTreeSet::new();
        for part in &self.parts {
            let words: Vec<&str> = part.split(' ').filter(|word| !word.is_empty()).collect();
            for (place, word) in words.iter().enumerate() {
                let cut: String = word.chars().take(INDEXED_CHARS_MAX).collect();
                let is_open = place + 1 == words.len() && !part.ends_with(' ');
                terms.insert(Term { may_go_on: is_open && cut == *word, word: cut });
            }
        }
        terms.into_iter().take(TERMS_MAX).collect()
    }
}

/// What an index has of a line: its words, a space between them.
pub(crate) fn indexed(line: &str) -> String {
    let words = words(line, INDEXED_CHARS_MAX);
    words.trim_matches(' ').to_owned()
}

/// The words of a text, each with a space before and behind it.
fn words(text: &str, chars_max: usize) -> String {
    let mut words = String::with_capacity(text.len() + 2);
    words.push(' ');
    let mut length = 0;
    for (at, c) in text.char_indices() {
        if at >= SEARCHED_BYTES_MAX {
            break;
        }
        if c.is_ascii_alphanumeric() {
            length += 1;
            if length <= chars_max {
                words.push(c.to_ascii_lowercase());
            }
        } else if c.is_alphanumeric() {
            // One by one: how a letter is written at the end of a word must not depend on that.
            for lower in c.to_lowercase() {
                length += 1;
                if length <= chars_max {
                    words.push(lower);
                }
            }
        } else if length > 0 {
            words.push(' ');
            length = 0;
        }
    }
    if length > 0 {
        words.push(' ');
    }
    words
}

/// A question in its parts.
fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut is_quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            c if c.is_whitespace() && !is_quoted => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    parts
}

/// The words of a part as they stand in a line; `None` if it has none.
fn pattern(part: &str) -> Option<String> {
    let mut words = words(part, usize::MAX);
    if words.trim_matches(' ').is_empty() {
        return None;
    }
    if part.ends_with('*') {
        words.pop();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(question: &str, line: &str) -> bool {
        Query::parse(question).is_some_and(|query| query.matches(line))
    }

    #[test]
    fn words_stand_alone_and_side_by_side() {
        let line = "GET /api/Orders/17 -> 502 (Bad Gateway): Überfällig";
        for question in [
            "gateway",
            "BAD",
            "bad gateway",
            "\"bad gateway\"",
            "gateway bad",
            "/api/orders",
            "orders/17",
            "über*",
            "\"502 bad g\"*",
            "or* 17",
            "überfällig",
            "- get",
            "* get",
            "\"get",
            "get\"  api",
        ] {
            assert!(finds(question, line), "{question}");
        }
        for question in [
            "",
            " ",
            "\"",
            "*",
            "->",
            "gate",
            "uber*",
            "\"gateway bad\"",
            "ad gateway",
            "17*3",
            "get missing",
            "\"502 b\"",
            "\0",
            "\u{1F600}",
        ] {
            assert!(!finds(question, line), "{question}");
        }
    }

    #[test]
    fn what_matches_is_found_by_its_terms() {
        let long = "x".repeat(100);
        let indexed = indexed(&format!("{long} İx ΟΔΟΣ"));
        assert_eq!(indexed, format!("{} i\u{307}x οδοσ", "x".repeat(64)));
        let terms = |text: &str| Query::parse(text).unwrap().terms();
        let term = |word: &str, may_go_on| Term { word: word.to_owned(), may_go_on };
        assert_eq!(terms("b-a*"), [term("a", true), term("b", false)]);
        assert_eq!(terms(&format!("{long}*")), [term(&"x".repeat(64), false)]);
        assert_eq!(terms(&format!("{}*", "x".repeat(64))), [term(&"x".repeat(64), true)]);
    }

    #[test]
    fn only_the_beginning_of_a_very_long_line_is_looked_at() {
        let line = format!("first {} last", "é ".repeat(SEARCHED_BYTES_MAX));
        assert!(finds("first", &line));
        assert!(!finds("last", &line));
    }
}
