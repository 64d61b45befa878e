//! What log lines cost: commits that have nothing but lines in them, a line, a hundred or a thousand
//! at a time, how large the database is for each line afterwards, and how long it takes to find some.
//!
//! `cargo run --release -p windlass-store --example log_rate -- [postgres://…]`; without an address
//! it measures SQLite in a temporary directory.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::{Counts, Event, Fact, RunStatus};
use windlass_store::*;

const TIME: Duration = Duration::from_secs(4);

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    for size in [1, 100, 1_000] {
        let directory = tempfile::tempdir()?;
        let now = Time::from_micros(0);
        let store = match std::env::args().nth(1) {
            Some(url) => PostgresOptions::at(url, directory.path()).open(now)?,
            None => SqliteOptions::at(directory.path()).open(now)?,
        };
        let epoch = store.take_over("bench", now)?;
        let run_id = Uuid::now_v7();
        store.commit(epoch, &[write(run_id, 1, vec![])])?;
        let (began, mut seq, mut lines, mut waits) = (Instant::now(), 1, 0, Vec::new());
        while began.elapsed() < TIME {
            seq += 1;
            let logs = (0..size).map(|n| line(lines + n + 1)).collect();
            lines += size;
            let group = [write(run_id, seq, logs)];
            let begin = Instant::now();
            let conflicts = store.commit(epoch, &group)?;
            waits.push(begin.elapsed());
            assert!(conflicts.is_empty(), "{conflicts:?}");
        }
        let rate = lines as f64 / began.elapsed().as_secs_f64();
        waits.sort();
        let (half, most) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
        let mut found = String::new();
        for text in ["fetched", "order merged", "0000*", "\"from https\" 77", "\"in from\"", "none"]
        {
            let begin = Instant::now();
            let search = LogSearch { text: text.into(), ..LogSearch::default() };
            // What has no end is given up.
            let count = store.find_logs("default", &search, None, 50).map(|page| page.items.len());
            found += &format!("; `{text}`: {count:?} in {:?}", begin.elapsed());
        }
        drop(store);
        let bytes = file_size(&directory.path().join("windlass.db")) / lines;
        writeln!(
            out,
            "{size:>5} lines a commit: {rate:>8.0} lines/s, p50 {half:?}, p99 {most:?}, \
             {bytes} bytes a line; {lines} lines{found}"
        )?;
    }
    Ok(())
}

fn file_size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |metadata| metadata.len())
}

/// Eleven words of which most come again and some never do.
fn line(log_seq: u64) -> LogRow {
    const VERBS: [&str; 8] =
        ["fetched", "parsed", "stored", "skipped", "retried", "sent", "merged", "checked"];
    const THINGS: [&str; 8] =
        ["order", "invoice", "customer", "shipment", "payment", "basket", "article", "report"];
    let mixed = log_seq.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let (verb, thing) = (VERBS[(mixed >> 60) as usize % 8], THINGS[(mixed >> 50) as usize % 8]);
    let text = format!(
        "INFO worker-{} {verb} {thing} {:08x} from https://shop.example/api/{thing}s in {} ms",
        mixed >> 62,
        mixed >> 32,
        mixed >> 20 & 0x3ff
    );
    let (path, stream) = ("each[3].fetch".to_owned(), LogStream::Stdout);
    LogRow { log_seq, at: Time::from_micros(7), path, attempt: 1, stream, text, level: None }
}

fn write(run_id: Uuid, seq: u64, logs: Vec<LogRow>) -> RunWrite {
    let fact = Fact::RunSucceeded { output: serde_json::json!({ "n": seq }).into() };
    let event = Event { at: Time::from_micros(7), fact };
    let body = serde_json::to_string(&[event]).unwrap_or_default();
    let (create, standing) = if seq == 1 { (Some(new()), Some(standing())) } else { (None, None) };
    let chunks = vec![Chunk { first_seq: seq, last_seq: seq, body }];
    RunWrite { run_id, after_seq: seq - 1, create, standing, chunks, logs, ..RunWrite::default() }
}

fn new() -> NewRun {
    NewRun {
        project: "default".into(),
        workflow_id: Uuid::nil(),
        workflow: "bench".into(),
        version: 1,
        definition_id: Uuid::nil(),
        labels: BTreeMap::new(),
        external_id: None,
        rerun_of: None,
        parent: None,
        concurrency: None,
        priority: 0,
        created_by: None,
        created_at: Time::from_micros(7),
        key: None,
    }
}

fn standing() -> Standing {
    Standing {
        status: RunStatus::Running,
        reason: None,
        error: None,
        started_at: None,
        finished_at: None,
        last_seq: 1,
        counts: Counts::default(),
    }
}
