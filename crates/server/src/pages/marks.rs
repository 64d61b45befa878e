//! The words that somebody looks for, marked where they stand in a log line.
//!
//! What a question means is said in [`windlass_store::LogSearch::text`]: a line is found by the store
//! and only shown here, so at worst a mark is missing.

use std::ops::Range;

use serde::Serialize;

/// Bytes of a line that are looked at: a search looks at no more.
const BYTES_MAX: usize = 64 * 1024;
/// Parts of a question that are marked.
const PARTS_MAX: usize = 32;
/// How far into a line its words may stand before its beginning is left out, and how much is kept
/// before them, in characters.
const FAR: usize = 300;
const BEFORE: usize = 80;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Piece {
    text: String,
    is_found: bool,
}

/// What is looked for.
#[derive(Debug, Default)]
pub(super) struct Marker {
    parts: Vec<Part>,
}

/// Words that stand side by side.
#[derive(Debug)]
struct Part {
    words: Vec<String>,
    /// Whether the last one may go on.
    may_go_on: bool,
}

impl Marker {
    /// What a question asks for.
    pub(super) fn of(question: &str) -> Marker {
        let (mut texts, mut text, mut is_quoted) = (Vec::new(), String::new(), false);
        for c in question.chars() {
            match c {
                '"' => is_quoted = !is_quoted,
                c if c.is_whitespace() && !is_quoted => texts.push(std::mem::take(&mut text)),
                c => text.push(c),
            }
        }
        texts.push(text);
        let part = |text: String| Part {
            words: words(&text).into_iter().map(|(_, word)| word).collect(),
            may_go_on: text.ends_with('*'),
        };
        let parts = texts.into_iter().map(part).filter(|part| !part.words.is_empty());
        Marker { parts: parts.take(PARTS_MAX).collect() }
    }

    /// A line in pieces; none if nothing in it is to be marked.
    pub(super) fn pieces(&self, line: &str) -> Vec<Piece> {
        let spans = self.spans(line);
        if spans.is_empty() { Vec::new() } else { cut(line, &spans) }
    }

    /// At most so many characters of a line, those where its words stand.
    pub(super) fn excerpt(&self, line: &str, chars_max: usize) -> Vec<Piece> {
        let spans = self.spans(line);
        let before = spans.first().map_or(0, |first| line[..first.start].chars().count());
        let skipped = if before > FAR { before - BEFORE } else { 0 };
        let place = |text: &str, chars| text.char_indices().nth(chars).map(|(at, _)| at);
        let from = place(line, skipped).unwrap_or(0);
        let to = place(&line[from..], chars_max).map_or(line.len(), |at| from + at);
        let inside = spans.into_iter().filter(|span| span.start < to);
        let inside: Vec<Range<usize>> =
            inside.map(|span| span.start - from..span.end.min(to) - from).collect();
        let mut pieces = cut(&line[from..to], &inside);
        let more = || Piece { text: "…".to_owned(), is_found: false };
        if from > 0 {
            pieces.insert(0, more());
        }
        if to < line.len() {
            pieces.push(more());
        }
        pieces
    }

    /// Where its words stand in a line, in order and apart from each other.
    fn spans(&self, line: &str) -> Vec<Range<usize>> {
        if self.parts.is_empty() {
            return Vec::new();
        }
        let words = words(line);
        let mut spans: Vec<Range<usize>> = Vec::new();
        for part in &self.parts {
            let found = words.windows(part.words.len()).filter(|there| part.is(there));
            let ends = found.filter_map(|there| there.first().zip(there.last()));
            spans.extend(ends.map(|(first, last)| first.0.start..last.0.end));
        }
        spans.sort_by_key(|span| span.start);
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(spans.len());
        for span in spans {
            match apart.last_mut().filter(|last| span.start <= last.end) {
                Some(last) => last.end = last.end.max(span.end),
                None => apart.push(span),
            }
        }
        apart
    }
}

impl Part {
    fn is(&self, there: &[(Range<usize>, String)]) -> bool {
        let last = self.words.len() - 1;
        self.words.iter().zip(there).enumerate().all(|(place, (word, (_, found)))| {
            found == word || (place == last && self.may_go_on && found.starts_with(word.as_str()))
        })
    }
}

/// The words of a text in small letters, and where they stand.
fn words(text: &str) -> Vec<(Range<usize>, String)> {
    let mut words: Vec<(Range<usize>, String)> = Vec::new();
    for (at, c) in text.char_indices().take_while(|(at, _)| *at < BYTES_MAX) {
        if !c.is_alphanumeric() {
            continue;
        }
        let end = at + c.len_utf8();
        match words.last_mut().filter(|(range, _)| range.end == at) {
            Some((range, word)) => {
                range.end = end;
                word.extend(c.to_lowercase());
            }
            None => words.push((at..end, c.to_lowercase().collect())),
        }
    }
    words
}

/// A text in pieces, with those at `spans` found.
fn cut(text: &str, spans: &[Range<usize>]) -> Vec<Piece> {
    let (mut pieces, mut end) = (Vec::new(), 0);
    let mut push = |text: &str, is_found| {
        if !text.is_empty() {
            pieces.push(Piece { text: text.to_owned(), is_found });
        }
    };
    for span in spans {
        push(&text[end..span.start], false);
        push(&text[span.clone()], true);
        end = span.end;
    }
    push(&text[end..], false);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[Piece]) -> String {
        let piece = |piece: &Piece| match piece.is_found {
            true => format!("[{}]", piece.text),
            false => piece.text.clone(),
        };
        pieces.iter().map(piece).collect()
    }

    #[test]
    fn what_is_looked_for_is_marked() {
        let line = "GET /api/Orders/17 -> 502 (Bad Gateway): Überfällig";
        for (question, told) in [
            ("gateway", "GET /api/Orders/17 -> 502 (Bad [Gateway]): Überfällig"),
            ("\"bad gateway\" 502", "GET /api/Orders/17 -> [502] ([Bad Gateway]): Überfällig"),
            ("/api/orders", "GET /[api/Orders]/17 -> 502 (Bad Gateway): Überfällig"),
            ("über*", "GET /api/Orders/17 -> 502 (Bad Gateway): [Überfällig]"),
            ("bad bad-gateway", "GET /api/Orders/17 -> 502 ([Bad Gateway]): Überfällig"),
            ("gate * \"", ""),
            ("", ""),
        ] {
            assert_eq!(shown(&Marker::of(question).pieces(line)), told, "{question}");
        }
    }

    #[test]
    fn of_a_long_line_that_part_is_shown_which_has_the_words() {
        let line = format!("{}here it is {}", "é ".repeat(400), "z ".repeat(400));
        let told = shown(&Marker::of("here").excerpt(&line, 100));
        assert!(told.starts_with("…é é") && told.ends_with('…'), "{told}");
        assert!(told.contains("é [here] it is z"), "{told}");
        assert_eq!(shown(&Marker::of("here").excerpt("here", 100)), "[here]");
        assert_eq!(shown(&Marker::of("none").excerpt("here it is", 4)), "here…");
    }
}
