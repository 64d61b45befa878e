//! Hiding the secrets of an attempt in whatever comes out of it: lines, outputs, errors, records, news.
//!
//! A secret is looked for as it is, with any of its characters escaped as URLs, forms, JSON and
//! programs that print bytes do, and in base64, wherever in the encoded bytes it begins. Where a text
//! was cut, a part of a secret at its edge is hidden too.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use windlass_core::run::AttemptError;
use windlass_nodes::llm::LlmSettings;

/// Shorter secrets are not looked for: they would hide half of every text.
const SECRET_BYTES_MIN: usize = 4;
/// No provider's key is as short.
const KEY_BYTES_MIN: usize = 16;
const HIDDEN: &str = "***";
/// What a log line ends with that was cut.
const CUT: &str = " … [cut]";
/// Texts from this length on may have been cut at either end.
const CUT_BYTES_MIN: usize = 32 * 1024;

/// Hides the secrets of an attempt in whatever comes out of it.
#[derive(Debug, Default)]
pub struct Mask {
    /// The longest first, so that a secret that holds another is hidden whole.
    secrets: Vec<String>,
    /// Whether a secret may begin with a byte of a text.
    begins: Vec<bool>,
}

/// How far a secret goes from some place of a text on.
enum Found {
    /// To this place.
    Whole(usize),
    /// To the end of the text, which has so many bytes of it.
    Part(usize),
    /// It is not there.
    Nothing,
}

impl Mask {
    pub(super) fn new(whole: Vec<String>) -> Mask {
        // Logs come line by line, so each line of a key or of a file's text is a secret too.
        let lines =
            whole.iter().flat_map(|secret| secret.lines().map(|line| line.trim().to_owned()));
        let mut plain: Vec<String> = lines.collect();
        plain.extend(whole);
        // As whoever reads the bytes of a header for Latin-1 sends it back.
        let misread = plain.iter().filter(|secret| !secret.is_ascii());
        let misread = misread.map(|secret| secret.bytes().map(char::from).collect::<String>());
        plain.extend(misread.collect::<Vec<_>>());
        plain.retain(|secret| secret.len() >= SECRET_BYTES_MIN);
        let encoded = plain.iter().flat_map(|secret| {
            (0..3).flat_map(|start| in_base64(secret, start)).collect::<Vec<_>>()
        });
        let encoded = encoded.filter(|form| form.len() >= SECRET_BYTES_MIN);
        Mask::of(encoded.chain(plain.iter().cloned()).collect())
    }

    /// A mask of every form that is looked for.
    fn of(mut secrets: Vec<String>) -> Mask {
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        let mut begins = vec![false; 256];
        for first in secrets.iter().map(|secret| secret.as_bytes()[0]).chain(*b"%+\\") {
            begins[usize::from(first)] = true;
        }
        Mask { secrets, begins }
    }

    /// A text without them.
    pub fn text(&self, text: String) -> String {
        if self.secrets.is_empty() {
            return text;
        }
        let text = self.without_whole(text);
        match text.len() >= CUT_BYTES_MIN {
            true => self.without_start(self.without_end(text)),
            false => text,
        }
    }

    /// A log line, of which the end may be missing.
    pub fn line(&self, text: String) -> String {
        let text = self.text(text);
        match text.strip_suffix(CUT) {
            Some(kept) if !self.secrets.is_empty() => self.without_end(kept.to_owned()) + CUT,
            _ => text,
        }
    }

    /// The same with the keys of the providers, if attempts of a kind show them to anybody: whoever is
    /// asked may repeat what it is shown.
    pub fn with_keys(self, kind: &str, llm: &LlmSettings) -> Mask {
        if !matches!(kind, "llm" | "agent") {
            return self;
        }
        // Words such as `none` that stand in for a key would hide themselves in every answer.
        let keys = llm.keys().filter(|key| key.len() >= KEY_BYTES_MIN).map(str::to_owned);
        let mut secrets = Mask::new(keys.collect()).secrets;
        secrets.extend(self.secrets);
        Mask::of(secrets)
    }

    fn without_whole(&self, text: String) -> String {
        let bytes = text.as_bytes();
        let mut kept = Vec::new();
        // The end of what was copied, and the place that is looked at.
        let (mut copied, mut at) = (0, 0);
        while at < bytes.len() {
            let found = self.begins[usize::from(bytes[at])].then(|| {
                self.secrets.iter().find_map(|secret| match find(bytes, at, secret.as_bytes()) {
                    Found::Whole(end) => Some(end),
                    _ => None,
                })
            });
            match found.flatten() {
                Some(end) => {
                    kept.extend_from_slice(&bytes[copied..at]);
                    kept.extend_from_slice(HIDDEN.as_bytes());
                    (copied, at) = (end, end);
                }
                None => at += 1,
            }
        }
        if copied == 0 {
            return text;
        }
        kept.extend_from_slice(&bytes[copied..]);
        String::from_utf8_lossy(&kept).into_owned()
    }

    /// How much of a text can be told before more of it comes: what follows may be the beginning of a
    /// secret.
    pub(super) fn safe_length(&self, text: &str) -> usize {
        if self.secrets.is_empty() {
            return text.len();
        }
        let whole = text.as_bytes();
        let end = start_of_escape(whole);
        let bytes = &whole[..end];
        let mut at = 0;
        while at < bytes.len() {
            let found = |secret: &String| find(bytes, at, secret.as_bytes());
            let all: Vec<Found> = match self.begins[usize::from(bytes[at])] {
                true => self.secrets.iter().map(found).collect(),
                false => Vec::new(),
            };
            if all.iter().any(|found| matches!(found, Found::Part(_))) {
                break;
            }
            let whole = all.iter().find_map(|found| match found {
                Found::Whole(end) => Some(*end),
                _ => None,
            });
            at = whole.unwrap_or(at + 1);
        }
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// Hides the beginning of a secret at the end of a text.
    fn without_end(&self, mut text: String) -> String {
        let bytes = text.as_bytes();
        let first = self.secrets.iter().filter_map(|secret| {
            // A byte takes six characters at most.
            let from = bytes.len().saturating_sub(secret.len() * 6);
            (from..bytes.len()).find(|at| {
                let found = find(bytes, *at, secret.as_bytes());
                matches!(found, Found::Part(length) if length >= SECRET_BYTES_MIN)
            })
        });
        if let Some(mut end) = first.min() {
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push_str(HIDDEN);
        }
        text
    }

    /// Hides the end of a secret at the beginning of a text.
    fn without_start(&self, text: String) -> String {
        let longest = self.secrets.iter().filter_map(|secret| {
            let mut starts = 1..=secret.len().saturating_sub(SECRET_BYTES_MIN);
            let is_there =
                |start: &usize| text.as_bytes().starts_with(&secret.as_bytes()[*start..]);
            Some(secret.len() - starts.find(is_there)?)
        });
        match longest.max() {
            Some(mut length) => {
                while !text.is_char_boundary(length) {
                    length += 1;
                }
                format!("{HIDDEN}{}", &text[length..])
            }
            None => text,
        }
    }

    /// A value without them, names of fields included.
    pub fn value(&self, value: Value) -> Value {
        if self.secrets.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => Value::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (self.text(name), self.value(value)))
                    .collect::<Map<String, Value>>(),
            ),
            // A secret of digits comes back as a number if it was written without quotes.
            Value::Number(number) if self.text(number.to_string()) != number.to_string() => {
                Value::String(HIDDEN.to_owned())
            }
            other => other,
        }
    }

    /// An error without them.
    pub fn error(&self, mut error: AttemptError) -> AttemptError {
        error.failure.message = self.text(error.failure.message);
        error.failure.details = error.failure.details.map(|details| self.value(details));
        error
    }
}

/// Looks for a secret at a place of a text, where any character may be escaped.
fn find(text: &[u8], at: usize, secret: &[u8]) -> Found {
    // Where a character can be read in two ways, the other one is tried later.
    let mut others = Vec::new();
    let (mut at, mut known) = (at, 0);
    let mut most = 0;
    loop {
        let Some(wanted) = secret.get(known) else { return Found::Whole(at) };
        let Some(byte) = text.get(at) else {
            most = most.max(known);
            match others.pop() {
                Some(other) => (at, known) = other,
                None => return Found::Part(most),
            }
            continue;
        };
        let escaped = escape(text, at, &secret[known..]);
        if byte == wanted {
            others.extend(escaped.map(|(end, length)| (end, known + length)));
            (at, known) = (at + 1, known + 1);
        } else if let Some((end, length)) = escaped {
            (at, known) = (end, known + length);
        } else if let Some(other) = others.pop() {
            (at, known) = other;
        } else if most > 0 {
            return Found::Part(most);
        } else {
            return Found::Nothing;
        }
    }
}

/// Where an escape begins that the end of a text may have cut; else the end.
fn start_of_escape(text: &[u8]) -> usize {
    /// A pair of `\\uXXXX`, short of its last character.
    const LONGEST: usize = 11;
    let tail = text.len().saturating_sub(LONGEST);
    let backslash = text[tail..].iter().position(|byte| *byte == b'\\').map(|at| tail + at);
    let tail = text.len().saturating_sub(2);
    let percent = text[tail..].iter().position(|byte| *byte == b'%').map(|at| tail + at);
    backslash.into_iter().chain(percent).min().unwrap_or(text.len())
}

/// The end of an escape that stands for the beginning of a secret, and for how many bytes of it.
fn escape(text: &[u8], at: usize, secret: &[u8]) -> Option<(usize, usize)> {
    let first = *secret.first()?;
    let digits = |from: usize, count: usize| {
        let digits = std::str::from_utf8(text.get(from..from + count)?).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    let is_first = |code: Option<u32>| code == Some(u32::from(first));
    match (text[at], text.get(at + 1)) {
        (b'+', _) if first == b' ' => Some((at + 1, 1)),
        (b'%', _) if is_first(digits(at + 1, 2)) => Some((at + 3, 1)),
        (b'\\', Some(b'x')) if is_first(digits(at + 2, 2)) => Some((at + 4, 1)),
        (b'\\', Some(b'u')) => {
            let (unit, mut end) = (digits(at + 2, 4)?, at + 6);
            let character = match char::from_u32(unit) {
                Some(character) => character,
                // The first half of a pair.
                None => {
                    let low = digits(end + 2, 4).filter(|_| text[end..].starts_with(b"\\u"))?;
                    end += 6;
                    let pair = [u16::try_from(unit).ok()?, u16::try_from(low).ok()?];
                    char::decode_utf16(pair).next()?.ok()?
                }
            };
            let mut bytes = [0; 4];
            let bytes = character.encode_utf8(&mut bytes).as_bytes();
            secret.starts_with(bytes).then_some((end, bytes.len()))
        }
        (b'\\', Some(letter)) => {
            let meant = match letter {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'f' => 12,
                other => *other,
            };
            (meant == first).then_some((at + 2, 1))
        }
        _ => None,
    }
}

/// The characters of base64 that say nothing but the secret, if so many bytes (modulo three) stand
/// before it. Those at either end also depend on its neighbours, and are left out.
fn in_base64(secret: &str, start: usize) -> [String; 2] {
    let mut bytes = vec![0; start];
    bytes.extend_from_slice(secret.as_bytes());
    let first = [0, 2, 3][start];
    let last = usize::from(!bytes.len().is_multiple_of(3));
    [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)].map(|text| {
        let end = text.len() - last;
        text.get(first..end).unwrap_or_default().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_everywhere() {
        let mask = Mask::new(vec!["abcd".into(), "abcdef".into(), "x".into()]);
        assert_eq!(mask.text("abcdef abcd x".into()), "*** *** x");
        let misread = Mask::new(vec!["pä ss".into()]);
        assert_eq!(misread.text("pä ss, pÃ¤ ss".into()), "***, ***");
        let value = json!({ "abcd": ["-abcdef-", 1, null] });
        assert_eq!(mask.value(value), json!({ "***": ["-***-", 1, null] }));
        let error = windlass_nodes::fail("a", "no abcd");
        assert_eq!(mask.error(error).failure.message, "no ***");
    }

    #[test]
    fn every_line_of_a_secret_is_one_and_so_is_a_number() {
        let mask = Mask::new(vec!["first line\n  second line\r\n}\n".into(), "12345".into()]);
        assert_eq!(mask.text("first line".into()), "***");
        assert_eq!(mask.text("> second line <".into()), "> *** <");
        assert_eq!(mask.text("}".into()), "}", "what is short would hide half of every text");
        assert_eq!(mask.value(json!([12345, 7, 1.5])), json!(["***", 7, 1.5]));
    }

    #[test]
    fn the_keys_of_providers_are_hidden_from_those_that_are_shown_them() {
        let llm = json!({ "providers": {
            "local": { "base_url": "http://localhost", "api_key": "none" },
            "openai": { "api_key": "sk-0123456789abcdef" },
        } });
        let llm: LlmSettings = serde_json::from_value(llm).unwrap();
        let said = "none of pass has sk-0123456789abcdef";
        let mask = |kind: &str| Mask::new(vec!["pass".into()]).with_keys(kind, &llm);
        assert_eq!(mask("llm").text(said.into()), "none of *** has ***");
        assert_eq!(mask("http").text(said.into()), "none of *** has sk-0123456789abcdef");
    }

    #[test]
    fn encoded_secrets_are_hidden() {
        let mask = Mask::new(vec!["pä ss\"w/ord".into()]);
        let told = [
            "GET /?key=p%C3%A4%20ss%22w%2Ford&x=1",
            "GET /?key=p%c3%a4+ss%22w%2ford&x=1",
            "GET /?key=p%C3%A4%20ss\"w/ord",
            "key pä ss\\\"w\\/ord",
            r#"{"key": "pä ss\"w/ord"}"#,
            r#"{"key": "p\u00e4 ss\"w/ord"}"#,
            r#"key = b'p\xc3\xa4 ss"w/ord'"#,
        ];
        for text in told {
            let masked = mask.text(text.into());
            assert!(masked.contains("key") && masked.contains("***"), "{masked}");
            assert!(!masked.contains("ord"), "{masked}");
        }
    }

    #[test]
    fn a_part_of_a_secret_at_the_edge_of_what_was_cut_is_hidden() {
        let mask = Mask::new(vec!["s3cret-value".into()]);
        assert_eq!(mask.line(format!("it is s3cret-v{CUT}")), format!("it is ***{CUT}"));
        assert_eq!(mask.line("it is s3cr".into()), "it is s3cr", "this one was not cut");
        let tail = format!("ret-value{}s3cr", " ".repeat(CUT_BYTES_MIN));
        let masked = mask.text(tail);
        assert!(masked.starts_with("*** ") && masked.ends_with(" ***"));
    }

    proptest! {
        /// Wherever a secret stands in what is encoded, nothing of it is left but what its neighbours
        /// share a character with.
        #[test]
        fn a_secret_inside_of_base64_is_hidden(
            before in "[ -~]{0,7}",
            secret in "[!-~]{12,24}",
            after in "[ -~]{0,7}",
        ) {
            let mask = Mask::new(vec![secret.clone()]);
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let encoded = engine.encode(format!("{before}{secret}{after}"));
                let masked = mask.text(encoded);
                prop_assert!(masked.contains(HIDDEN), "{}", masked);
                let most = (before.len() + after.len()) * 4 / 3 + 8 + HIDDEN.len();
                prop_assert!(masked.len() <= most, "{} of {}", masked, secret);
            }
        }

        /// However a text is cut into pieces, the pieces say no more than the whole.
        #[test]
        fn what_comes_piece_by_piece_is_hidden_as_well(
            texts in proptest::collection::vec(0_usize..6, 1..12),
            cuts in proptest::collection::vec(1_usize..9, 1..40),
        ) {
            let words = ["s3cret", "s3cr", "s3cret-löng", "%733cret", "s3c\\u0072et", "and "];
            let mask = Mask::new(vec!["s3cret".into(), "s3cret-löng".into()]);
            let whole: String = texts.iter().map(|at| words[*at]).collect();
            let (mut told, mut held) = (String::new(), String::new());
            let mut cuts = cuts.iter().cycle();
            let mut rest = whole.chars().peekable();
            while rest.peek().is_some() {
                held.extend(rest.by_ref().take(*cuts.next().unwrap()));
                let kept = held.split_off(mask.safe_length(&held));
                told.push_str(&mask.text(std::mem::replace(&mut held, kept)));
            }
            told.push_str(&mask.text(held));
            prop_assert_eq!(told, mask.text(whole));
        }

        #[test]
        fn a_mask_never_panics(text in ".{0,40}", secret in ".{0,20}") {
            let mask = Mask::new(vec![secret]);
            mask.line(format!("{text}{CUT}"));
            mask.text(format!("{text}{}{text}", "é".repeat(CUT_BYTES_MIN / 2)));
        }
    }
}
