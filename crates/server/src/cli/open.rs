use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;

use super::exit::Usage;
use super::serve::{Server, start_log};
use super::{Exit, exit, output};
use crate::boot::Purpose;
use crate::config::Config;
use crate::run_file::RunFile;

/// Shows a run from a file of `runs export`: the same page, without its server, stepping through
/// the journal. Nothing is kept and nothing runs.
#[derive(Debug, Args)]
pub(crate) struct Open {
    /// The file.
    file: PathBuf,
    /// The port of this machine to show it at. Left out: any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
}

impl Open {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let place = self.file.display();
        let text = std::fs::read(&self.file)
            .map_err(|error| Usage(format!("`{place}` cannot be read: {error}")))?;
        let loaded = RunFile::parse(&text).and_then(RunFile::into_store);
        let (store, run_id) = loaded.map_err(|error| Usage(format!("`{place}`: {error:#}")))?;
        // Not the settings of this machine: neither its keys nor its data have to do with the file.
        let mut config = Config::default();
        config.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        config.log.level = "warn".to_owned();
        start_log(&config);
        let purpose = Purpose { file: Some(Arc::new(store)), ..Purpose::default() };
        let server = Server::start(config, purpose).await.context("cannot show the file")?;
        output::line(&format!("{}/runs/{run_id}", server.url));
        exit::message("Ctrl-C ends it");
        server.until_told().await;
        Ok(Exit::Ok)
    }
}
