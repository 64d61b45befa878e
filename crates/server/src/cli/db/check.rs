use clap::Args;
use windlass_engine::clock::Clock;

use super::{Which, print};
use crate::cli::{Exit, exit};

/// Looks through a database: its schema, its rows, its own checks, the files of its large values, the
/// audit log.
///
/// No server may use it meanwhile. Exits with 3 if something is not as it was written.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    which: Which,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let found = self.which.place()?.inspect(Clock::new().now())?;
        print(&found.tables);
        for line in &found.broken {
            exit::message(&format!("broken: {line}"));
        }
        if let Some(seq) = found.audit.first_altered {
            exit::message(&format!("the audit log's record {seq} is not as it was written"));
        }
        if found.broken.is_empty() && found.audit.first_altered.is_none() {
            exit::message(&format!("the database has schema {} and is fine", found.schema));
            return Ok(Exit::Ok);
        }
        Ok(Exit::CheckFailed)
    }
}
