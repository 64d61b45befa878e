//! The flags by which the seed's `workflow_manager.py` is called.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{delete, import, list, put, written};
use crate::cli::exit::Usage;
use crate::cli::runs::pages::read;
use crate::cli::{Connect, Exit, exit};

/// The most that a list of these flags shows.
const LISTED_MAX: u64 = 100_000;

/// One thing to do, in the seed's words.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Imports the template in `-f`.
    #[arg(short, long, requires = "file", group = "what")]
    import: bool,
    /// Exports the template `-w` to `-f`, or to `workflow_NAME.yml`.
    #[arg(short, long, requires = "workflow", group = "what")]
    export: bool,
    /// Writes the picture of the template `-w` to `-f`, or to `workflow_NAME.dot`.
    #[arg(long, requires = "workflow", group = "what")]
    graph: bool,
    /// Lists templates.
    #[arg(short, long, group = "what")]
    list: bool,
    /// Deletes the template `-w`. Exit status 1 if there is none.
    #[arg(short, long, requires = "workflow", group = "what")]
    delete: bool,
    /// The template.
    #[arg(short, long, value_name = "NAME")]
    workflow: Option<String>,
    /// The file.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

impl Flags {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let name = self.workflow.as_deref().unwrap_or_default();
        if self.import {
            let client = self.connect.client_or_new().await?;
            import::import(&client, self.file.as_deref().unwrap_or_else(|| Path::new("-"))).await?;
            return Ok(Exit::Ok);
        }
        if !(self.list || self.export || self.graph || self.delete) {
            let message = "one of `-i`, `-e`, `--graph`, `-l`, `-d` is needed, or a command";
            return Err(Usage(message.to_owned()).into());
        }
        let client = self.connect.client().await?;
        let done = if self.list {
            list::table(&read(&client, "/api/v1/templates?", LISTED_MAX).await?);
            Ok(())
        } else if self.delete {
            delete::delete(&client, name).await
        } else {
            let (query, end) =
                if self.graph { ("format=dot", "dot") } else { ("format=yaml", "yml") };
            let usual = || PathBuf::from(format!("workflow_{}.{end}", plain(name)));
            let file = self.file.clone().unwrap_or_else(usual);
            match written(&client, name, query).await {
                Ok(text) => {
                    put(&text, Some(&file))?;
                    exit::message(&format!("`{name}` is in `{}`", file.display()));
                    Ok(())
                }
                Err(error) => Err(error),
            }
        };
        match done {
            Err(error) if Exit::of(&error) == Exit::NotFound => {
                exit::report(&error);
                Ok(Exit::Absent)
            }
            done => done.map(|()| Exit::Ok),
        }
    }
}

/// A name as a part of a file's name.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c == '/' || c == '\\' || c.is_control() { '_' } else { c }).collect()
}
