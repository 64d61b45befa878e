//! Takes Rust source apart into code, comments and string literals, so that a rule about one of
//! them is not misled by another. Knows just enough of the language for that.

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Code,
    Comment,
    /// What is between the quotes.
    Literal,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece<'a> {
    pub(super) kind: Kind,
    /// Where it begins, from 1.
    line: usize,
    text: &'a str,
}

impl<'a> Piece<'a> {
    /// Its lines with their numbers.
    pub(super) fn lines(self) -> impl Iterator<Item = (usize, &'a str)> {
        self.text.split('\n').enumerate().map(move |(index, text)| (self.line + index, text))
    }

    /// Where it begins, and all of it.
    pub(super) fn whole(self) -> (usize, &'a str) {
        (self.line, self.text)
    }
}

pub(super) fn pieces(source: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut line, mut begin, mut at) = (1, 0, 0);
    let mut cut = |kind, from: usize, to: usize| {
        let text = &source[from..to];
        pieces.push(Piece { kind, line, text });
        line += text.matches('\n').count();
    };
    while at < source.len() {
        let rest = &source[at..];
        let Some((kind, open, close, end)) = piece_at(rest, source[..at].chars().next_back())
        else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        // Quotes stay with the code on either side.
        cut(Kind::Code, begin, at + open);
        cut(kind, at + open, at + close);
        begin = at + close;
        at += end;
    }
    cut(Kind::Code, begin, source.len());
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

/// If a comment or a literal begins here: what it is, where its text begins and ends, and where to
/// go on.
fn piece_at(rest: &str, before: Option<char>) -> Option<(Kind, usize, usize, usize)> {
    if rest.starts_with("//") {
        let end = rest.find('\n').unwrap_or(rest.len());
        return Some((Kind::Comment, 0, end, end));
    }
    if rest.starts_with("/*") {
        let end = block_comment_end(rest);
        return Some((Kind::Comment, 0, end, end));
    }
    if rest.starts_with('\'') {
        let end = character_end(rest)?;
        return Some((Kind::Literal, 1, end - 1, end));
    }
    if rest.starts_with('"') {
        let close = closing_quote(rest);
        return Some((Kind::Literal, 1, close, (close + 1).min(rest.len())));
    }
    // A raw string, unless the `r` ends a name. `br` and `cr` are names too, but of one letter.
    let is_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let hashed =
        rest.strip_prefix('r').filter(|_| !is_name || matches!(before, Some('b' | 'c')))?;
    let hashes = hashed.len() - hashed.trim_start_matches('#').len();
    let text = hashed[hashes..].strip_prefix('"')?;
    let open = rest.len() - text.len();
    let closing = format!("\"{}", "#".repeat(hashes));
    let length = text.find(&closing).unwrap_or(text.len());
    Some((Kind::Literal, open, open + length, (open + length + closing.len()).min(rest.len())))
}

fn block_comment_end(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    loop {
        match (rest[at..].find("/*"), rest[at..].find("*/")) {
            (Some(open), Some(close)) if open < close => (depth, at) = (depth + 1, at + open + 2),
            (_, Some(close)) => (depth, at) = (depth.saturating_sub(1), at + close + 2),
            (_, None) => return rest.len(),
        }
        if depth == 0 {
            return at;
        }
    }
}

/// The end of a character literal; `None` if it is a lifetime.
fn character_end(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1);
    match characters.next()? {
        (_, '\\') => {
            characters.next()?;
            characters.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
        }
        _ => characters.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1),
    }
}

fn closing_quote(rest: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, source: &str) -> Vec<(usize, &str)> {
        pieces(source).into_iter().filter(|p| p.kind == kind).map(Piece::whole).collect()
    }

    #[test]
    fn nothing_is_lost_and_lines_are_right() {
        let source =
            "let a = \"x\\\"y\"; // why\n/* one /* two */\n*/ let b = r#\"p\n\"q\"\"#;\n'c'";
        assert_eq!(pieces(source).iter().map(|p| p.text).collect::<String>(), source);
        assert_eq!(of(Kind::Literal, source), [(1, "x\\\"y"), (3, "p\n\"q\""), (5, "c")]);
        assert_eq!(of(Kind::Comment, source), [(1, "// why"), (2, "/* one /* two */\n*/")]);
    }

    #[test]
    fn quotes_in_the_wrong_place_mislead_nobody() {
        let source =
            "fn f<'a>(x: &'a str) { let q = '\"'; let e = '\\''; br\"raw\"; b\"bytes\" } // it's";
        assert_eq!(of(Kind::Literal, source), [(1, "\""), (1, "\\'"), (1, "raw"), (1, "bytes")]);
        assert_eq!(of(Kind::Comment, source), [(1, "// it's")]);
        assert_eq!(of(Kind::Literal, "// \"no\""), []);
        assert_eq!(of(Kind::Comment, "\"http://no\""), []);
    }

    #[test]
    fn what_never_ends_ends_with_the_file() {
        for source in ["\"open", "/* open", "r#\"open\"", "'", "'\\", "ä'ö'"] {
            assert_eq!(pieces(source).iter().map(|p| p.text).collect::<String>(), source);
        }
    }
}
