//! `/redoc`: the API as one page to read, from the same document as `/openapi.json`. Rendered here,
//! so it needs no script and nothing from elsewhere; `/docs` is for trying things out.

use std::sync::LazyLock;

use axum::response::Html;
use serde::Serialize;
use serde_json::Value;

use super::render::page as render_page;

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    description: String,
    groups: Vec<Group>,
    types: Vec<Type>,
}

/// The operations of one tag.
#[derive(Serialize)]
struct Group {
    name: String,
    description: String,
    operations: Vec<Operation>,
}

#[derive(Serialize)]
struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    paragraphs: Vec<String>,
    parameters: Vec<Field>,
    bodies: Vec<(String, Kind)>,
    responses: Vec<Answer>,
}

#[derive(Serialize)]
struct Answer {
    status: String,
    description: String,
    kind: Kind,
}

/// A named schema.
#[derive(Serialize)]
struct Type {
    name: String,
    description: String,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    name: String,
    /// Where a parameter stands: `path`, `query` or `header`.
    place: String,
    kind: Kind,
    is_required: bool,
    description: String,
}

/// What a value is, in words, and the named type to read on at.
#[derive(Serialize)]
struct Kind {
    words: String,
    link: Option<String>,
}

pub(super) async fn page() -> Html<String> {
    // The document is part of the program, and so is what is made of it.
    static PAGE: LazyLock<String> = LazyLock::new(|| {
        let document = crate::api::openapi();
        render_page("redoc.html", context(&document)).0
    });
    Html(PAGE.clone())
}

fn context(document: &Value) -> Context {
    let tags = document["tags"].as_array().into_iter().flatten();
    let groups = tags.map(|tag| Group {
        name: text(&tag["name"]),
        description: text(&tag["description"]),
        operations: operations(document, &tag["name"]),
    });
    let schemas = document["components"]["schemas"].as_object();
    let types = schemas.into_iter().flatten().map(|(name, schema)| Type {
        name: name.clone(),
        description: text(&schema["description"]),
        fields: fields(schema),
    });
    Context {
        nav: "api",
        title: "API",
        description: text(&document["info"]["description"]),
        groups: groups.collect(),
        types: types.collect(),
    }
}

fn operations(document: &Value, tag: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let tags = operation["tags"].as_array();
            if tags.is_some_and(|tags| tags.contains(tag)) {
                found.push(operation_of(path, method, operation));
            }
        }
    }
    found
}

fn operation_of(path: &str, method: &str, operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters = parameters.map(|parameter| Field {
        name: text(&parameter["name"]),
        place: text(&parameter["in"]),
        kind: kind(&parameter["schema"]),
        is_required: parameter["required"] == true,
        description: text(&parameter["description"]),
    });
    let responses = operation["responses"].as_object().into_iter().flatten();
    let responses = responses.map(|(status, response)| Answer {
        status: status.clone(),
        description: text(&response["description"]),
        kind: contents(response).into_iter().next().map_or_else(Kind::none, |(_, kind)| kind),
    });
    Operation {
        id: text(&operation["operationId"]),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&operation["summary"]),
        paragraphs: text(&operation["description"]).split("\n\n").map(str::to_owned).collect(),
        parameters: parameters.collect(),
        bodies: contents(&operation["requestBody"]),
        responses: responses.collect(),
    }
}

/// Each media type of a body, and what it holds.
fn contents(of: &Value) -> Vec<(String, Kind)> {
    let contents = of["content"].as_object().into_iter().flatten();
    contents.map(|(media, content)| (media.clone(), kind(&content["schema"]))).collect()
}

fn fields(schema: &Value) -> Vec<Field> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let field = |(name, field): (&String, &Value)| Field {
        name: name.clone(),
        place: String::new(),
        kind: kind(field),
        is_required: required.contains(&Value::from(name.as_str())),
        description: text(&field["description"]),
    };
    let own = schema["properties"].as_object().into_iter().flatten().map(field);
    // What is flattened into a type is a part of its own.
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.chain(parts.flat_map(fields_of_part)).collect()
}

fn fields_of_part(part: &Value) -> Vec<Field> {
    match part["$ref"].as_str() {
        Some(_) => vec![Field {
            name: "…".to_owned(),
            place: String::new(),
            kind: kind(part),
            is_required: true,
            description: "and all its fields".to_owned(),
        }],
        None => fields(part),
    }
}

impl Kind {
    fn none() -> Kind {
        Kind { words: String::new(), link: None }
    }
}

fn kind(schema: &Value) -> Kind {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return Kind { words: name.to_owned(), link: Some(name.to_owned()) };
    }
    if let Some(either) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        let kinds: Vec<Kind> = either.iter().map(kind).collect();
        let link = kinds.iter().find_map(|kind| kind.link.clone());
        let words: Vec<String> = kinds.into_iter().map(|kind| kind.words).collect();
        return Kind { words: words.join(" or "), link };
    }
    let names = match &schema["type"] {
        Value::String(name) => vec![name.clone()],
        Value::Array(names) => names.iter().map(text).collect(),
        _ => vec!["any value".to_owned()],
    };
    let item = (names.contains(&"array".to_owned())).then(|| kind(&schema["items"]));
    let words = names.iter().map(|name| match (name.as_str(), &item) {
        ("array", Some(item)) => format!("list of {}", item.words),
        (name, _) => name.to_owned(),
    });
    let words = words.collect::<Vec<_>>().join(" or ");
    Kind { words, link: item.and_then(|item| item.link) }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
