//! The server as a process: started, waited for, killed.

use std::fs::OpenOptions;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Place;
use super::api::Api;

/// No measurement: only the bound after which waiting is pointless.
const READY_WITHIN: Duration = Duration::from_secs(60);

pub(super) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    pub(super) fn start(place: &Place) -> Result<Server> {
        let address = free_address()?;
        let log = OpenOptions::new().create(true).append(true).open(&place.server_log)?;
        let child = Command::new(&place.binary)
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(&place.data)
            // The steps write down what they did where this process reads it.
            .env("WINDLASS_SANDBOX__SHELL", "trusted")
            .envs(place.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start `{}`", place.binary.display()))?;
        Ok(Server { child, address })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn wait_until_ready(&mut self) -> Result<()> {
        let api = Api::new(self.url());
        let begin = Instant::now();
        while !api.is_ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended before it was ready: {status}; see server.log");
            }
            if begin.elapsed() > READY_WITHIN {
                bail!("the server is not ready after {READY_WITHIN:?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// SIGKILL: it cannot be caught, so nothing is flushed and nobody says goodbye.
    pub(super) fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended by itself: {status}; see server.log");
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    /// Nothing that was started here is left behind, whatever went wrong.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Lines of the server's log that speak of a panic.
pub(super) fn panics(log: &Path) -> Vec<String> {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().filter(|line| line.contains("panicked at")).map(str::to_owned).collect()
}
