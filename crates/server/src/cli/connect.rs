//! Whom a command asks: the server it is told of, the one that lives on the data directory, or the
//! directory itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::exit::Usage;
use crate::boot::{Purpose, build};
use crate::client::{Client, Question};
use crate::config::{Config, Flags, Secret, load, reported_to};
use crate::http::router::router;

/// The file in which a live server says where it listens.
const RECORD: &str = "server.json";

/// Whom to ask.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Connect {
    /// The server to ask. Left out: that of `WINDLASS_URL`, unless `--data` is given; else the one
    /// that runs on the data directory; if none runs, the directory itself is opened.
    #[arg(long, value_name = "URL", env = "WINDLASS_SERVER")]
    server: Option<String>,
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The key to show to a server that asks for one.
    #[arg(long, value_name = "KEY", env = "WINDLASS_API_KEY", hide_env_values = true)]
    pub api_key: Option<Secret>,
}

/// Where a live server listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    url: String,
    pid: u32,
}

impl Connect {
    /// The server to ask, if one is named. What is said on the command line comes before what stands
    /// in the environment for other programs.
    pub(crate) fn server(&self) -> Option<String> {
        self.server.clone().or_else(|| reported_to().filter(|_| self.data.is_none()))
    }

    /// Finds somebody to ask.
    ///
    /// # Errors
    ///
    /// If there is nobody.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        let config = match self.found().await? {
            Found::Server(client) => return Ok(client),
            Found::Directory(config) => *config,
        };
        let is_kept_here = config.store.database.is_none();
        if is_kept_here && !config.store.data.join("windlass.db").exists() {
            let message = format!(
                "there is no server and no data in `{}`; `windlass dev` starts one, `--server` \
                 and `--data` name others",
                config.store.data.display()
            );
            return Err(anyhow!(message));
        }
        here(config)
    }

    /// The same, but makes the data directory if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub(crate) async fn client_or_new(&self) -> anyhow::Result<Client> {
        match self.found().await? {
            Found::Server(client) => Ok(client),
            Found::Directory(config) => here(*config),
        }
    }

    async fn found(&self) -> anyhow::Result<Found> {
        let key = self.api_key.clone();
        if let Some(server) = self.server() {
            let client = Client::remote(&server);
            let client = client.map_err(|error| Usage(format!("{error:#}")))?;
            return Ok(Found::Server(client.with_key(key)));
        }
        let flags = Flags { data: self.data.clone(), ..Flags::default() };
        let config = load(&flags)?.config;
        match live(&config.store.data).await? {
            Some(client) => Ok(Found::Server(client.with_key(key))),
            None => Ok(Found::Directory(Box::new(config))),
        }
    }
}

enum Found {
    Server(Client),
    Directory(Box<Config>),
}

/// Opens a data directory in this process.
///
/// # Errors
///
/// If it cannot be opened.
pub(crate) fn here(config: Config) -> anyhow::Result<Client> {
    let purpose = Purpose { allows_loopback: true, trusts_shell: true, ..Purpose::default() };
    let house = Arc::new(build(config, purpose)?);
    Ok(Client::Here { router: router(&house.app), house })
}

/// The live server on a data directory, if there is one.
async fn live(data: &Path) -> anyhow::Result<Option<Client>> {
    let Ok(text) = std::fs::read_to_string(data.join(RECORD)) else { return Ok(None) };
    let Ok(record) = serde_json::from_str::<Record>(&text) else { return Ok(None) };
    let client = Client::remote(&record.url)?;
    // A killed server leaves its record behind.
    let is_alive = client.ask(Question::get("/livez")).await.is_ok();
    Ok(is_alive.then_some(client))
}

/// Says where this server listens, for commands that only know its directory.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn write_record(data: &Path, url: &str) -> std::io::Result<()> {
    let record = Record { url: url.to_owned(), pid: std::process::id() };
    let text = serde_json::to_string(&record).unwrap_or_default();
    let (place, draft) = (data.join(RECORD), data.join(format!("{RECORD}.new")));
    std::fs::write(&draft, text)?;
    std::fs::rename(draft, place)
}

/// Takes this process's record away. A successor's stays.
pub(crate) fn remove_record(data: &Path) {
    let place = data.join(RECORD);
    let record = std::fs::read(&place).ok();
    let record = record.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
    if record.is_some_and(|record| record.pid == std::process::id()) {
        // What cannot be removed is found to be out of date by whoever reads it.
        let _ = std::fs::remove_file(place);
    }
}
