//! A server for one part of a story, in another process.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::client::{Client, Question};
use crate::crash::Boundary;

/// How long a server may take to be ready. No measurement, only the end of patience.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a killed one may still be there.
const DEAD_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A server process. It goes with this value.
pub(super) struct Server {
    child: Child,
    pub(super) client: Client,
}

impl Server {
    /// Starts a server on a directory, to end at a boundary if one is given.
    pub(super) async fn start(directory: &Path, at: Option<Boundary>) -> anyhow::Result<Server> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(directory.join("server.log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(directory.join("data"))
            .arg("--crash-log")
            .arg(directory.join("commits"))
            .current_dir(directory)
            .stdin(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        if let Some(at) = at {
            command.args(["--crash-at", &at.to_string()]);
        }
        own_settings(&mut command);
        let mut child = command.spawn().context("cannot start a server")?;
        let client = until_ready(&mut child, directory).await?;
        Ok(Server { child, client })
    }

    /// Whether it dies of SIGKILL about now. One that can no longer be asked may still be there for
    /// a moment.
    pub(super) async fn was_killed(&mut self) -> anyhow::Result<bool> {
        use std::os::unix::process::ExitStatusExt;
        match tokio::time::timeout(DEAD_WITHIN, self.child.wait()).await {
            Ok(status) => Ok(status?.signal() == Some(9)),
            Err(_) => Ok(false),
        }
    }

    /// Kills it.
    pub(super) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Settings of whoever calls are not the test's: they may name another database. Secrets are.
fn own_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_setting = text.starts_with("WINDLASS_") && !text.starts_with("WINDLASS_SECRET_");
        if is_setting || ["DATABASE_URL", "INSTANCE_DB_URL"].contains(&text.as_ref()) {
            command.env_remove(&name);
        }
    }
    command.env("WINDLASS_HTTP__ALLOW_LOOPBACK", "true");
    // The workflow is that of whoever calls, and acts on their files.
    command.env("WINDLASS_SANDBOX__SHELL", "trusted");
}

/// The server says where it listens in its data directory, with its process id: an earlier server's
/// word may still lie there.
async fn until_ready(child: &mut Child, directory: &Path) -> anyhow::Result<Client> {
    let began = Instant::now();
    while began.elapsed() < READY_WITHIN {
        let record = std::fs::read(directory.join("data/server.json")).unwrap_or_default();
        let record: Value = serde_json::from_slice(&record).unwrap_or_default();
        if child.id().is_some_and(|pid| record["pid"] == pid)
            && let Some(url) = record["url"].as_str()
        {
            let client = Client::remote(url)?;
            let answer = client.ask(Question::get("/readyz")).await;
            if answer.is_ok_and(|answer| answer.status.is_success()) {
                return Ok(client);
            }
        }
        if let Some(status) = child.try_wait()? {
            let log = std::fs::read_to_string(directory.join("server.log")).unwrap_or_default();
            let last = log.lines().last().unwrap_or_default();
            bail!("the server ended before it was ready ({status}): {last}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bail!("the server was not ready within {READY_WITHIN:?}")
}
