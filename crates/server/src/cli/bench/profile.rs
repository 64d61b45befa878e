//! Where the time of a server goes: what it counts itself, and what the system counts for each of
//! its threads.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Place;
use super::server::Server;
use crate::cli::output;

/// What the server counts, with what it means.
const COUNTED: [(&str, &str); 4] = [
    ("windlass_decide_seconds_total", "decide: what follows, and folding it"),
    ("windlass_serialise_seconds_total", "serialise: events and rows as text"),
    ("windlass_db_rows_seconds_total", "commit: writing rows"),
    ("windlass_db_sync_seconds_total", "fsync: making them durable"),
];

/// A look at a server before a measure.
pub(super) struct Profile(Option<Look>);

struct Look {
    began: Instant,
    counted: Vec<f64>,
    transactions: f64,
    threads: BTreeMap<String, f64>,
}

impl Profile {
    pub(super) async fn begin(place: &Place, server: &Server) -> anyhow::Result<Profile> {
        if !place.profile {
            return Ok(Profile(None));
        }
        Ok(Profile(Some(look(server).await?)))
    }

    /// Says what has changed since, in all and for each of `unit_count` units.
    pub(super) async fn end(self, server: &Server, unit_count: f64) -> anyhow::Result<()> {
        let Some(before) = self.0 else { return Ok(()) };
        let now = look(server).await?;
        let elapsed = (now.began - before.began).as_secs_f64();
        let line = |what: &str, seconds: f64| {
            let (share, each) = (seconds / elapsed * 100.0, seconds / unit_count * 1e6);
            output::line(&format!(
                "  {what:<44} {seconds:7.3} s  {share:5.1} %  {each:7.2} us each"
            ));
        };
        for (place, (_, what)) in COUNTED.iter().enumerate() {
            line(what, now.counted[place] - before.counted[place]);
        }
        for (name, seconds) in &now.threads {
            let spent = seconds - before.threads.get(name).copied().unwrap_or_default();
            line(&format!("CPU of {name}"), spent);
        }
        let transactions = now.transactions - before.transactions;
        let each = unit_count / transactions.max(1.0);
        output::line(&format!(
            "  {transactions:.0} transactions in {elapsed:.2} s, {each:.1} units each"
        ));
        Ok(())
    }
}

async fn look(server: &Server) -> anyhow::Result<Look> {
    let mut counted = Vec::new();
    for (name, _) in COUNTED {
        counted.push(server.metric(name).await?);
    }
    let transactions = server.metric("windlass_db_transactions_total").await?;
    Ok(Look { began: Instant::now(), counted, transactions, threads: threads(server.pid()) })
}

/// CPU seconds by kind of thread. HTTP is what the runtime's workers do.
fn threads(pid: u32) -> BTreeMap<String, f64> {
    let mut seconds = BTreeMap::new();
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    for task in tasks.filter_map(Result::ok) {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        // The name stands in parentheses and may hold anything; what follows is numbers.
        let Some((head, rest)) = stat.rsplit_once(')') else { continue };
        let name = head.split_once('(').map_or("", |(_, name)| name);
        let kind = match name.split_once('-') {
            Some(("tokio", _)) => "HTTP, pages and attempts (tokio)",
            Some((kind @ ("shard" | "reader"), _)) => kind,
            _ => name,
        };
        let fields: Vec<f64> =
            rest.split_whitespace().skip(11).take(2).filter_map(|one| one.parse().ok()).collect();
        let ticks: f64 = fields.iter().sum();
        *seconds.entry(kind.to_owned()).or_insert(0.0) += ticks / TICKS_PER_SECOND;
    }
    seconds
}

/// Linux counts in hundredths of a second, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;
