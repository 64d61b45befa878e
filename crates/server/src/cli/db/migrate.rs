use clap::Args;
use windlass_engine::clock::Clock;
use windlass_store::SCHEMA;

use super::Which;
use crate::cli::{Exit, exit};

/// Brings a database to the schema of this version, as a server does when it starts.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    which: Which,
}

impl Migrate {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        self.which.place()?.open(Clock::new().now())?;
        exit::message(&format!("the database has schema {SCHEMA}"));
        Ok(Exit::Ok)
    }
}
