use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::{Value, json};
use windlass_core::Time;
use windlass_engine::clock::Clock;

use super::runs::pages;
use super::{Connect, Exit, Format, output};
use crate::boot::{self, Purpose};
use crate::client::{Client, Question, segment};
use crate::config::{Config, Flags, load};
use crate::plugins;

/// Free space below which a server is about to stop taking writes, in bytes.
const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// How far the clocks of this machine and of a server may be apart, in seconds.
const CLOCK_GAP_MAX: u64 = 5;

/// Looks whether all is well: store, clock, disk, what the `shell` kind needs, the boundary around
/// steps, and whether runs stand
/// as their journals say.
///
/// Changes nothing. Exits with 1 if something is wrong.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// How many of the newest finished runs are folded anew and compared with what is stored.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    sample: u64,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

/// What was looked at, and what came of it: a sentence, either way.
struct Check {
    name: &'static str,
    found: Result<String, String>,
}

impl Doctor {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let mut checks = Vec::new();
        let mut note = |name, found| checks.push(Check { name, found });
        match self.connect.client().await {
            Ok(client) => {
                note("store", store(&client).await);
                note("clock", clock(&client).await);
                note("runs", runs(&client, self.sample).await);
            }
            Err(error) => note("store", Err(format!("{error:#}"))),
        }
        if self.connect.server().is_none() {
            let data = load(&Flags { data: self.connect.data.clone(), ..Flags::default() });
            let config = data.map(|loaded| loaded.config).map_err(words);
            note("disk", config.clone().and_then(|config| disk(&config.store.data)));
            note("shell", shell());
            note("plugins", config.clone().and_then(|config| plugins_of(&config)));
            note("sandbox", config.and_then(|config| sandbox(&config)));
        }
        let is_well = checks.iter().all(|check| check.found.is_ok());
        let told = |check: &Check| match &check.found {
            Ok(message) => ("ok", message.clone()),
            Err(message) => ("wrong", message.clone()),
        };
        match self.output {
            Format::Json => {
                let item = |check: &Check| json!({ "name": check.name, "ok": check.found.is_ok(), "message": told(check).1 });
                let items: Vec<Value> = checks.iter().map(item).collect();
                output::json(&json!({ "ok": is_well, "checks": items }));
            }
            Format::Table => {
                let row = |check: &Check| {
                    let (word, message) = told(check);
                    vec![check.name.to_owned(), word.to_owned(), message]
                };
                let rows: Vec<_> = checks.iter().map(row).collect();
                output::table(&["CHECK", "IS", "BECAUSE"], &rows);
            }
        }
        Ok(if is_well { Exit::Ok } else { Exit::Unwell })
    }
}

fn words(error: impl std::fmt::Display) -> String {
    format!("{error:#}")
}

/// Whether the store can be read and takes commits.
async fn store(client: &Client) -> Result<String, String> {
    client.expect(Question::get("/readyz")).await.map_err(words)?;
    Ok(match client {
        Client::Remote(client) => {
            format!("the server at {} reads it, and its commits succeed", client.server())
        }
        // Whoever opens a store writes down first that it is theirs now.
        Client::Here { .. } => "it could be opened, read and written".to_owned(),
    })
}

/// Whether the server's clock is that of this machine, and has not been set back behind its runs.
async fn clock(client: &Client) -> Result<String, String> {
    let health = client.expect(Question::get("/health")).await.map_err(words)?;
    let time = |value: &Value| value.as_str().and_then(Time::parse);
    let theirs = time(&health["timestamp"]).ok_or("the server does not say what time it is")?;
    let ours = Clock::new().now();
    let gap = ours.since(theirs).max(theirs.since(ours)).as_secs();
    if gap > CLOCK_GAP_MAX {
        return Err(format!("the server's clock and this machine's are {gap} s apart"));
    }
    let newest = client.expect(Question::get("/api/v1/runs?limit=1")).await.map_err(words)?;
    let ahead = time(&newest["items"][0]["created_at"]).map_or(0, |at| at.since(theirs).as_secs());
    if ahead > CLOCK_GAP_MAX {
        return Err(format!(
            "the clock was set back: the newest run is from {ahead} s ahead of it"
        ));
    }
    Ok(format!("it is {theirs}, and no run is from later"))
}

/// Whether finished runs stand as their journals say.
async fn runs(client: &Client, sample: u64) -> Result<String, String> {
    if sample == 0 {
        return Ok("none were looked at".to_owned());
    }
    let list = "/api/v1/runs?status=succeeded,failed,cancelled&";
    let listed = pages::read(client, list, sample).await.map_err(words)?;
    let (mut same, mut large) = (0, 0);
    let mut wrong = Vec::new();
    for run in &listed {
        let id = run["id"].as_str().unwrap_or_default();
        match is_as_its_journal_says(client, id).await? {
            Some(true) => same += 1,
            Some(false) => wrong.push(id),
            None => large += 1,
        }
    }
    if !wrong.is_empty() {
        let wrong = wrong.join(", ");
        return Err(format!(
            "what is stored of these runs is not what their journals say: {wrong}"
        ));
    }
    let left_out = match large {
        0 => String::new(),
        count => format!("; {count} too large to be looked at, or gone meanwhile"),
    };
    Ok(format!("{same} of the newest finished ones stand as their journals say{left_out}"))
}

/// Compares what the rows say of a run and its steps with what its journal folds to, which is what an
/// export says of them. `None` if that cannot be had.
async fn is_as_its_journal_says(client: &Client, id: &str) -> Result<Option<bool>, String> {
    let path = format!("/api/v1/runs/{}", segment(id));
    let export = client.ask(Question::get(&format!("{path}/export"))).await.map_err(words)?;
    if !export.status.is_success() {
        return match export.body["code"].as_str() {
            Some("run-too-large" | "run-not-found") => Ok(None),
            _ => Err(format!("the run {id} cannot be read: {}", export.body["detail"])),
        };
    }
    let stored = client.expect(Question::get(&path)).await.map_err(words)?;
    let steps = pages::read(client, &format!("{path}/steps?"), u64::from(u32::MAX)).await;
    let steps = Value::Array(steps.map_err(words)?);
    Ok(Some(stored == export.body["run"] && steps == export.body["steps"]))
}

/// Whether there is room on the disk of the data directory.
fn disk(data: &Path) -> Result<String, String> {
    let there = data.ancestors().find(|path| path.exists()).unwrap_or_else(|| Path::new("."));
    let space =
        rustix::fs::statvfs(there).map_err(|error| format!("{}: {error}", there.display()))?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let told = format!("{} MiB are free for {}", free / (1024 * 1024), data.display());
    if free < FREE_BYTES_MIN { Err(told) } else { Ok(told) }
}

/// Whether what the `shell` kind stands on is there: a shell, and a `/proc` in which a server finds
/// what an earlier one has left behind.
fn shell() -> Result<String, String> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", ":"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("`/bin/sh` does nothing: {status}")),
        Err(error) => return Err(format!("`/bin/sh` cannot be started: {error}")),
    }
    if std::fs::read("/proc/self/environ").is_err() {
        return Err(
            "`/proc` cannot be read, so what a killed server leaves is not found".to_owned()
        );
    }
    Ok("`/bin/sh` and `/proc` are there".to_owned())
}

/// Whether the manifests of plugins can be used.
fn plugins_of(config: &Config) -> Result<String, String> {
    let registry = plugins::registry(config).map_err(words)?;
    Ok(match (config.plugins.len(), registry.plugin_kinds().count()) {
        (0, _) => "there are none".to_owned(),
        (plugins, kinds) => format!("the manifests of {plugins} have {kinds} kinds of node"),
    })
}

/// Which parts of the boundary around steps this host gives. Missing ones are wrong if the settings
/// are strict.
fn sandbox(config: &Config) -> Result<String, String> {
    let sandbox = boot::sandbox(config, &Purpose::default()).map_err(words)?;
    let parts = sandbox.parts()?;
    let told = format!("the boundary around `code` and `shell` steps is {parts}");
    match parts.missing().is_empty() || !config.sandbox.strict {
        true => Ok(told),
        false => Err(format!("{told}, and `sandbox.strict` is set")),
    }
}
