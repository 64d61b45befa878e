mod delete;
mod export;
mod flags;
mod graph;
mod import;
mod list;
mod show;

use std::path::Path;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{Exit, output};
use crate::client::{Client, Question, segment};

/// Templates: what instances are made of.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct Template {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    flags: flags::Flags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Import(import::Import),
    Export(export::Export),
    List(list::List),
    Show(show::Show),
    Delete(delete::Delete),
    Graph(graph::Graph),
}

impl Template {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self.verb {
            None => self.flags.run().await,
            Some(Verb::Import(verb)) => verb.run().await,
            Some(Verb::Export(verb)) => verb.run().await,
            Some(Verb::List(verb)) => verb.run().await,
            Some(Verb::Show(verb)) => verb.run().await,
            Some(Verb::Delete(verb)) => verb.run().await,
            Some(Verb::Graph(verb)) => verb.run().await,
        }
    }
}

/// A template, written as `format` says.
async fn written(client: &Client, name: &str, query: &str) -> anyhow::Result<String> {
    let path = format!("/api/v1/templates/{}?{query}", segment(name));
    let answer = client.expect(Question::get(&path)).await?;
    Ok(answer.as_str().map_or_else(|| format!("{answer:#}"), str::to_owned))
}

/// Writes a text to a file, or to standard output.
fn put(text: &str, file: Option<&Path>) -> anyhow::Result<()> {
    match file {
        None => output::line(text.trim_end()),
        Some(file) => {
            let name = file.display();
            std::fs::write(file, text).with_context(|| format!("`{name}` cannot be written"))?;
        }
    }
    Ok(())
}
