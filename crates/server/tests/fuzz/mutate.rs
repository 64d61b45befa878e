//! Making something else out of what is there: texts by characters, JSON by its parts.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// What breaks careless readers.
const ODD: [&str; 32] = [
    "\0",
    "\u{feff}",
    "\u{2028}",
    "é",
    "😀",
    "\u{202e}",
    "\\",
    "\"",
    "'",
    "\n",
    "\r\n",
    "\t",
    "{{",
    "}}",
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "|",
    ">",
    "#",
    "%",
    "~",
    "-0",
    "1e999",
    "0x7fffffffffffffff",
];

/// A text with a few changes. `pieces` are words that mean something where the text is read.
pub(crate) fn text(rng: &mut Rng, text: &str, others: &[String], pieces: &[&str]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..rng.usize(1..=4) {
        let (from, to) = span(rng, chars.len());
        let new: Vec<char> = match rng.u8(0..7) {
            0 => Vec::new(),
            1 => chars[from..to].repeat(2),
            2 => pick(rng, &ODD).chars().collect(),
            3 if !pieces.is_empty() => pick(rng, pieces).chars().collect(),
            4 => rng.i64(..).to_string().chars().collect(),
            5 => {
                let other: Vec<char> = rng.choice(others).map_or("", |o| o).chars().collect();
                let (from, to) = span(rng, other.len());
                other[from..to].to_vec()
            }
            _ => chars[from..to].iter().rev().copied().collect(),
        };
        chars.splice(from..to, new);
    }
    chars.into_iter().collect()
}

/// A short piece of so many characters, wherever it is.
fn span(rng: &mut Rng, length: usize) -> (usize, usize) {
    let from = rng.usize(0..=length);
    let longest = if rng.u8(0..8) == 0 { length } else { 12 };
    (from, rng.usize(from..=(from + longest).min(length)))
}

fn pick<'a>(rng: &mut Rng, all: &[&'a str]) -> &'a str {
    all[rng.usize(0..all.len())]
}

/// A value with a few changes, somewhere inside of it.
pub(crate) fn value(rng: &mut Rng, value: &mut Value, words: &[&str]) {
    for _ in 0..rng.usize(1..=3) {
        let place = anywhere(rng, value);
        match rng.u8(0..6) {
            0 => *place = any(rng, words, 3),
            1 => *place = json!([place.take()]),
            2 => *place = json!({ pick(rng, words): place.take() }),
            3 => drop_one(rng, place),
            4 => add_one(rng, place, words),
            _ => change(rng, place, words),
        }
    }
}

/// Some part of a value, which may be the whole.
fn anywhere<'a>(rng: &mut Rng, value: &'a mut Value) -> &'a mut Value {
    let is_leaf = match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    };
    if is_leaf || rng.u8(0..6) == 0 {
        return value;
    }
    match value {
        Value::Object(fields) => {
            let index = rng.usize(0..fields.len());
            let field = fields.values_mut().nth(index);
            anywhere(rng, field.expect("the index is below their number"))
        }
        Value::Array(items) => {
            let index = rng.usize(0..items.len());
            anywhere(rng, &mut items[index])
        }
        leaf => leaf,
    }
}

fn drop_one(rng: &mut Rng, place: &mut Value) {
    match place {
        Value::Object(fields) if !fields.is_empty() => {
            let index = rng.usize(0..fields.len());
            let name = fields.keys().nth(index).cloned().unwrap_or_default();
            fields.remove(&name);
        }
        Value::Array(items) if !items.is_empty() => {
            items.remove(rng.usize(0..items.len()));
        }
        other => *other = Value::Null,
    }
}

fn add_one(rng: &mut Rng, place: &mut Value, words: &[&str]) {
    match place {
        Value::Object(fields) => {
            fields.insert(pick(rng, words).to_owned(), any(rng, words, 3));
        }
        Value::Array(items) => {
            let copy = rng.choice(&*items).cloned().unwrap_or(Value::Null);
            items.insert(rng.usize(0..=items.len()), copy);
        }
        other => *other = any(rng, words, 2),
    }
}

fn change(rng: &mut Rng, place: &mut Value, words: &[&str]) {
    match place {
        Value::String(old) => *old = text(rng, old, &[], words),
        Value::Number(_) => *place = number(rng),
        Value::Bool(it) => *it = !*it,
        Value::Array(items) => rng.shuffle(items),
        other => *other = any(rng, words, 2),
    }
}

fn number(rng: &mut Rng) -> Value {
    match rng.u8(0..6) {
        0 => json!(rng.i64(..)),
        1 => json!(rng.u64(..)),
        2 => json!(rng.i8(..)),
        3 => json!(-0.0),
        4 => json!(f64::MAX * rng.f64()),
        _ => json!(rng.f64() - 0.5),
    }
}

/// Any value, at most so deep.
pub(crate) fn any(rng: &mut Rng, words: &[&str], depth: u8) -> Value {
    let most = if depth == 0 { 5 } else { 7 };
    match rng.u8(0..most) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => number(rng),
        3 => json!(pick(rng, words)),
        4 => json!(pick(rng, &ODD)),
        5 => (0..rng.usize(0..4)).map(|_| any(rng, words, depth - 1)).collect(),
        _ => {
            let field = |rng: &mut Rng| (pick(rng, words).to_owned(), any(rng, words, depth - 1));
            Value::Object((0..rng.usize(0..4)).map(|_| field(rng)).collect::<Map<_, _>>())
        }
    }
}

/// A text that nests far deeper than anybody writes.
pub(crate) fn deep(rng: &mut Rng, open: &str, close: &str) -> String {
    let depth = 1 << rng.u32(4..15);
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}
