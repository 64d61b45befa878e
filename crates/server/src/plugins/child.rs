//! Workers that the server starts, starts again when they end, and ends with itself.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use windlass_nodes::ChildGuard;
use windlass_nodes::kinds::shell::OWNER_VARIABLE;

use crate::app::{App, is_down};
use crate::config::{PluginSection, search_path};

/// Where the server is.
const SERVER_VARIABLE: &str = "WINDLASS_SERVER";
/// What to show it.
const TOKEN_VARIABLE: &str = "WINDLASS_WORKER_TOKEN";
/// How long to wait before a worker that has ended is started again: the first time, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Who has lived for so long has not ended because it cannot begin.
const LONG_LIFE: Duration = Duration::from_secs(60);
/// How long a worker may take to end when the server does.
const GRACE: Duration = Duration::from_secs(5);
/// The longest line of a worker's that the server's log shows whole, in bytes.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// The workers of all plugins that have a command.
#[derive(Debug)]
pub struct Children(JoinSet<()>);

/// One of them, from start to start.
struct Child {
    name: String,
    section: PluginSection,
    directory: PathBuf,
    environment: Vec<(&'static str, String)>,
    guard: Arc<dyn ChildGuard>,
    going_down: watch::Receiver<bool>,
}

impl Children {
    /// Starts them. The server is at `url`.
    pub fn start(app: &App, url: &str) -> Children {
        let mut children = JoinSet::new();
        for (name, section) in &app.config.plugins {
            let Some(token) = app.gate.plugin_token(name) else { continue };
            let directory = section.manifest.parent().unwrap_or_else(|| Path::new(""));
            let directory = directory.canonicalize().or_else(|_| std::env::current_dir());
            let child = Child {
                name: name.clone(),
                section: section.clone(),
                directory: directory.unwrap_or_default(),
                environment: vec![
                    (SERVER_VARIABLE, url.to_owned()),
                    (TOKEN_VARIABLE, token.reveal().to_owned()),
                    (OWNER_VARIABLE, app.trial.shell.owner.to_string()),
                ],
                guard: app.trial.shell.guard.clone(),
                going_down: app.going_down.clone(),
            };
            children.spawn(child.live());
        }
        Children(children)
    }

    /// Waits until all have ended, which they do when the server goes down.
    pub async fn ended(mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

impl Child {
    async fn live(self) {
        let (name, mut pause) = (self.name.as_str(), PAUSE_MIN);
        let mut going_down = self.going_down.clone();
        loop {
            let began = Instant::now();
            let ended = self.run().await;
            if *going_down.borrow() {
                return;
            }
            if began.elapsed() > LONG_LIFE {
                pause = PAUSE_MIN;
            }
            let again_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            match ended {
                Ok(status) => {
                    tracing::warn!(plugin = name, %status, again_in_ms, "a plugin's worker has ended");
                }
                Err(error) => {
                    tracing::error!(plugin = name, %error, again_in_ms, "a plugin's worker cannot be started");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = is_down(&mut going_down) => return,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// One life of it.
    async fn run(&self) -> std::io::Result<ExitStatus> {
        let mut child = self.command().spawn()?;
        // The group's number is the child's.
        let group = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or(0);
        self.guard.begun(group);
        tracing::info!(plugin = self.name, process.id = group, "a plugin's worker has started");
        let out = child.stdout.take().map(|pipe| tokio::spawn(tell(self.name.clone(), pipe)));
        let err = child.stderr.take().map(|pipe| tokio::spawn(tell(self.name.clone(), pipe)));
        let mut going_down = self.going_down.clone();
        let ended = tokio::select! {
            ended = child.wait() => Some(ended),
            () = is_down(&mut going_down) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                signal(group, Signal::TERM);
                match tokio::time::timeout(GRACE, child.wait()).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        signal(group, Signal::KILL);
                        child.wait().await
                    }
                }
            }
        };
        // Whoever is left of the group has no one to work for.
        signal(group, Signal::KILL);
        self.guard.ended(group);
        for pump in [out, err].into_iter().flatten() {
            // What has left the group may hold the pipe open for ever.
            if tokio::time::timeout(Duration::from_secs(1), pump).await.is_err() {
                tracing::debug!(plugin = self.name, "a pipe of a plugin's worker stays open");
            }
        }
        ended
    }

    fn command(&self) -> Command {
        let words = self.section.command.as_deref().unwrap_or_default();
        let program = words.first().map(String::as_str).unwrap_or_default();
        // A path is meant from where the manifest is; a bare name is looked for in `PATH`.
        let mut command = match program.contains('/') {
            true => Command::new(self.directory.join(program)),
            false => Command::new(program),
        };
        command
            .args(words.iter().skip(1))
            .current_dir(&self.directory)
            .env_clear()
            .envs(search_path().map(|path| ("PATH", path)))
            .envs(self.environment.iter().map(|(name, value)| (*name, value)))
            .envs(self.section.env.iter().map(|(name, value)| (name, value.reveal())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

fn signal(group: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(group).filter(|_| group > 1) {
        let _ = kill_process_group(group, signal);
    }
}

/// Puts what a worker writes into the server's log, line by line.
async fn tell(plugin: String, pipe: impl AsyncRead + Unpin) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while let Ok(chunk) = reader.fill_buf().await {
        if chunk.is_empty() {
            break;
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = &chunk[..end.unwrap_or(chunk.len())];
        let room = LINE_BYTES_MAX - line.len();
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(chunk.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            say(&plugin, &line);
            line.clear();
        }
    }
    if !line.is_empty() {
        say(&plugin, &line);
    }
}

fn say(plugin: &str, line: &[u8]) {
    tracing::info!(plugin, "{}", String::from_utf8_lossy(line).trim_end());
}
