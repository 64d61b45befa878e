//! `windlass bench`: how fast this machine lets Windlass be, through its public API.
//!
//! Every measure has a server of its own on an empty directory, and beside every figure stands what
//! the machine itself did just before: syncs a second, and rows a second of a bare SQLite.

mod code;
mod fan;
mod latency;
mod memory;
mod observe;
mod probe;
mod profile;
mod sequence;
mod server;
mod start;
mod submit;
mod uow;
mod watchers;
mod wire;

use clap::{Args, ValueEnum};

use super::{Exit, exit, output};
use probe::Probe;

/// Measures Windlass on this machine, and the machine itself.
///
/// Everything happens on loopback, in servers that the command starts and ends, in a directory that
/// it removes. It takes about two minutes.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Only these measures.
    #[arg(value_enum)]
    only: Vec<Measure>,
    /// A Postgres database that is empty, or that former measures have left: all servers use it, one
    /// after the other. Left out: for each an SQLite database of its own.
    #[arg(long, value_name = "URL", env = "WINDLASS_DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
    /// Also says where the time of the server goes.
    #[arg(long)]
    profile: bool,
    /// Units of work that wait while `uow` times claims.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    queued: usize,
    /// Where the directories are made. Left out: in the system's directory for temporary files.
    #[arg(long, value_name = "DIR")]
    dir: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// 2,000 runs of 10 steps, one after the other, submitted at once in batches.
    Seq,
    /// One run at a time, of 1 and of 10 steps.
    Lat,
    /// One run of 100 to 100,000 parallel steps and a join.
    Fan,
    /// One run at a time, of one step in Python, JavaScript or shell, beside the programs themselves.
    Code,
    /// Runs of one step submitted over 64 connections, acknowledged after their commit.
    Submit,
    /// From the start of the process to its readiness, empty and with 100,000 waiting runs.
    Start,
    /// Resident memory, idle and with 100,000 waiting runs.
    Memory,
    /// Units of work claimed and completed by 64 workers, claims with many queued, heartbeats of
    /// 50,000 leases.
    Uow,
    /// Events of other programs, in batches and one by one, how soon they are seen, and 5,000 who watch
    /// 1,000 runs.
    Observe,
}

impl Bench {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let base = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        let root = tempfile::Builder::new().prefix("windlass-bench-").tempdir_in(base)?;
        let place = Place {
            root: root.path().to_owned(),
            profile: self.profile,
            database: self.database.clone(),
        };
        let is_wanted = |one: Measure| self.only.is_empty() || self.only.contains(&one);
        if cfg!(debug_assertions) {
            exit::message("this is a debug build; its figures mean nothing");
        }
        if is_wanted(Measure::Seq) {
            sequence::measure(&place).await?;
        }
        if is_wanted(Measure::Lat) {
            latency::measure(&place).await?;
        }
        if is_wanted(Measure::Fan) {
            fan::measure(&place).await?;
        }
        if is_wanted(Measure::Code) {
            code::measure(&place).await?;
        }
        if is_wanted(Measure::Submit) {
            submit::measure(&place).await?;
        }
        if is_wanted(Measure::Start) || is_wanted(Measure::Memory) {
            start::measure(&place).await?;
        }
        if is_wanted(Measure::Uow) {
            uow::measure(&place, self.queued).await?;
        }
        if is_wanted(Measure::Observe) {
            observe::measure(&place).await?;
        }
        Ok(Exit::Ok)
    }
}

/// Where a measure is made, and how.
struct Place {
    root: std::path::PathBuf,
    profile: bool,
    database: Option<String>,
}

impl Place {
    /// An empty directory.
    fn directory(&self, name: &str) -> anyhow::Result<std::path::PathBuf> {
        let directory = self.root.join(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// What the machine does by itself right now.
    fn probe(&self) -> anyhow::Result<Probe> {
        probe::run(&self.directory("probe")?)
    }
}

/// Writes a figure, and what the machine did beside it.
fn told(figure: &str, probe: &Probe) {
    output::line(&format!("{figure:<78}  [{probe}]"));
}

/// The value below which this share of the values lies.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}
