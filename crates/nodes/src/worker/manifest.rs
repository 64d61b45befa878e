//! What a plugin says of itself: its kinds, with JSON Schemas of what goes in and comes out.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::definition;
use windlass_core::kinds::{Described, Kind, Kinds};
use windlass_core::schema::Schema;

/// Kinds of a plugin, at most.
pub const KIND_COUNT_MAX: usize = 100;
/// The largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 1024 * 1024;

/// The manifest of a plugin, a JSON file.
#[derive(Debug)]
pub struct Manifest {
    /// The plugin's name, for people.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// Its kinds.
    pub kinds: Vec<Arc<Kind>>,
}

/// A manifest as it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ManifestDoc {
    /// What the plugin is called.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// Its version.
    #[schemars(length(min = 1, max = 100))]
    version: String,
    /// Its kinds of node.
    #[schemars(length(min = 1, max = KIND_COUNT_MAX))]
    kinds: Vec<KindDoc>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KindDoc {
    /// The word in definitions.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_-]{0,63}$"))]
    kind: String,
    /// One sentence.
    #[schemars(length(min = 1, max = 200))]
    summary: String,
    /// More sentences, in Markdown.
    #[serde(default)]
    description: Option<String>,
    /// JSON Schema of a step's config.
    config: Value,
    /// JSON Schema of its output.
    #[serde(default)]
    output: Option<Value>,
    /// A config.
    example: Value,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, one sentence each.
    pub fn parse(text: &str) -> Result<Manifest, Vec<String>> {
        if text.len() > MANIFEST_BYTES_MAX {
            return Err(vec![format!("it has more than {MANIFEST_BYTES_MAX} bytes")]);
        }
        let value: Value =
            serde_json::from_str(text).map_err(|error| vec![format!("it is not JSON: {error}")])?;
        let shape = schemars::schema_for!(ManifestDoc).to_value();
        let shape = Schema::compile(&shape).map_err(|error| vec![error])?;
        let violations = shape.violations(&value);
        if !violations.is_empty() {
            let told = violations.iter().map(|one| {
                let hint = one.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                at(&one.path, &format!("{}{hint}", one.message))
            });
            return Err(told.collect());
        }
        let doc: ManifestDoc =
            serde_json::from_value(value).map_err(|error| vec![error.to_string()])?;
        let (mut kinds, mut wrong) = (Vec::<Arc<Kind>>::new(), Vec::new());
        for (index, doc) in doc.kinds.into_iter().enumerate() {
            let path = format!("/kinds/{index}");
            if kinds.iter().any(|kind| kind.name == doc.kind) {
                wrong.push(at(&path, &format!("the kind `{}` is there twice", doc.kind)));
                continue;
            }
            match kind_of(doc) {
                Ok(kind) => kinds.push(kind),
                Err(found) => wrong.extend(
                    found.iter().map(|(field, message)| at(&format!("{path}{field}"), message)),
                ),
            }
        }
        match wrong.is_empty() {
            true => Ok(Manifest { name: doc.name, version: doc.version, kinds }),
            false => Err(wrong),
        }
    }
}

fn at(path: &str, message: &str) -> String {
    if path.is_empty() { message.to_owned() } else { format!("at `{path}`: {message}") }
}

/// What is wrong with a kind, by field.
type Wrong = Vec<(String, String)>;

fn kind_of(doc: KindDoc) -> Result<Arc<Kind>, Wrong> {
    let name = doc.kind.clone();
    let own = Kinds::pure();
    if own.get(&name).is_some() {
        return Err(vec![("/kind".into(), format!("`{name}` is a kind of Windlass's own"))]);
    }
    let mut source = doc.config;
    if source.get("type") != Some(&json!("object")) {
        let message = "a config is an object, so its schema begins with `\"type\": \"object\"`";
        return Err(vec![("/config".into(), message.to_owned())]);
    }
    if let Some(description) = doc.description {
        source["description"] = Value::from(description);
    }
    let compiled = |field: &str, schema: &Value| {
        Schema::compile(schema).map_err(|error| vec![(field.to_owned(), error)])
    };
    let config = compiled("/config", &source)?;
    let output = doc.output.as_ref().map(|schema| compiled("/output", schema)).transpose()?;
    let example = format!(
        "name: try-{name}\nnodes:\n  - id: {}\n    type: {name}\n    config: {}\n",
        name.replace('-', "_"),
        doc.example
    );
    let described =
        Described { name, summary: doc.summary, config, output, example: example.clone() };
    let kind = Arc::new(Kind::described(described));
    let mut kinds = own;
    kinds.add(kind.clone());
    let checked = definition::check(&example, &kinds);
    let found: Wrong = checked
        .findings
        .iter()
        .map(|finding| {
            let place = finding.path.strip_prefix("/nodes/0/config").unwrap_or_default();
            (format!("/example{place}"), finding.message.clone())
        })
        .collect();
    if found.is_empty() { Ok(kind) } else { Err(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(kind: Value) -> String {
        json!({ "name": "pictures", "version": "1", "kinds": [kind] }).to_string()
    }

    fn resize() -> Value {
        json!({
            "kind": "resize",
            "summary": "Makes pictures smaller",
            "description": "Longer.",
            "config": {
                "type": "object",
                "properties": { "width": { "type": "integer" } },
                "required": ["width"],
            },
            "output": { "type": "object", "properties": { "url": { "type": "string" } } },
            "example": { "width": "{{ input.width }}" },
        })
    }

    #[test]
    fn a_kind_is_what_its_manifest_says() {
        let manifest = Manifest::parse(&manifest(resize())).unwrap();
        let kind = &manifest.kinds[0];
        assert_eq!((kind.name, kind.summary), ("resize", "Makes pictures smaller"));
        assert_eq!(kind.description(), "Longer.");
        assert!(kind.is_outside() && kind.example.contains("type: resize"));
        let mut kinds = Kinds::pure();
        kinds.add(kind.clone());
        let text = "name: x\nnodes:\n  - {id: a, type: resize, config: {width: 3, hight: 4}}\n  \
                    - {id: b, type: transform, needs: [a], config: {output: '{{ a.output.url > 3 }}'}}\n";
        let checked = definition::check(text, &kinds);
        let found: Vec<_> = checked.findings.iter().map(|one| one.message.as_str()).collect();
        assert!(found.iter().any(|one| one.contains("string")), "{found:?}");
    }

    #[test]
    fn whatever_is_wrong_is_named() {
        let with = |path: &str, value: Value| {
            let mut kind = resize();
            *kind.pointer_mut(path).unwrap() = value;
            manifest(kind)
        };
        let mut untold = resize();
        untold.as_object_mut().unwrap().remove("example");
        let twice = json!({ "name": "a", "version": "1", "kinds": [resize(), resize()] });
        for (text, sentence) in [
            ("{".to_owned(), "it is not JSON: EOF while parsing an object at line 1 column 1"),
            ("{}".to_owned(), "the field `name` is missing"),
            (manifest(untold), "at `/kinds/0`: the field `example` is missing"),
            (with("/kind", json!("Re size")), "at `/kinds/0/kind`: "),
            (with("/kind", json!("map")), "at `/kinds/0/kind`: `map` is a kind of Windlass's own"),
            (
                with("/config", json!({ "type": "array" })),
                "at `/kinds/0/config`: a config is an object, so its schema begins with \
                 `\"type\": \"object\"`",
            ),
            (with("/config/properties/width/type", json!("whole")), "at `/kinds/0/config`: "),
            (with("/output", json!({ "$ref": "http://x/y" })), "at `/kinds/0/output`: "),
            (with("/example/width", json!("wide")), "at `/kinds/0/example/width`: "),
            (with("/example", json!({})), "at `/kinds/0/example`: the field `width` is missing"),
            (twice.to_string(), "at `/kinds/1`: the kind `resize` is there twice"),
            (" ".repeat(MANIFEST_BYTES_MAX + 1), "it has more than 1048576 bytes"),
        ] {
            let found = Manifest::parse(&text).map(|_| ()).unwrap_err();
            assert!(found[0].starts_with(sentence), "{sentence}: {found:?}");
        }
    }
}
