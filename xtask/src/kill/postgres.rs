//! A Postgres server of our own, from Debian's package, on a free port of the loopback.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// A server. It goes with this value.
pub(super) struct Postgres {
    dir: TempDir,
    port: u16,
}

impl Postgres {
    /// Makes a cluster and starts a server on it.
    pub(super) fn start() -> Result<Postgres> {
        let dir = tempfile::Builder::new().prefix("windlass-postgres-").tempdir()?;
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(dir.path()))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let postgres = Postgres { dir, port };
        let mut initdb = as_owner("initdb")?;
        initdb.args(["--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust", "--username=windlass"]);
        run(initdb.arg("-D").arg(postgres.data()))?;
        postgres.control("start")?;
        Ok(postgres)
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://windlass@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends it as a crash would, and starts it again. Returns when it can be asked again.
    pub(super) fn crash(&self) -> Result<()> {
        self.control("restart")
    }

    fn control(&self, verb: &str) -> Result<()> {
        let sockets = self.dir.path().display();
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -k {sockets}", self.port);
        let mut pg_ctl = as_owner("pg_ctl")?;
        pg_ctl.args(["-w", "-m", "immediate", "-o", &options, "-D"]).arg(self.data());
        run(pg_ctl.arg("-l").arg(self.dir.path().join("log")).arg(verb))
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // One that did not start cannot be stopped; that is fine.
        let _ = self.control("stop");
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program of Postgres, run by a user it agrees to be run by: it refuses root.
fn as_owner(name: &str) -> Result<Command> {
    let program = program(name)?;
    let mut command = Command::new("runuser");
    if is_root() {
        command.args(["-u", "postgres", "--"]).arg(program);
    } else {
        command = Command::new(program);
    }
    command.current_dir("/");
    Ok(command)
}

/// Debian keeps the server's programs off the path, in a directory for each version.
fn program(name: &str) -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin").join(name));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join(name));
    let mut found: Vec<PathBuf> =
        on_path.chain(debian).filter(|program| Path::is_file(program)).collect();
    found.sort();
    found.pop().with_context(|| format!("`{name}` is missing: install Debian's `postgresql`"))
}

fn run(command: &mut Command) -> Result<()> {
    // Its output is not captured: a server that goes on would keep the pipe open.
    let status = command
        .stdout(std::process::Stdio::null())
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
