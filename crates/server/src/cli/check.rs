use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use windlass_core::definition;

use super::{Exit, Format, exit, output};
use crate::config::{Flags, load};
use crate::plugins;

/// Checks definitions and shows everything that is wrong with them. Needs no server.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Files in YAML or JSON.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The settings, which name the plugins; `windlass.toml` here if left out.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Check {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let flags = Flags { config: self.config, ..Flags::default() };
        let registry = plugins::registry(&load(&flags)?.config)?;
        let (mut result, mut reports) = (Exit::Ok, Vec::new());
        for file in &self.files {
            let name = file.display().to_string();
            let text = super::run::read_definition(file)?;
            let checked = definition::check(&text, registry.kinds());
            if !checked.is_ok() {
                result = Exit::CheckFailed;
            }
            match self.output {
                Format::Json => reports.push(json!({
                    "file": name, "ok": checked.is_ok(), "findings": checked.findings,
                })),
                Format::Table => {
                    for finding in &checked.findings {
                        output::line(&format!("{name}:{finding}"));
                    }
                    let word = if checked.is_ok() { "fine" } else { "not usable" };
                    let count = match checked.findings.len() {
                        0 => "no findings".to_owned(),
                        1 => "1 finding".to_owned(),
                        count => format!("{count} findings"),
                    };
                    exit::message(&format!("{name}: {word}, {count}"));
                }
            }
        }
        if self.output == Format::Json {
            output::json(&json!(reports));
        }
        Ok(result)
    }
}
