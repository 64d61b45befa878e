//! The directory that prompt files live in. Nothing outside of it is ever read, whatever a path
//! or a link says.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::head::{Prompt, parse};
use super::render::{self, Rendered};
use super::{EXTENDS_MAX, LISTED_MAX, PROMPT_BYTES_MAX, PromptError};

const DEPTH_MAX: usize = 8;

/// Where prompt files live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptSettings {
    /// The directory. Left out, there are none.
    pub dir: Option<PathBuf>,
}

/// A prompt file of the directory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// Its path below the directory.
    pub path: String,
    /// What it is, or why it is none.
    #[serde(flatten)]
    pub prompt: Result<Prompt, String>,
}

impl PromptSettings {
    /// Every `*.prompt.md` of the directory, by path.
    ///
    /// # Errors
    ///
    /// If there is no directory.
    pub fn list(&self) -> Result<Vec<Listed>, PromptError> {
        let root = self.root()?;
        let mut paths = Vec::new();
        collect(&root, &root, DEPTH_MAX, &mut paths);
        paths.sort();
        let listed = paths.into_iter().map(|path| {
            let prompt = self.load(&path).map_err(|error| error.to_string());
            Listed { path, prompt }
        });
        Ok(listed.collect())
    }

    /// Reads a file, and what it leaves open from the files it extends.
    ///
    /// # Errors
    ///
    /// If there is no such file, or it is no prompt.
    pub fn load(&self, path: &str) -> Result<Prompt, PromptError> {
        let prompt = self.read(path)?;
        self.complete(prompt)
    }

    /// Renders a prompt with these inputs.
    ///
    /// # Errors
    ///
    /// If the inputs do not fit, or the body has a fault.
    pub fn render(
        &self,
        prompt: &Prompt,
        inputs: &Map<String, Value>,
    ) -> Result<Rendered, PromptError> {
        render::render(self, prompt, inputs)
    }

    /// The prompt with what it leaves open filled in from the files it extends: inputs are added,
    /// the rest is taken over where it says nothing.
    ///
    /// # Errors
    ///
    /// If one of these files is not there or no prompt, or there are too many of them.
    pub fn complete(&self, mut prompt: Prompt) -> Result<Prompt, PromptError> {
        let mut next = prompt.extends.clone();
        for _ in 0..EXTENDS_MAX {
            let Some(path) = next else { return Ok(prompt) };
            let base = self.read(&path)?;
            next = base.extends.clone();
            take_over(&mut prompt, base);
        }
        Err(PromptError::Render(format!("more than {EXTENDS_MAX} files extend one another")))
    }

    pub(super) fn read(&self, path: &str) -> Result<Prompt, PromptError> {
        let text = self.text(path)?;
        parse(&text).map_err(|finding| PromptError::Bad {
            path: path.to_owned(),
            finding: Box::new(finding),
        })
    }

    /// The text of a file of the directory.
    pub(super) fn text(&self, path: &str) -> Result<String, PromptError> {
        let not_found = |reason: String| PromptError::NotFound { path: path.to_owned(), reason };
        let root = self.root()?;
        let is_plain = !path.is_empty()
            && !path.contains(['\\', '\0'])
            && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if !is_plain {
            return Err(not_found("a path below the directory, such as `a/b.prompt.md`".into()));
        }
        if !path.ends_with(".md") {
            return Err(not_found("its name ends in `.md`".into()));
        }
        // A link may lead elsewhere, so what counts is where it ends.
        let real =
            fs::canonicalize(root.join(path)).map_err(|_| not_found("there is none".into()))?;
        if !real.starts_with(&root) {
            return Err(not_found("it is a link that leads out of the directory".into()));
        }
        let file = fs::File::open(&real).map_err(|error| not_found(error.to_string()))?;
        if !file.metadata().is_ok_and(|meta| meta.is_file()) {
            return Err(not_found("it is no file".into()));
        }
        let mut text = String::new();
        let limit = PROMPT_BYTES_MAX as u64 + 1;
        file.take(limit).read_to_string(&mut text).map_err(|error| not_found(error.to_string()))?;
        if text.len() > PROMPT_BYTES_MAX {
            return Err(not_found(format!("it has more than {PROMPT_BYTES_MAX} bytes")));
        }
        Ok(text)
    }

    fn root(&self) -> Result<PathBuf, PromptError> {
        let dir = self.dir.as_ref().ok_or(PromptError::NoDirectory)?;
        fs::canonicalize(dir).map_err(|error| PromptError::NotFound {
            path: dir.display().to_string(),
            reason: format!("the directory cannot be read: {error}"),
        })
    }
}

fn take_over(prompt: &mut Prompt, base: Prompt) {
    if let (Some(own), Some(theirs)) = (prompt.inputs.as_object_mut(), base.inputs.as_object()) {
        merge_inputs(own, theirs);
    }
    prompt.output = prompt.output.take().or(base.output);
    if !prompt.says.client {
        prompt.client = base.client;
    }
    if !prompt.says.prompt_type {
        prompt.prompt_type = base.prompt_type;
    }
    if !prompt.says.tools {
        prompt.tools = base.tools;
    }
    if !prompt.says.max_turns {
        prompt.max_turns = base.max_turns;
    }
    prompt.says.client |= base.says.client;
    prompt.says.prompt_type |= base.says.prompt_type;
    prompt.says.tools |= base.says.tools;
    prompt.says.max_turns |= base.says.max_turns;
    prompt.warnings.extend(base.warnings);
}

/// Adds the inputs that only the other schema has.
fn merge_inputs(own: &mut Map<String, Value>, theirs: &Map<String, Value>) {
    let required: Vec<Value> =
        theirs.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    for (name, schema) in theirs.get("properties").and_then(Value::as_object).into_iter().flatten()
    {
        let Some(properties) = own.get_mut("properties").and_then(Value::as_object_mut) else {
            return;
        };
        if properties.contains_key(name) {
            continue;
        }
        properties.insert(name.clone(), schema.clone());
        let name = Value::from(name.as_str());
        if let Some(own) = own.get_mut("required").and_then(Value::as_array_mut)
            && required.contains(&name)
        {
            own.push(name);
        }
    }
}

/// Links are not followed: a directory could contain itself.
fn collect(root: &Path, dir: &Path, depth: usize, into: &mut Vec<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(file_type) = entry.file_type() else { continue };
        let path = entry.path();
        if file_type.is_dir() {
            collect(root, &path, depth, into);
        } else if file_type.is_file()
            && into.len() < LISTED_MAX
            && let Some(path) = path.strip_prefix(root).ok().and_then(Path::to_str)
            && path.ends_with(".prompt.md")
        {
            into.push(path.to_owned());
        }
    }
}
