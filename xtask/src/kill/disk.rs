//! `cargo xtask disk`: the disk fails under load, and is well again, while the server runs.
//!
//! ```text
//!   healthy ──▶ fault: nothing false is acknowledged, reads go on ──▶ healthy again, same process
//!      ▲                                                                        │
//!      └──────────────────────────── some rounds ───────────────────────────────┘
//!   at last: kill -9, the next server, and the ledger is compared as after any kill
//! ```

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::api::{Api, Outcome};
use super::faults::{Fault, Kind};
use super::ledger::{Ledger, Submission};
use super::server::Server;
use super::{PATIENCE, Place, load, own_dir, server, verify};
use crate::cargo::windlass;

const CLIENTS: usize = 4;
/// Acknowledgements of a healthy disk, and refusals of a failing one, before a round goes on.
const ENOUGH: usize = 40;
/// After which a round will not go on any more.
const ROUND_PATIENCE: Duration = Duration::from_secs(120);
const WORKFLOW: &str = "kill-noops";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this way to fail
    #[arg(long, value_enum)]
    fault: Option<Kind>,
    /// How often the disk fails
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// The binary; without it, one is built
    #[arg(long)]
    bin: Option<std::path::PathBuf>,
}

/// Answers whether every promise was kept.
pub(crate) fn run(options: Options) -> Result<bool> {
    let binary = windlass(options.bin)?;
    let all = [Kind::Full, Kind::Sync, Kind::Write];
    let kinds = options.fault.map_or_else(|| all.to_vec(), |one| vec![one]);
    let mut is_good = true;
    for kind in kinds {
        is_good &= one_kind(kind, options.rounds, &binary)?;
    }
    Ok(is_good)
}

fn one_kind(kind: Kind, rounds: u32, binary: &std::path::Path) -> Result<bool> {
    let dir = own_dir(binary)?;
    let fault = Fault::new(kind, dir.path())?;
    let place = Place {
        binary: binary.to_owned(),
        data: fault.place().unwrap_or_else(|| dir.path()).join("data"),
        effects: dir.path().join("effects.log"),
        server_log: dir.path().join("server.log"),
        environment: fault.environment(),
    };
    let story = Story { ledger: Ledger::default(), counts: Counts::default() };
    let mut server = Server::start(&place)?;
    server.wait_until_ready()?;
    load::deploy(&Api::new(server.url()))?;
    for round in 1..=rounds {
        if let Err(error) = story.round(&fault, &mut server, round) {
            drop(server);
            drop(fault);
            return Err(
                error.context(format!("{kind:?}, round {round}; see {}", dir.keep().display()))
            );
        }
        if !story.ledger.violations().is_empty() {
            break;
        }
    }
    server.kill()?;
    let totals = the_end(&place, &story.ledger)?;
    let Counts { refused, read, .. } = &story.counts;
    println!(
        "disk: {kind:?}, {rounds} rounds, {} refusals and {} reads while it failed, {totals}",
        refused.load(Relaxed),
        read.load(Relaxed),
    );
    let violations = story.ledger.violations();
    violations.iter().take(10).for_each(|violation| println!("  {violation}"));
    if !violations.is_empty() {
        println!("  {} in all; see {}", violations.len(), dir.keep().display());
    }
    Ok(violations.is_empty())
}

#[derive(Default)]
struct Counts {
    submitted: AtomicUsize,
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    read: AtomicUsize,
}

struct Story {
    ledger: Ledger,
    counts: Counts,
}

impl Story {
    fn round(&self, fault: &Fault, server: &mut Server, round: u32) -> Result<()> {
        self.until_enough(server, &self.counts.acknowledged, false)?;
        fault.begin()?;
        let failing = self.until_enough(server, &self.counts.refused, fault.is_total());
        fault.end()?;
        failing?;
        self.until_enough(server, &self.counts.acknowledged, false)
            .context("the disk is well again, and the server is not")?;
        eprintln!("round {round}: {} runs", self.ledger.acknowledged());
        Ok(())
    }

    /// Submits and reads till there is enough of what is counted. With `is_total`, nothing may be
    /// acknowledged meanwhile.
    fn until_enough(
        &self,
        server: &mut Server,
        counted: &AtomicUsize,
        is_total: bool,
    ) -> Result<()> {
        let (begin, enough) = (Instant::now(), counted.load(Relaxed) + ENOUGH);
        let is_over = AtomicBool::new(false);
        let is_failing = std::ptr::eq(counted, &self.counts.refused);
        let url = server.url();
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| self.submit_until(&Api::new(url.clone()), &is_over, is_total));
            }
            if is_failing {
                scope.spawn(|| self.read_until(&Api::new(url.clone()), &is_over));
            }
            let result = loop {
                // What is wrong already is told, and not waited over.
                if counted.load(Relaxed) >= enough || !self.ledger.violations().is_empty() {
                    break Ok(());
                }
                if let Some(status) = server.ended()? {
                    break Err(anyhow::anyhow!("the server ended: {status}"));
                }
                if begin.elapsed() > ROUND_PATIENCE {
                    let count = counted.load(Relaxed) + ENOUGH - enough;
                    break Err(anyhow::anyhow!("{count} of {ENOUGH} after {ROUND_PATIENCE:?}"));
                }
                std::thread::sleep(Duration::from_millis(5));
            };
            is_over.store(true, Relaxed);
            result
        })
    }

    /// A request with a new key, again and again. Those without an answer are asked again at the
    /// end.
    fn submit_until(&self, api: &Api, is_over: &AtomicBool, is_total: bool) {
        while !is_over.load(Relaxed) {
            let key = format!("key-{}", self.counts.submitted.fetch_add(1, Relaxed));
            let submission =
                Submission { workflow: WORKFLOW, keys: vec![key.clone()], pause_ms: 0 };
            match api.execute(WORKFLOW, &key, &json!({ "key": key, "pause": "0ms" })) {
                Outcome::Acknowledged(id) => {
                    if is_total {
                        let what = "acknowledged while nothing could become durable";
                        self.ledger.violation(format!("lost: {key} was {what}"));
                    }
                    self.counts.acknowledged.fetch_add(1, Relaxed);
                    self.ledger.acknowledge(submission, vec![id]);
                }
                Outcome::Unknown => {
                    self.counts.refused.fetch_add(1, Relaxed);
                    self.ledger.did_not_hear(submission);
                    std::thread::sleep(Duration::from_millis(5));
                }
                Outcome::Refused(reason) => self.ledger.violation(format!("refused: {reason}")),
            }
        }
    }

    /// Whoever only looks notices nothing.
    fn read_until(&self, api: &Api, is_over: &AtomicBool) {
        let runs = self.ledger.runs();
        for (key, id) in runs.iter().cycle() {
            if is_over.load(Relaxed) {
                return;
            }
            let complaint = match (api.run(id), api.has_unfinished_runs()) {
                (Ok(Some(run)), Ok(_)) if run.key == *key => None,
                (Ok(_), Ok(_)) => Some("is not there, or is another".to_owned()),
                (Err(error), _) | (_, Err(error)) => Some(format!("{error:#}")),
            };
            match complaint {
                None => drop(self.counts.read.fetch_add(1, Relaxed)),
                Some(what) => self.ledger.violation(format!("unreadable: {id}: {what}")),
            }
        }
    }
}

/// What was acknowledged is there for the next server, and what was not can be asked again.
fn the_end(place: &Place, ledger: &Ledger) -> Result<verify::Totals> {
    let mut server = Server::start(place)?;
    server.wait_until_ready()?;
    let api = Api::new(server.url());
    load::repeat_unknown(&api, ledger, &place.effects)?;
    if !verify::wait_until_idle(&api, PATIENCE)? {
        bail!("runs are still not at an end after {PATIENCE:?}");
    }
    for line in server::panics(&place.server_log) {
        ledger.violation(format!("the server panicked: {line}"));
    }
    let totals = verify::everything(&api, ledger, &place.effects)?;
    server.kill()?;
    Ok(totals)
}
