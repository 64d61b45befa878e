//! Reads the fields of one object, under all the names they go by. What is wrong becomes a finding
//! at once, and reading goes on, so that one mistake does not hide the next.

use serde_json::{Map, Value};

use crate::definition::findings::Findings;
use crate::finding::{Finding, nearest};
use crate::json::{self, type_name};
use crate::limits::NAME_BYTES_MAX;

/// Something could not be read; there is a finding that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// What a field gave: nothing if it is not there or null.
pub(super) type Got<T> = Result<Option<T>, Broken>;

/// Names that get a hint which known name is near. Each is compared with every known one, and a
/// document may have thousands of both.
const HINT_COUNT_MAX: u32 = 20;
/// Bytes of a name that may get one.
const HINT_BYTES_MAX: usize = 40;
/// Known names that it is compared with.
const HINT_KNOWN_MAX: usize = 500;

/// Hints about names that are not known.
#[derive(Default)]
pub(super) struct Hints(std::cell::Cell<u32>);

impl Hints {
    /// The known name closest to `name`, as long as hints are given.
    pub(super) fn nearest<'a>(
        &self,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        let given = self.0.get();
        self.0.set(given.saturating_add(1));
        if given >= HINT_COUNT_MAX || name.len() > HINT_BYTES_MAX {
            return None;
        }
        nearest(
            name,
            known.into_iter().filter(|known| known.len() <= HINT_BYTES_MAX).take(HINT_KNOWN_MAX),
        )
    }
}

/// A text for a message, cut if it is long.
pub(super) fn shown(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(NAME_BYTES_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// The fields of one object.
pub(super) struct Reader<'v> {
    path: String,
    /// What the object is, for messages: `role Payer`.
    what: String,
    fields: &'v Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'v> Reader<'v> {
    pub(super) fn new(
        value: &'v Value,
        path: &str,
        what: impl Into<String>,
        out: &mut Findings<'_>,
    ) -> Result<Reader<'v>, Broken> {
        let what = what.into();
        let Value::Object(fields) = value else {
            let message = format!("{what} is an object, not a {}", type_name(value));
            out.add(Finding::error("bad-value", path, message));
            return Err(Broken);
        };
        Ok(Reader { path: path.to_owned(), what, fields, known: Vec::new() })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn call(&mut self, what: impl Into<String>) {
        self.what = what.into();
    }

    /// Whether a field is there, under whatever value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// The value under one of several names, and its path.
    pub(super) fn value(
        &mut self,
        names: &[&'static str],
        out: &mut Findings<'_>,
    ) -> Option<(&'v Value, String)> {
        self.known.extend(names);
        let present = || names.iter().filter(|name| self.fields.contains_key(**name));
        if let Some(second) = present().nth(1) {
            let first = present().next().map_or("", |name| name);
            let message = format!("{} has both `{first}` and `{second}`", self.what);
            let finding =
                Finding::error("duplicate-field", json::pointer(&self.path, second), message);
            out.add(finding.hint("they mean the same: keep one"));
        }
        let name = present().next()?;
        let value = self.fields.get(*name).filter(|value| !value.is_null())?;
        Some((value, json::pointer(&self.path, name)))
    }

    pub(super) fn text(&mut self, names: &[&'static str], out: &mut Findings<'_>) -> Got<String> {
        let Some((value, path)) = self.value(names, out) else { return Ok(None) };
        match value {
            Value::String(text) => Ok(Some(text.clone())),
            other => Err(self.wrong(&path, names[0], "a text", other, out)),
        }
    }

    /// A text that names something: not empty, not too long, one line.
    pub(super) fn name(&mut self, names: &[&'static str], out: &mut Findings<'_>) -> Got<String> {
        let path =
            names.iter().find(|name| self.has(name)).map(|name| json::pointer(&self.path, name));
        let Some(name) = self.text(names, out)? else { return Ok(None) };
        let message = if name.is_empty() || name.trim() != name {
            "a name is not empty and has no white space around it".to_owned()
        } else if name.chars().any(char::is_control) {
            "a name has no line breaks or other control characters".to_owned()
        } else if name.len() > NAME_BYTES_MAX {
            format!("a name has at most {NAME_BYTES_MAX} bytes, this one has {}", name.len())
        } else {
            return Ok(Some(name));
        };
        out.add(Finding::error("bad-name", path.unwrap_or_default(), message));
        Err(Broken)
    }

    /// One of a fixed set of words. `code` is the finding's if it is none of them.
    pub(super) fn word<T>(
        &mut self,
        names: &[&'static str],
        code: &str,
        words: &[&str],
        of: impl Fn(&str) -> Option<T>,
        out: &mut Findings<'_>,
    ) -> Got<T> {
        let Some((value, path)) = self.value(names, out) else { return Ok(None) };
        let Value::String(word) = value else {
            return Err(self.wrong(&path, names[0], "a word", value, out));
        };
        if let Some(found) = of(word) {
            return Ok(Some(found));
        }
        let word_shown = shown(word);
        let message = format!("{}`{word_shown}` is no {} of {}", rule(code), names[0], self.what);
        let hint = nearest(word, words.iter().copied())
            .unwrap_or_else(|| format!("known: {}", words.join(", ")));
        out.add(Finding::error(code, path, message).hint(hint));
        Err(Broken)
    }

    pub(super) fn bool(&mut self, names: &[&'static str], out: &mut Findings<'_>) -> Got<bool> {
        let Some((value, path)) = self.value(names, out) else { return Ok(None) };
        match value {
            Value::Bool(value) => Ok(Some(*value)),
            other => Err(self.wrong(&path, names[0], "true or false", other, out)),
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn count(
        &mut self,
        names: &[&'static str],
        least: u64,
        most: u64,
        out: &mut Findings<'_>,
    ) -> Got<u64> {
        let Some((value, path)) = self.value(names, out) else { return Ok(None) };
        let Some(count) = value.as_u64().filter(|count| (least..=most).contains(count)) else {
            let wanted = format!("a whole number from {least} to {most}");
            return Err(self.wrong(&path, names[0], &wanted, value, out));
        };
        Ok(Some(count))
    }

    /// The items of a list, each with its path.
    pub(super) fn list(
        &mut self,
        names: &[&'static str],
        out: &mut Findings<'_>,
    ) -> Got<Vec<(&'v Value, String)>> {
        let Some((value, path)) = self.value(names, out) else { return Ok(None) };
        match value {
            Value::Array(items) => {
                let items = items.iter().enumerate();
                Ok(Some(items.map(|(at, item)| (item, json::pointer(&path, at))).collect()))
            }
            other => Err(self.wrong(&path, names[0], "a list", other, out)),
        }
    }

    /// A list of texts.
    pub(super) fn texts(
        &mut self,
        names: &[&'static str],
        out: &mut Findings<'_>,
    ) -> Got<Vec<String>> {
        let Some(items) = self.list(names, out)? else { return Ok(None) };
        let mut texts = Vec::with_capacity(items.len());
        let mut is_broken = false;
        for (item, path) in items {
            match item {
                Value::String(text) => texts.push(text.clone()),
                other => {
                    self.wrong(&path, names[0], "a list of texts", other, out);
                    is_broken = true;
                }
            }
        }
        if is_broken { Err(Broken) } else { Ok(Some(texts)) }
    }

    /// What must be there: a finding if it is not.
    pub(super) fn need<T>(
        &self,
        got: Got<T>,
        name: &str,
        hint: &str,
        out: &mut Findings<'_>,
    ) -> Result<T, Broken> {
        got?.ok_or_else(|| {
            let message = format!("{} has no `{name}`", self.what);
            out.add(Finding::error("missing-field", self.path.clone(), message).hint(hint));
            Broken
        })
    }

    /// A finding that a field holds something of the wrong kind.
    pub(super) fn wrong(
        &self,
        path: &str,
        name: &str,
        wanted: &str,
        got: &Value,
        out: &mut Findings<'_>,
    ) -> Broken {
        let shown = match got {
            Value::Number(number) => number.to_string(),
            other => format!("a {}", type_name(other)),
        };
        let message = format!("`{name}` of {} is {wanted}, not {shown}", self.what);
        out.add(Finding::error("bad-value", path, message));
        Broken
    }

    /// Reports every field that nobody has asked for.
    pub(super) fn finish(self, out: &mut Findings<'_>) -> Result<(), Broken> {
        let unknown = self.fields.keys().filter(|name| !self.known.contains(&name.as_str()));
        let mut result = Ok(());
        for name in unknown {
            let message = format!("{} has no field `{}`", self.what, shown(name));
            let hint = nearest(name, self.known.iter().copied()).unwrap_or_else(|| {
                match self.known.as_slice() {
                    [] => "it has no fields".to_owned(),
                    known => format!("known: {}", known.join(", ")),
                }
            });
            let path = json::pointer(&self.path, name);
            out.add_at_key(Finding::error("unknown-field", path, message).hint(hint));
            result = Err(Broken);
        }
        result
    }
}

/// How the message of a rule's finding begins: `R5: `. Nothing for other codes.
pub(super) fn rule(code: &str) -> String {
    let number = code.strip_prefix('r').filter(|rest| rest.bytes().all(|c| c.is_ascii_digit()));
    number.map_or_else(String::new, |number| format!("R{number}: "))
}
