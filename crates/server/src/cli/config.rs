use clap::{Args, Subcommand};
use serde_json::json;

use super::{ConfigArgs, Exit, Format, exit, output};
use crate::config::load;
use crate::plugins;

/// Settings: what holds, and where each came from.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Shows every setting with its origin.
    Show(Show),
    /// Checks the settings and says what is wrong with them.
    Check(Check),
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    config: ConfigArgs,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    config: ConfigArgs,
}

impl ConfigCommand {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self {
            ConfigCommand::Show(show) => {
                let settings = load(&show.config.flags())?.settings;
                match show.output {
                    Format::Json => output::json(&json!(settings)),
                    Format::Table => {
                        let row = |setting: &crate::config::Setting| {
                            vec![
                                setting.key.clone(),
                                setting.value.to_string(),
                                setting.origin.clone(),
                            ]
                        };
                        let rows: Vec<_> = settings.iter().map(row).collect();
                        output::table(&["KEY", "VALUE", "FROM"], &rows);
                    }
                }
                Ok(Exit::Ok)
            }
            ConfigCommand::Check(check) => {
                let loaded = load(&check.config.flags());
                match loaded.and_then(|loaded| plugins::registry(&loaded.config)) {
                    Ok(_) => {
                        exit::message("the settings are fine");
                        Ok(Exit::Ok)
                    }
                    Err(error) => {
                        exit::message(&error.to_string());
                        Ok(Exit::CheckFailed)
                    }
                }
            }
        }
    }
}
