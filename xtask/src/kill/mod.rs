//! `cargo xtask kill`: the server is killed with `kill -9` under load, again and again, on one
//! data directory, and what it promised is compared with what it did.
//!
//! ```text
//!   clients ──submit──▶ server ──children──▶ effect log (a file that the server never reads)
//!      │                  ▲ kill -9
//!      └─ acknowledged ─▶ ledger ──at the end──▶ verify: ledger = runs = journals = effects
//! ```
//!
//! The ledger and the effect log are outside of the server's process, so that a loss or a
//! repetition cannot be forgotten together with what it happened to. The seed decides what is
//! submitted and when the server dies; what the machine's scheduler makes of it differs each time.

mod api;
pub(crate) mod disk;
mod effects;
mod faults;
mod ledger;
mod load;
mod orphans;
mod postgres;
mod server;
mod verify;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::cargo::{root, windlass};
use api::Api;
use ledger::Ledger;
use postgres::Postgres;
use server::Server;

/// The setting that names the database.
const DATABASE: &str = "WINDLASS_DATABASE_URL";
const CLIENTS: usize = 8;
/// How long a killed server lives, from the moment it is ready.
const LIFE_MS: std::ops::RangeInclusive<u64> = 50..=1500;
/// Every so many cycles, on average, it dies before it is ready as well: recovery must survive too.
const STUMBLE_EVERY: u32 = 5;
const STUMBLE_MS: std::ops::RangeInclusive<u64> = 0..=150;
/// How long the runs may take to end when the server is left alone at last. A step that was
/// interrupted many times backs off for a minute.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often the server is killed
    #[arg(long, default_value_t = 30)]
    cycles: u32,
    /// Decides what is submitted and when the server dies
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The Postgres database the server uses, which must be empty; without it, SQLite
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Uses a Postgres server of its own
    #[arg(long, conflicts_with = "database")]
    postgres: bool,
    /// In every life of the server its Postgres crashes and starts again, too
    #[arg(long, requires = "postgres")]
    restart_database: bool,
    /// The binary to kill; without it, one is built
    #[arg(long)]
    bin: Option<PathBuf>,
}

/// Where one story takes place.
struct Place {
    binary: PathBuf,
    data: PathBuf,
    effects: PathBuf,
    server_log: PathBuf,
    /// What the server's environment needs besides.
    environment: Vec<(&'static str, OsString)>,
}

/// Kills as often as asked, and answers whether every promise was kept.
pub(crate) fn run(options: Options) -> Result<bool> {
    let binary = windlass(options.bin)?;
    let dir = own_dir(&binary)?;
    let postgres = options.postgres.then(Postgres::start).transpose()?;
    let database = options.database.or_else(|| postgres.as_ref().map(Postgres::url));
    let crashing = postgres.as_ref().filter(|_| options.restart_database);
    let name = match (&database, crashing) {
        (None, _) => "SQLite",
        (Some(_), None) => "Postgres",
        (Some(_), Some(_)) => "Postgres, which crashes too",
    };
    let place = Place {
        binary,
        data: dir.path().join("data"),
        effects: dir.path().join("effects.log"),
        server_log: dir.path().join("server.log"),
        environment: database.iter().map(|url| (DATABASE, url.into())).collect(),
    };
    let ledger = Ledger::default();
    let mut chance = fastrand::Rng::with_seed(options.seed);
    for cycle in 0..options.cycles {
        let life = one_cycle(&place, &ledger, cycle, crashing, &mut chance)?;
        let (cycles, acknowledged) = (options.cycles, ledger.acknowledged());
        eprintln!("cycle {} of {cycles}: killed after {life:?}, {acknowledged} runs", cycle + 1);
    }
    let totals = the_end(&place, &ledger)?;
    println!("kill: {} cycles on {name}, {totals} (seed {})", options.cycles, options.seed);
    let violations = ledger.violations();
    for violation in violations.iter().take(10) {
        println!("  {violation}");
    }
    if !violations.is_empty() {
        println!("  {} in all; see {}", violations.len(), dir.keep().display());
    }
    Ok(violations.is_empty())
}

/// Beside the binary, where there is a real disk under it and `cargo clean` sweeps it up.
fn own_dir(binary: &Path) -> Result<TempDir> {
    let target = binary.ancestors().find(|path| path.ends_with("target"));
    let parent = target.map_or_else(|| root().join("target"), Path::to_owned);
    std::fs::create_dir_all(&parent)?;
    let dir = tempfile::Builder::new().prefix("kill-").tempdir_in(parent);
    dir.context("no directory for the server's data")
}

fn one_cycle(
    place: &Place,
    ledger: &Ledger,
    cycle: u32,
    crashing: Option<&Postgres>,
    chance: &mut fastrand::Rng,
) -> Result<Duration> {
    if cycle > 0 && chance.u32(0..STUMBLE_EVERY) == 0 {
        let server = Server::start(place)?;
        std::thread::sleep(Duration::from_millis(chance.u64(STUMBLE_MS)));
        server.kill()?;
    }
    let mut server = Server::start(place)?;
    server.wait_until_ready()?;
    if cycle == 0 {
        load::deploy(&Api::new(server.url()))?;
    }
    let life = Duration::from_millis(chance.u64(LIFE_MS));
    let is_dead = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let name = format!("cycle-{cycle}-client-{number}");
            let api = Api::new(server.url());
            let client = load::Client::new(name, chance.fork(), place, api, ledger);
            let is_dead = &is_dead;
            scope.spawn(move || client.submit_until(is_dead));
        }
        std::thread::sleep(life / 2);
        let crashed = crashing.map_or(Ok(()), Postgres::crash);
        std::thread::sleep(life / 2);
        let killed = crashed.and_then(|()| server.kill());
        // Only now: the clients must be in the middle of something when it happens.
        is_dead.store(true, Ordering::Relaxed);
        killed
    })?;
    for orphan in orphans::that_outlive(&place.data) {
        ledger.violation(format!("orphan: {orphan} outlived the server of cycle {}", cycle + 1));
    }
    Ok(life)
}

/// The server is left alone till it has nothing more to do, and then questioned.
fn the_end(place: &Place, ledger: &Ledger) -> Result<verify::Totals> {
    let mut server = Server::start(place)?;
    server.wait_until_ready()?;
    let api = Api::new(server.url());
    load::repeat_unknown(&api, ledger, &place.effects)?;
    if !verify::wait_until_idle(&api, PATIENCE)? {
        ledger.violation(format!("runs are still not at an end after {PATIENCE:?}"));
    }
    for line in server::panics(&place.server_log) {
        ledger.violation(format!("the server panicked: {line}"));
    }
    let totals = verify::everything(&api, ledger, &place.effects)?;
    server.kill()?;
    Ok(totals)
}
