use std::io::{BufRead, IsTerminal, Read};
use std::path::PathBuf;

use axum::http::Method;
use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::json;

use crate::cli::{Connect, Exit, Usage, exit};
use crate::client::{Question, segment};
use crate::vault::SECRET_BYTES_MAX;

/// Sets a secret, or replaces it. It is read from standard input, so that it is in no list of
/// processes and no history of commands.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its name: `secrets.NAME` in templates.
    name: String,
    /// A file to read it from. A line end at its end is not part of it.
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

impl Set {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let value = match &self.from_file {
            Some(path) => {
                let file = std::fs::File::open(path);
                let file = file.map_err(|error| Usage(format!("`{}`: {error}", path.display())))?;
                read(file)?
            }
            None if std::io::stdin().is_terminal() => ask(&self.name)?,
            None => read(std::io::stdin())?,
        };
        let client = self.connect.client_or_new().await?;
        let path = format!("/api/v1/secrets/{}", segment(&self.name));
        let body = json!({ "value": value });
        let question = Question { method: Method::PUT, ..Question::post(&path, &body) };
        client.expect(question).await?;
        exit::message(&format!("{} is set", self.name));
        Ok(Exit::Ok)
    }
}

fn read(source: impl Read) -> Result<String, Usage> {
    let mut text = String::new();
    // One byte more than is allowed, and a line end, are enough to know.
    let most = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(3);
    let read = source.take(most).read_to_string(&mut text);
    read.map_err(|error| Usage(format!("the secret cannot be read: {error}")))?;
    Ok(without_line_end(text))
}

/// Asks at the terminal, which shows nothing of what is typed.
fn ask(name: &str) -> anyhow::Result<String> {
    exit::message(&format!("{name}, which is not shown:"));
    let terminal = std::io::stdin();
    let before = tcgetattr(&terminal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
    let mut text = String::new();
    let read = terminal.lock().read_line(&mut text);
    tcsetattr(&terminal, OptionalActions::Flush, &before)?;
    read?;
    Ok(without_line_end(text))
}

fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
