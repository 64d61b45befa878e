use clap::Args;

use super::Exit;

/// Measures.
#[derive(Debug, Args)]
pub(crate) struct Bench {}

impl Bench {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        Ok(Exit::Ok)
    }
}
