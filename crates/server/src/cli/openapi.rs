use clap::Args;

use super::{Exit, output};

/// Prints the OpenAPI document of the HTTP API.
#[derive(Debug, Args)]
pub(crate) struct Openapi {}

impl Openapi {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        output::json(&crate::api::openapi());
        Ok(Exit::Ok)
    }
}
