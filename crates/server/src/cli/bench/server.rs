//! A server of its own for a measure, in another process, reached as anybody reaches it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use super::Place;
use crate::client::{Client, Question, segment};

/// How long a server may take to be ready, or a measure to be over.
const TIME_MAX: Duration = Duration::from_secs(120);
/// Runs of one batch.
pub(super) const BATCH: usize = 1_000;

/// A server.
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
    pub(super) client: Client,
    /// From the start of the process to its readiness.
    pub(super) ready_after: Duration,
}

impl Server {
    /// Starts a server on a directory and waits until it is ready.
    pub(super) async fn start(place: &Place, directory: &Path) -> anyhow::Result<Server> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let began = Instant::now();
        let mut command = Command::new(std::env::current_exe()?);
        if let Some(database) = &place.database {
            // Not an argument: all who look at the processes would see a password in it.
            command.env("WINDLASS_DATABASE_URL", database);
        }
        // As many as may watch at once.
        command.env("WINDLASS_SERVER__CONNECTION_COUNT_MAX", "8192");
        let child = command
            .args(["serve", "--listen", &address, "--data"])
            .arg(directory)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start a server")?;
        let client = Client::remote(&format!("http://{address}"))?;
        let mut server = Server { child, address, client, ready_after: Duration::ZERO };
        while began.elapsed() < TIME_MAX {
            let answer = server.client.ask(Question::get("/readyz")).await;
            if answer.is_ok_and(|answer| answer.status.is_success()) {
                server.ready_after = began.elapsed();
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!("the server was not ready within {TIME_MAX:?}")
    }

    /// The process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Deploys a definition.
    pub(super) async fn deploy(&self, definition: &Value) -> anyhow::Result<()> {
        self.client.expect(Question::post("/api/v1/workflows", definition)).await.map(drop)
    }

    /// Creates runs, a thousand to a request.
    pub(super) async fn execute(&self, workflow: &str, count: usize) -> anyhow::Result<()> {
        let path = format!("/api/v1/workflows/{}/execute-batch", segment(workflow));
        for first in (0..count).step_by(BATCH) {
            let runs = vec![json!({}); BATCH.min(count - first)];
            self.client.expect(Question::post(&path, &json!({ "runs": runs }))).await?;
        }
        Ok(())
    }

    /// A number of `/metrics`, summed over labels.
    pub(super) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let page = self.client.expect(Question::get("/metrics")).await?;
        let page = page.as_str().ok_or_else(|| anyhow!("/metrics is no text"))?;
        let lines = page.lines().filter(|line| line.starts_with(name));
        let numbers = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(numbers.sum())
    }

    /// Waits until as many runs are over.
    pub(super) async fn until_over(&self, count: f64) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.metric("windlass_runs_total").await? < count {
            if began.elapsed() > TIME_MAX {
                bail!("the runs were not over within {TIME_MAX:?}");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Ends the server as an administrator would, and waits for it.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already cannot be killed; that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A workflow of as many `noop` steps, one after the other.
pub(super) fn chain(name: &str, length: usize) -> Value {
    let node = |number: usize| match number {
        0 => json!({ "id": "n0", "type": "noop", "config": {} }),
        _ => json!({
            "id": format!("n{number}"), "type": "noop", "config": {},
            "needs": [format!("n{}", number - 1)],
        }),
    };
    let nodes: Vec<Value> = (0..length).map(node).collect();
    json!({ "name": name, "nodes": nodes })
}
