//! Builds a JSON value and its positions from the events of a YAML parser.
//!
//! Aliases are copied, so a document could grow without bound: every value counts against
//! [`YAML_VALUE_COUNT_MAX`], copies included.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::positions::{Positions, Text};
use super::{Format, Source, scalar};
use crate::finding::Finding;
use crate::json;
use crate::limits::{JSON_DEPTH_MAX, YAML_VALUE_COUNT_MAX};

pub(super) fn read(text: &str) -> Result<Source, Finding> {
    let mut builder = Builder::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let message = format!("this is not YAML: {}", error.info());
            at(*error.marker(), Finding::error("bad-yaml", "", message))
        })?;
        builder.take(event, span)?;
    }
    let value = builder.root.ok_or_else(|| {
        let finding = Finding::error("empty", "", "the document is empty");
        let finding = finding.hint("start with `name:` and `nodes:`");
        Finding { line: Some(1), column: Some(1), ..finding }
    })?;
    Ok(Source { value, positions: builder.positions, format: Format::Yaml })
}

/// One open list or mapping, and the path of what comes next in it.
struct Open {
    value: Value,
    anchor: usize,
    pointer: String,
    start: Marker,
    own_key: Option<Marker>,
    key: Option<(String, Marker)>,
    /// Whether that key is `<<` without quotes, which is no key.
    is_merge: bool,
    merges: Vec<Map<String, Value>>,
}

struct Builder {
    stack: Vec<Open>,
    anchors: HashMap<usize, Value>,
    positions: Positions,
    value_count: usize,
    root: Option<Value>,
}

impl Builder {
    fn new() -> Builder {
        Builder {
            stack: Vec::new(),
            anchors: HashMap::new(),
            positions: Positions::default(),
            value_count: 0,
            root: None,
        }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Finding> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                let finding = Finding::error("many-documents", "", "only one document is expected");
                Err(at(span.start, finding))
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag, span),
            Event::SequenceStart(anchor, _) => self.open(Value::Array(vec![]), anchor, span),
            Event::MappingStart(anchor, _) => self.open(Value::Object(Map::new()), anchor, span),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::StreamStart
            | Event::StreamEnd
            | Event::Nothing => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<std::borrow::Cow<'_, Tag>>,
        span: Span,
    ) -> Result<(), Finding> {
        if self.wants_key() {
            if let Some(open) = self.stack.last_mut() {
                open.key = Some((text.to_owned(), span.start));
                open.is_merge = text == "<<" && style == ScalarStyle::Plain;
            }
            return Ok(());
        }
        let tagged_text = tag.as_ref().is_some_and(|tag| {
            tag.is_yaml_core_schema() && tag.suffix == "str" || tag.suffix == "!"
        });
        let value = if style == ScalarStyle::Plain && !tagged_text {
            scalar::plain(text)
                .map_err(|message| at(span.start, Finding::error("bad-yaml", "", message)))?
        } else {
            Value::String(text.to_owned())
        };
        let lies = match style {
            ScalarStyle::Plain => Text::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Text::Quoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Text::Block,
        };
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        self.put(value, span.start, lies)
    }

    fn open(&mut self, value: Value, anchor: usize, span: Span) -> Result<(), Finding> {
        if self.wants_key() {
            let finding = Finding::error("bad-yaml", "", "a key must be a text")
                .hint("a value with `{{ … }}` needs quotes in YAML: `\"{{ … }}\"`");
            return Err(at(span.start, finding));
        }
        if self.stack.len() >= JSON_DEPTH_MAX {
            let message = format!("the document nests deeper than {JSON_DEPTH_MAX}");
            return Err(at(span.start, Finding::error("too-deep", "", message)));
        }
        let pointer = self.next_pointer();
        let own_key = self.stack.last().and_then(|open| open.key.as_ref().map(|key| key.1));
        let start = span.start;
        self.stack.push(Open {
            value,
            anchor,
            pointer,
            start,
            own_key,
            key: None,
            is_merge: false,
            merges: vec![],
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Finding> {
        let Some(mut open) = self.stack.pop() else { return Ok(()) };
        if let Value::Object(fields) = &mut open.value {
            for merged in open.merges.drain(..) {
                for (key, value) in merged {
                    fields.entry(key).or_insert(value);
                }
            }
        }
        if open.anchor > 0 {
            self.anchors.insert(open.anchor, open.value.clone());
        }
        self.positions.set(
            open.pointer,
            open.own_key.map(line_and_column),
            line_and_column(open.start),
            Text::Plain,
        );
        self.put_silently(open.value, open.start)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Finding> {
        let Some(value) = self.anchors.get(&anchor).cloned() else {
            let finding = Finding::error("bad-yaml", "", "this alias refers to itself");
            return Err(at(span.start, finding));
        };
        self.value_count += count(&value);
        if self.stack.len() + json::depth(&value) > JSON_DEPTH_MAX {
            let message = format!("the document nests deeper than {JSON_DEPTH_MAX}");
            return Err(at(span.start, Finding::error("too-deep", "", message)));
        }
        self.put(value, span.start, Text::Plain)
    }

    fn put(&mut self, value: Value, start: Marker, lies: Text) -> Result<(), Finding> {
        let key = self.stack.last().and_then(|open| open.key.as_ref().map(|key| key.1));
        let pointer = self.next_pointer();
        self.positions.set(pointer, key.map(line_and_column), line_and_column(start), lies);
        self.put_silently(value, start)
    }

    fn put_silently(&mut self, value: Value, start: Marker) -> Result<(), Finding> {
        self.value_count += 1;
        if self.value_count > YAML_VALUE_COUNT_MAX {
            let message = format!("the document has more than {YAML_VALUE_COUNT_MAX} values");
            return Err(at(start, Finding::error("too-large", "", message)));
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        match &mut open.value {
            Value::Array(items) => items.push(value),
            Value::Object(fields) => {
                let Some((key, key_start)) = open.key.take() else { return Ok(()) };
                if open.is_merge {
                    return merge(&mut open.merges, value).map_err(|finding| at(start, finding));
                }
                if fields.contains_key(&key) {
                    let message = format!("the key `{key}` stands here twice");
                    let finding = Finding::error("duplicate-key", open.pointer.clone(), message);
                    return Err(at(key_start, finding));
                }
                fields.insert(key, value);
            }
            _ => {}
        }
        Ok(())
    }

    fn wants_key(&self) -> bool {
        self.stack.last().is_some_and(|open| open.value.is_object() && open.key.is_none())
    }

    fn next_pointer(&self) -> String {
        match self.stack.last() {
            None => String::new(),
            Some(open) => match (&open.key, &open.value) {
                (Some((key, _)), _) => json::pointer(&open.pointer, key),
                (None, Value::Array(items)) => json::pointer(&open.pointer, items.len()),
                (None, _) => open.pointer.clone(),
            },
        }
    }
}

/// `<<: *defaults`: what a mapping takes over where it says nothing itself.
fn merge(merges: &mut Vec<Map<String, Value>>, value: Value) -> Result<(), Finding> {
    match value {
        Value::Object(fields) => merges.push(fields),
        Value::Array(list) => {
            for value in list {
                merge(merges, value)?;
            }
        }
        _ => return Err(Finding::error("bad-yaml", "", "`<<` takes a mapping")),
    }
    Ok(())
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

fn line_and_column(marker: Marker) -> (u32, u32) {
    let line = u32::try_from(marker.line()).unwrap_or(u32::MAX);
    let column = u32::try_from(marker.col()).unwrap_or(u32::MAX - 1);
    (line, column + 1)
}

fn at(marker: Marker, finding: Finding) -> Finding {
    let (line, column) = line_and_column(marker);
    Finding { line: Some(line), column: Some(column), ..finding }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        read(text).unwrap().value
    }

    #[test]
    fn scalars_keep_their_types() {
        let text = "a: 1\nb: '1'\nc: !!str 1\nd: |\n  one\n  two\ne: ~\nf:\n";
        let expected =
            json!({ "a": 1, "b": "1", "c": "1", "d": "one\ntwo\n", "e": null, "f": null });
        assert_eq!(value(text), expected);
    }

    #[test]
    fn anchors_and_merge_keys() {
        let text = "base: &base {x: 1, y: 2}\nmore:\n  <<: *base\n  y: 3\n";
        assert_eq!(value(text)["more"], json!({ "y": 3, "x": 1 }));
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let previous = level - 1;
            let list = vec![format!("*a{previous}"); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        assert_eq!(read(&text).unwrap_err().code, "too-large");
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert_eq!(read(&"- ".repeat(5_000)).unwrap_err().code, "too-deep");
        assert!(read(&"[".repeat(5_000)).is_err());
    }

    #[test]
    fn mistakes_have_a_place() {
        let table = [
            ("a: 1\nb: [1, 2\nc: 3\n", "bad-yaml", 3),
            ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3),
            ("a: 1\n---\nb: 2\n", "many-documents", 2),
            ("a: *nothing\n", "bad-yaml", 1),
        ];
        for (text, code, line) in table {
            let finding = read(text).unwrap_err();
            assert_eq!((finding.code.as_str(), finding.line), (code, Some(line)), "{text}");
        }
        assert_eq!(read("").unwrap_err().code, "empty");
    }

    #[test]
    fn a_place_inside_a_text() {
        let source = read("a: hello\nb: 'hello'\nc: |\n  one\n  two\n").unwrap();
        assert_eq!(source.positions.inside("/a", "hello", 2), Some((1, 6)));
        assert_eq!(source.positions.inside("/b", "hello", 2), Some((2, 7)));
        assert_eq!(source.positions.inside("/c", "one\ntwo\n", 5), Some((5, 4)));
    }
}
