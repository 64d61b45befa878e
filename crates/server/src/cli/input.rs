//! `--input`: a run's input from the command line.

use std::io::Read;

use serde_json::{Map, Value};

use super::exit::Usage;

/// Puts a run's input together. Each part is `key=value` (the value JSON if it can be read as
/// that, else text), `@FILE`, or `-` for standard input; later parts win. Files hold YAML or JSON.
///
/// # Errors
///
/// Says which part makes no sense.
pub(crate) fn read(parts: &[String]) -> Result<Value, Usage> {
    let mut input = Value::Object(Map::new());
    for part in parts {
        if part == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Usage(format!("standard input cannot be read: {error}")))?;
            merge(&mut input, parse("standard input", &text)?);
        } else if let Some(path) = part.strip_prefix('@') {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Usage(format!("`{path}` cannot be read: {error}")))?;
            merge(&mut input, parse(path, &text)?);
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

fn parse(name: &str, text: &str) -> Result<Value, Usage> {
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
        assert_eq!(parts(&[&file, "b=4"]).unwrap(), json!({ "a": [1], "b": 4 }));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        assert!(parts(&["plain"]).unwrap_err().to_string().contains("`plain`"));
        assert!(parts(&["@/no/such/file"]).unwrap_err().to_string().contains("/no/such/file"));
    }
}
