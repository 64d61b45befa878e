use clap::Args;

use super::{Exit, output};

/// Prints the OpenAPI document of the HTTP API.
#[derive(Debug, Args)]
pub(crate) struct Openapi {}

impl Openapi {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        output::line(&crate::api::openapi().to_pretty_json()?);
        Ok(Exit::Ok)
    }
}
