//! `--input`: a run's input from the command line.

use std::io::Read;

use serde_json::{Map, Value};
use windlass_core::limits::{DEFINITION_BYTES_MAX, PAYLOAD_BYTES_MAX};

use super::exit::Usage;

/// Puts a run's input together. Each part is `key=value` (the value JSON if it can be read as
/// that, else text), a JSON object, `@FILE`, or `-` for standard input; later parts win. Files hold YAML
/// or JSON.
///
/// # Errors
///
/// Says which part makes no sense.
pub(crate) fn read(parts: &[String]) -> Result<Value, Usage> {
    let mut input = Value::Object(Map::new());
    for part in parts {
        if part == "-" {
            let text = text_of("standard input", std::io::stdin())?;
            merge(&mut input, parse("standard input", &text)?);
        } else if let Some(path) = part.strip_prefix('@') {
            let name = format!("`{path}`");
            let file = std::fs::File::open(path).map_err(|error| unreadable(&name, &error))?;
            merge(&mut input, parse(path, &text_of(&name, file)?)?);
        } else if part.starts_with('{') {
            let fields: Map<String, Value> = serde_json::from_str(part)
                .map_err(|error| Usage(format!("`{part:.60}` is no JSON object: {error}")))?;
            merge(&mut input, Value::Object(fields));
        } else {
            let (key, text) =
                part.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
                    Usage(format!("`{part}` is neither `key=value` nor `@FILE` nor `-`"))
                })?;
            let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
            merge(&mut input, Value::Object(Map::from_iter([(key.to_owned(), value)])));
        }
    }
    Ok(input)
}

fn unreadable(name: &str, error: &std::io::Error) -> Usage {
    Usage(format!("{name} cannot be read: {error}"))
}

fn text_of(name: &str, source: impl Read) -> Result<String, Usage> {
    // One byte more than is allowed is enough to know.
    let most = u64::try_from(PAYLOAD_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    source.take(most).read_to_string(&mut text).map_err(|error| unreadable(name, &error))?;
    if text.len() > PAYLOAD_BYTES_MAX {
        let message = format!("{name} has more than {PAYLOAD_BYTES_MAX} bytes");
        return Err(Usage(message));
    }
    Ok(text)
}

/// An input may be larger than a definition, but YAML takes too much memory to be.
fn parse(name: &str, text: &str) -> Result<Value, Usage> {
    if text.len() > DEFINITION_BYTES_MAX {
        return serde_json::from_str(text).map_err(|error| {
            Usage(format!(
                "{name}: an input of more than {DEFINITION_BYTES_MAX} bytes has to be JSON: {error}"
            ))
        });
    }
    match windlass_core::source::read(text) {
        Ok(source) => Ok(source.value),
        Err(finding) => Err(Usage(format!("{name}: {finding}"))),
    }
}

/// Fields are put together; what is no object replaces what was there.
fn merge(into: &mut Value, value: Value) {
    match (into, value) {
        (Value::Object(fields), Value::Object(more)) => fields.extend(more),
        (into, value) => *into = value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parts(parts: &[&str]) -> Result<Value, Usage> {
        read(&parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn parts_are_put_together() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("input.yaml");
        std::fs::write(&file, "a: [1]\nb: 2\n").unwrap();
        let file = format!("@{}", file.display());
        assert_eq!(parts(&[]).unwrap(), json!({}));
        assert_eq!(
            parts(&["n=3", "name=Ada Lovelace", "quoted=\"3\"", "e="]).unwrap(),
            json!({ "n": 3, "name": "Ada Lovelace", "quoted": "3", "e": "" })
        );
        let object = r#"{"n": {"m": 1}, "b": 2}"#;
        assert_eq!(parts(&[object, "b=4"]).unwrap(), json!({ "n": { "m": 1 }, "b": 4 }));
        assert_eq!(parts(&[&file, "b=4"]).unwrap(), json!({ "a": [1], "b": 4 }));
    }

    #[test]
    fn a_large_input_is_no_definition() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            let file = directory.path().join(name);
            std::fs::write(&file, text).unwrap();
            format!("@{}", file.display())
        };
        let (many, too_many) = ("x".repeat(3_000_000), "x".repeat(PAYLOAD_BYTES_MAX));
        let large = write("large.json", json!({ "text": many }).to_string());
        assert_eq!(parts(&[&large, "n=1"]).unwrap()["text"], many);
        let list = write("list.json", json!([many]).to_string());
        assert_eq!(parts(&[&list]).unwrap()[0], many);
        let refused = |file: &str| parts(&[file]).unwrap_err().to_string();
        let yaml = refused(&write("large.yaml", format!("text: {many}\n")));
        assert!(yaml.contains("has to be JSON"), "{yaml}");
        let larger = refused(&write("larger.json", json!({ "text": too_many }).to_string()));
        assert!(larger.contains("has more than 16777216 bytes"), "{larger}");
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        assert!(parts(&["plain"]).unwrap_err().to_string().contains("`plain`"));
        assert!(parts(&["{a: 1}"]).unwrap_err().to_string().contains("no JSON object"));
        assert!(parts(&["@/no/such/file"]).unwrap_err().to_string().contains("/no/such/file"));
    }
}
