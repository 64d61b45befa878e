//! Which prompt file a command is about.

use std::io::Read;

use clap::Args;
use serde_json::{Value, json};
use windlass_nodes::prompt::PROMPT_BYTES_MAX;

use crate::cli::{Usage, input};

#[derive(Clone, Debug, Args)]
pub(super) struct File {
    /// Its path below the server's directory of prompts, `@FILE` for a file of this machine, or `-`
    /// for standard input.
    path: String,
}

/// What a prompt file is filled in with.
#[derive(Clone, Debug, Args)]
pub(super) struct Inputs {
    /// The inputs: `name=value`, `@FILE`, `{"name": …}`, or `-` for standard input. May be given
    /// several times.
    #[arg(short, long, value_name = "PART")]
    input: Vec<String>,
}

impl File {
    /// The request about it.
    pub(super) fn request(&self) -> Result<Value, Usage> {
        match self.path.strip_prefix('@') {
            Some(path) => {
                let unreadable = |error| Usage(format!("`{path}` cannot be read: {error}"));
                let file = std::fs::File::open(path).map_err(unreadable)?;
                Ok(json!({ "source": read(file).map_err(unreadable)? }))
            }
            None if self.path == "-" => {
                let text = read(std::io::stdin());
                let unreadable = |error| Usage(format!("standard input cannot be read: {error}"));
                Ok(json!({ "source": text.map_err(unreadable)? }))
            }
            None => Ok(json!({ "prompt_path": self.path })),
        }
    }

    /// The same, filled in.
    pub(super) fn request_with(&self, inputs: &Inputs) -> Result<Value, Usage> {
        let mut request = self.request()?;
        let inputs = input::read(&inputs.input)?;
        if !inputs.is_object() {
            return Err(Usage("the inputs are an object, by name".to_owned()));
        }
        request["inputs"] = inputs;
        Ok(request)
    }
}

/// Reads a text. One byte more than is allowed is enough for the server to say so.
fn read(source: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    let most = u64::try_from(PROMPT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    source.take(most).read_to_string(&mut text)?;
    Ok(text)
}
