//! How many steps a second a store keeps, in groups as the committer makes them: each step is one
//! row of the journal and one of the list of steps, 512 steps to a transaction.
//!
//! `cargo run --release -p windlass-store --example commit_rate -- [postgres://…]`; without an
//! address it measures SQLite in a temporary directory.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::{Counts, Event, Fact, RunStatus, StepStatus};
use windlass_store::*;

const GROUP: usize = 512;
const TIME: Duration = Duration::from_secs(4);

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let now = Time::from_micros(0);
    let store = match std::env::args().nth(1) {
        Some(url) => PostgresOptions::at(url, directory.path()).open(now)?,
        None => SqliteOptions::at(directory.path()).open(now)?,
    };
    let epoch = store.take_over("bench", now)?;
    let base = u128::from(Uuid::now_v7().as_u64_pair().0) << 64;
    let mut out = std::io::stdout();
    for size in [1, 16, GROUP] {
        let runs: Vec<Uuid> =
            (0..size).map(|n| Uuid::from_u128(base + n as u128 + (size << 32) as u128)).collect();
        let group: Vec<RunWrite> = runs.iter().map(|run_id| create(*run_id)).collect();
        store.commit(epoch, &group)?;
        let (began, mut seq, mut waits) = (Instant::now(), 1, Vec::new());
        while began.elapsed() < TIME {
            seq += 1;
            let group: Vec<RunWrite> = runs.iter().map(|run_id| step(*run_id, seq)).collect();
            let begin = Instant::now();
            let conflicts = store.commit(epoch, &group)?;
            waits.push(begin.elapsed());
            assert!(conflicts.is_empty(), "{conflicts:?}");
        }
        let steps = (waits.len() * size) as f64 / began.elapsed().as_secs_f64();
        waits.sort();
        let (half, most) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
        writeln!(
            out,
            "{size:>4} steps a commit: {steps:>8.0} steps/s, p50 {half:?}, p99 {most:?}"
        )?;
    }
    Ok(())
}

fn event(seq: u64) -> Chunk {
    let fact = Fact::RunSucceeded { output: serde_json::json!({ "n": seq }).into() };
    let event = Event { at: Time::from_micros(7), fact };
    let body = serde_json::to_string(&[event]).unwrap_or_default();
    Chunk { first_seq: seq, last_seq: seq, body }
}

fn step(run_id: Uuid, seq: u64) -> RunWrite {
    let at = Some(Time::from_micros(7));
    let row = StepRow {
        ordinal: u32::try_from(seq).unwrap_or(u32::MAX),
        path: format!("step{seq}"),
        kind: "noop".into(),
        status: StepStatus::Succeeded,
        reason: None,
        attempt: 1,
        queued_at: at,
        started_at: at,
        finished_at: at,
        due_at: None,
        input_seq: Some(seq),
        end_seq: Some(seq),
    };
    RunWrite {
        run_id,
        after_seq: seq - 1,
        chunks: vec![event(seq)],
        new_steps: vec![row],
        ..RunWrite::default()
    }
}

fn create(run_id: Uuid) -> RunWrite {
    let new = NewRun {
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
    };
    let standing = Standing {
        status: RunStatus::Running,
        reason: None,
        error: None,
        started_at: None,
        finished_at: None,
        last_seq: 1,
        counts: Counts::default(),
    };
    let (create, standing) = (Some(new), Some(standing));
    RunWrite { after_seq: 0, create, standing, new_steps: vec![], ..step(run_id, 1) }
}
