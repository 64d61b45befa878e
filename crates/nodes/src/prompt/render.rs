//! A prompt with its inputs filled in.

use std::io::{self, Write};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use serde_json::{Map, Value};
use windlass_core::schema::Schema;

use super::directory::PromptSettings;
use super::head::{Prompt, parse};
use super::{FUEL, PromptError, RENDERED_BYTES_MAX};

/// The block that a body fills which names none.
const BODY_BLOCK: &str = "body";
const RECURSION_MAX: usize = 50;

/// A prompt that is ready to be asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rendered {
    /// What to ask.
    #[serde(rename = "rendered")]
    pub text: String,
    /// Whom, as `provider/model`.
    pub client: String,
    /// JSON Schema of the answer.
    pub output_schema: Option<Value>,
}

pub(super) fn render(
    settings: &PromptSettings,
    prompt: &Prompt,
    inputs: &Map<String, Value>,
) -> Result<Rendered, PromptError> {
    let mut inputs = inputs.clone();
    let schema = Schema::compile(&prompt.inputs).map_err(PromptError::Render)?;
    let violations = schema.violations(&Value::Object(inputs.clone()));
    if !violations.is_empty() {
        return Err(PromptError::Inputs(violations));
    }
    // An input that was left out is null, and not unknown.
    for name in prompt.inputs["properties"].as_object().into_iter().flat_map(Map::keys) {
        inputs.entry(name.clone()).or_insert(Value::Null);
    }
    let output_schema = match &prompt.output {
        Some(schema) => format!("{schema:#}"),
        None => String::new(),
    };
    inputs.insert("output_schema".to_owned(), Value::String(output_schema));
    let source = source(settings, prompt)?;
    let environment = environment(settings);
    let mut text = Limited::default();
    let template = environment.template_from_named_str(&prompt.name, &source);
    let done = template
        .and_then(|template| template.render_captured_to(Serde(&inputs), &mut text).map(drop));
    if text.is_full {
        let message = format!("it has more than {RENDERED_BYTES_MAX} bytes");
        return Err(PromptError::Render(message));
    }
    done.map_err(|error| PromptError::Render(describe(&error)))?;
    let text = String::from_utf8_lossy(&text.bytes).trim().to_owned();
    Ok(Rendered { text, client: prompt.client.clone(), output_schema: prompt.output.clone() })
}

fn environment(settings: &PromptSettings) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION_MAX);
    let settings = settings.clone();
    environment.set_loader(move |path| {
        let refused = |error: PromptError| {
            minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string())
        };
        let text = settings.text(path).map_err(refused)?;
        // A part that is no prompt of its own has no head.
        match parse(&text) {
            Ok(prompt) => source(&settings, &prompt).map(Some).map_err(refused),
            Err(_) if !text.starts_with("---") => Ok(Some(text)),
            Err(finding) => {
                let error = PromptError::Bad { path: path.to_owned(), finding: Box::new(finding) };
                Err(refused(error))
            }
        }
    });
    environment
}

/// The body as a template. One that extends another file and names no block of it fills the block
/// `body`: outside of blocks, it would say nothing.
fn source(settings: &PromptSettings, prompt: &Prompt) -> Result<String, PromptError> {
    let Some(base) = &prompt.extends else { return Ok(prompt.body.clone()) };
    if base.contains(['"', '\\']) {
        return Err(PromptError::Render(format!("`extends`: `{base}` is no path")));
    }
    if has_block(&prompt.body, None) {
        return Ok(format!("{{% extends \"{base}\" %}}{}", prompt.body));
    }
    if !has_block(&settings.read(base)?.body, Some(BODY_BLOCK)) {
        let message = format!("`{base}` has no block `{BODY_BLOCK}` for the text to go to");
        return Err(PromptError::Render(message));
    }
    let body = &prompt.body;
    Ok(format!("{{% extends \"{base}\" %}}{{% block {BODY_BLOCK} %}}{body}{{% endblock %}}"))
}

/// Whether a template has a block, of this name if one is given.
fn has_block(template: &str, name: Option<&str>) -> bool {
    template.split("{%").skip(1).any(|tag| {
        let mut words = tag.trim_start_matches('-').split_whitespace();
        words.next() == Some("block") && name.is_none_or(|name| words.next() == Some(name))
    })
}

fn describe(error: &minijinja::Error) -> String {
    let mut text = match error.kind() {
        ErrorKind::OutOfFuel => "it takes too long".to_owned(),
        _ => error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
    };
    if let (Some(name), Some(line)) = (error.name(), error.line()) {
        text = format!("{text} (line {line} of the body of `{name}`)");
    }
    // Behind "could not load" stands why.
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Takes no more than a prompt may have.
#[derive(Debug, Default)]
struct Limited {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > RENDERED_BYTES_MAX {
            self.is_full = true;
            return Err(io::Error::other("full"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
