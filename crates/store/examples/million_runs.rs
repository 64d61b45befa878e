//! How fast lists are over a million runs: fills a store with runs of 200 workflows, and times what
//! list pages and analytics ask of it.
//!
//! `cargo run --release -p windlass-store --example million_runs -- DIRECTORY [COUNT]`. A directory
//! that has a database already is only read.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use uuid::Uuid;
use windlass_core::run::{Counts, Event, Fact, RunStatus, StepStatus};
use windlass_core::{Failure, Time};
use windlass_store::*;

const WORKFLOWS: u64 = 200;
const GROUP: u64 = 2_000;
/// Runs come one after the other for so long, in microseconds.
const SPAN: u64 = 90 * 86_400_000_000;
/// 2026-01-01.
const BEGIN: u64 = 1_767_225_600_000_000;
const PAGE: usize = 50;
const TURNS: usize = 200;

/// A small generator of numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// Few workflows have most runs.
    fn workflow(&mut self) -> u64 {
        let (a, b) = (self.below(WORKFLOWS), self.below(WORKFLOWS));
        a * b / WORKFLOWS
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("which directory?")?;
    let count: u64 = std::env::args().nth(2).map_or(Ok(1_000_000), |text| text.parse())?;
    let store = SqliteOptions::at(Path::new(&directory)).open(time(0))?;
    let out = &mut std::io::stdout();
    let mut any = false;
    store.scan_runs("default", &ScanFilter::default(), 1, &mut |_| any = true)?;
    if !any {
        fill(&*store, count, out)?;
    }
    lists(&*store, count, out)?;
    analytics(&*store, out)?;
    expiry(&*store, out)
}

fn time(micros: u64) -> Time {
    Time::from_micros(micros.cast_signed())
}

fn at(number: u64, count: u64) -> u64 {
    BEGIN + number * (SPAN / count)
}

/// The id of a run: a UUIDv7 of its time.
fn id(number: u64, count: u64) -> Uuid {
    let millis = u128::from(at(number, count) / 1_000);
    Uuid::from_u128(millis << 80 | 7 << 76 | 2 << 62 | u128::from(number))
}

fn workflow_id(number: u64) -> Uuid {
    Uuid::from_u128(7 << 76 | 2 << 62 | u128::from(number))
}

fn fill(store: &dyn Store, count: u64, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let epoch = store.take_over("fill", time(BEGIN))?;
    let (began, mut dice) = (Instant::now(), Dice(7));
    for first in (0..count).step_by(GROUP as usize) {
        let group: Vec<RunWrite> =
            (first..count.min(first + GROUP)).map(|number| run(&mut dice, number, count)).collect();
        let conflicts = store.commit(epoch, &group)?;
        assert!(conflicts.is_empty(), "{conflicts:?}");
    }
    store.tidy()?;
    writeln!(out, "filled with {count} runs in {:?}", began.elapsed())?;
    Ok(())
}

fn run(dice: &mut Dice, number: u64, count: u64) -> RunWrite {
    let (run_id, at) = (id(number, count), at(number, count));
    let workflow = dice.workflow();
    // What goes on is among the newest.
    let is_open = number > count - count / 100 && dice.below(20) == 0;
    let status = match dice.below(100) {
        // One workflow never succeeds.
        _ if is_open => [RunStatus::Running, RunStatus::Waiting][dice.below(2) as usize],
        _ if workflow == 3 => RunStatus::Failed,
        0..5 => RunStatus::Failed,
        5..7 => RunStatus::Cancelled,
        _ => RunStatus::Succeeded,
    };
    let took = 1_000_000 + dice.below(60_000_000);
    let error = (status == RunStatus::Failed).then(|| {
        let message = format!("upstream answered {} after 3 attempts", 500 + dice.below(5));
        let mut error = Failure::new("http_status", message);
        error.step = Some("fetch".into());
        error
    });
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    labels.insert("env".into(), "prod".into());
    labels.insert("team".into(), format!("team-{}", dice.below(10)));
    if dice.below(2) == 0 {
        labels.insert("customer".into(), format!("c{}", dice.below(20_000)));
    }
    let finished_at = (!is_open).then(|| time(at + took));
    let mut counts = Counts::default();
    counts.add(StepStatus::Succeeded, 2);
    let standing = Standing {
        status,
        reason: None,
        error,
        started_at: Some(time(at + 1_000)),
        finished_at,
        last_seq: 1,
        counts,
    };
    let new = NewRun {
        project: "default".into(),
        workflow_id: workflow_id(workflow),
        workflow: format!("workflow-{workflow}"),
        version: 1,
        definition_id: workflow_id(1_000 + workflow),
        labels,
        external_id: number.is_multiple_of(10).then(|| format!("order-{number}")),
        rerun_of: None,
        parent: None,
        concurrency: None,
        priority: 0,
        created_by: None,
        created_at: time(at),
        key: None,
    };
    let fact = Fact::RunSucceeded { output: serde_json::json!({ "n": number }).into() };
    let body = serde_json::to_string(&[Event { at: time(at), fact }]).unwrap_or_default();
    let step = |ordinal: u32, kind: &str| StepRow {
        ordinal,
        path: kind.into(),
        kind: kind.into(),
        status: StepStatus::Succeeded,
        reason: None,
        attempt: 1,
        queued_at: Some(time(at)),
        started_at: Some(time(at + 1_000)),
        finished_at,
        due_at: None,
        input_seq: Some(1),
        end_seq: Some(1),
    };
    RunWrite {
        run_id,
        create: Some(new),
        standing: Some(standing),
        chunks: vec![Chunk { first_seq: 1, last_seq: 1, body }],
        new_steps: vec![step(0, "http"), step(1, "transform")],
        ..RunWrite::default()
    }
}

/// A kind of list: a filter, drawn anew each time, and whether it begins anywhere or at the newest.
type Draw = fn(&mut Dice, u64) -> RunFilter;

fn all() -> RunFilter {
    RunFilter { look_at_most: Some(8_000), ..RunFilter::default() }
}

fn status(status: RunStatus) -> RunFilter {
    RunFilter { statuses: vec![status], ..all() }
}

fn workflow(number: u64) -> RunFilter {
    RunFilter { workflow_id: Some(workflow_id(number)), ..all() }
}

fn label(key: &str, value: String) -> RunFilter {
    RunFilter { labels: vec![(key.into(), value)], ..all() }
}

fn text(text: String) -> RunFilter {
    RunFilter { text: Some(text), ..all() }
}

fn any_time(dice: &mut Dice) -> Option<Time> {
    Some(time(BEGIN + dice.below(SPAN)))
}

const LISTS: &[(&str, Draw)] = &[
    ("all", |_, _| all()),
    ("failed", |_, _| status(RunStatus::Failed)),
    ("succeeded", |_, _| status(RunStatus::Succeeded)),
    ("running", |_, _| status(RunStatus::Running)),
    ("failed, cancelled", |_, _| RunFilter {
        statuses: vec![RunStatus::Failed, RunStatus::Cancelled],
        ..all()
    }),
    ("workflow", |dice, _| workflow(dice.workflow())),
    ("workflow, failed", |dice, _| RunFilter {
        workflow_id: workflow(dice.workflow()).workflow_id,
        ..status(RunStatus::Failed)
    }),
    ("workflow, succeeded", |dice, _| RunFilter {
        workflow_id: workflow(dice.workflow()).workflow_id,
        ..status(RunStatus::Succeeded)
    }),
    ("workflow that never succeeds, succeeded", |_, _| RunFilter {
        workflow_id: workflow(3).workflow_id,
        ..status(RunStatus::Succeeded)
    }),
    ("workflow, running", |dice, _| RunFilter {
        workflow_id: workflow(dice.workflow()).workflow_id,
        ..status(RunStatus::Running)
    }),
    ("common label", |dice, _| label("team", format!("team-{}", dice.below(10)))),
    ("rare label", |dice, _| label("customer", format!("c{}", dice.below(20_000)))),
    ("no label", |dice, _| label("customer", format!("x{}", dice.below(20_000)))),
    ("two labels", |dice, _| RunFilter {
        labels: vec![
            ("env".into(), "prod".into()),
            ("customer".into(), format!("c{}", dice.below(20_000))),
        ],
        ..all()
    }),
    ("common label, failed", |dice, _| RunFilter {
        statuses: vec![RunStatus::Failed],
        ..label("team", format!("team-{}", dice.below(10)))
    }),
    ("common label, running", |dice, _| RunFilter {
        statuses: vec![RunStatus::Running],
        ..label("team", format!("team-{}", dice.below(10)))
    }),
    ("common label, workflow", |dice, _| RunFilter {
        workflow_id: workflow(dice.workflow()).workflow_id,
        ..label("team", format!("team-{}", dice.below(10)))
    }),
    ("common label, rare workflow", |_, _| RunFilter {
        workflow_id: workflow(198).workflow_id,
        ..label("env", "prod".into())
    }),
    ("rare label, workflow", |dice, _| RunFilter {
        workflow_id: workflow(dice.workflow()).workflow_id,
        ..label("customer", format!("c{}", dice.below(20_000)))
    }),
    ("common label, workflow, failed", |dice, _| RunFilter {
        workflow_id: workflow(dice.workflow()).workflow_id,
        statuses: vec![RunStatus::Failed],
        ..label("team", format!("team-{}", dice.below(10)))
    }),
    ("created after", |dice, _| RunFilter { created_after: any_time(dice), ..all() }),
    ("created before", |dice, _| RunFilter { created_before: any_time(dice), ..all() }),
    ("created on a day", |dice, _| {
        let from = BEGIN + dice.below(SPAN);
        let (created_after, until) = (Some(time(from)), Some(time(from + 86_400_000_000)));
        RunFilter { created_after, created_before: until, ..all() }
    }),
    ("created on a day, failed, workflow", |dice, _| {
        let from = BEGIN + dice.below(SPAN);
        let (created_after, until) = (Some(time(from)), Some(time(from + 86_400_000_000)));
        let workflow_id = workflow(dice.workflow()).workflow_id;
        RunFilter { created_after, created_before: until, workflow_id, ..status(RunStatus::Failed) }
    }),
    ("created on a day, common label", |dice, _| {
        let from = BEGIN + dice.below(SPAN);
        let (created_after, until) = (Some(time(from)), Some(time(from + 86_400_000_000)));
        let team = label("team", format!("team-{}", dice.below(10)));
        RunFilter { created_after, created_before: until, ..team }
    }),
    ("text of many", |_, _| text("answered 503".into())),
    ("text of none", |_, _| text("nothing of that".into())),
    ("text of one", |dice, count| text(format!("order-{}", dice.below(count)))),
    ("text of none, workflow", |dice, _| RunFilter {
        text: Some("nothing of that".into()),
        ..workflow(dice.workflow())
    }),
    ("text of none, failed", |_, _| RunFilter {
        text: Some("nothing of that".into()),
        ..status(RunStatus::Failed)
    }),
    ("text of none, common label", |dice, _| RunFilter {
        text: Some("nothing of that".into()),
        ..label("team", format!("team-{}", dice.below(10)))
    }),
];

fn lists(store: &dyn Store, count: u64, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let mut dice = Dice(11);
    for is_deep in [false, true] {
        writeln!(out, "{}", if is_deep { "behind a run anywhere:" } else { "the newest:" })?;
        for (name, draw) in LISTS {
            let (mut waits, mut shown) = (Vec::new(), 0);
            let begin = Instant::now();
            while waits.len() < TURNS && (waits.len() < 10 || begin.elapsed().as_secs() < 10) {
                let filter = draw(&mut dice, count);
                let before = is_deep.then(|| id(dice.below(count), count));
                let begin = Instant::now();
                shown += store.runs("default", &filter, before, PAGE)?.items.len();
                waits.push(begin.elapsed());
            }
            report(name, waits, shown, out)?;
        }
    }
    Ok(())
}

fn report(
    name: &str,
    mut waits: Vec<Duration>,
    shown: usize,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    waits.sort();
    let of = |percent: usize| waits[(waits.len() * percent / 100).min(waits.len() - 1)];
    let millis = |wait: Duration| wait.as_secs_f64() * 1_000.0;
    let (p50, p95, p99) = (millis(of(50)), millis(of(95)), millis(of(99)));
    let mark = if p95 > 20.0 { "  <-- slow" } else { "" };
    let each = shown / waits.len();
    writeln!(out, "{name:<42} {p50:>9.2} {p95:>9.2} {p99:>9.2} ms, {each:>3} runs{mark}")?;
    Ok(())
}

fn analytics(store: &dyn Store, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let of_one = ScanFilter { workflow_id: Some(workflow_id(0)), ..ScanFilter::default() };
    let week =
        ScanFilter { from: Some(time(BEGIN + SPAN - 7 * 86_400_000_000)), ..ScanFilter::default() };
    for (name, filter) in
        [("all", ScanFilter::default()), ("one workflow", of_one), ("a week", week)]
    {
        for _ in 0..3 {
            let (begin, mut count) = (Instant::now(), 0);
            store.scan_runs("default", &filter, usize::MAX - 1, &mut |_| count += 1)?;
            writeln!(out, "scan_runs, {name}: {count} runs in {:?}", begin.elapsed())?;
        }
        for at_most in [1_000, 10_000, 100_000] {
            let begin = Instant::now();
            let sums = store.kinds_of_steps("default", &filter, at_most)?;
            let steps: u64 = sums.iter().map(|sum| sum.steps).sum();
            writeln!(out, "kinds_of_steps, {name}: {steps} steps in {:?}", begin.elapsed())?;
        }
    }
    Ok(())
}

fn expiry(store: &dyn Store, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let all = Expiry::default;
    let failed = vec![RunStatus::Failed];
    let soon = Some(time(BEGIN + 3_600_000_000));
    for (name, expiry) in [
        ("before", Expiry { before: Some(time(BEGIN + SPAN / 2)), ..all() }),
        ("before, hardly any", Expiry { before: soon, ..all() }),
        ("before, none", Expiry { before: Some(time(BEGIN)), ..all() }),
        (
            "before, but one workflow",
            Expiry {
                before: Some(time(BEGIN + SPAN / 2)),
                except: vec!["workflow-0".into()],
                ..all()
            },
        ),
        ("failed", Expiry { statuses: failed, ..all() }),
        ("keep 10 newest", Expiry { keep_newest: Some(10), ..all() }),
        ("keep 1000 newest", Expiry { keep_newest: Some(1_000), ..all() }),
        ("keep a million newest", Expiry { keep_newest: Some(1_000_000), ..all() }),
        (
            "keep 10000 newest of one",
            Expiry { keep_newest: Some(10_000), workflow: Some("workflow-0".into()), ..all() },
        ),
    ] {
        let mut waits = Vec::new();
        let mut found = 0;
        for _ in 0..10 {
            let begin = Instant::now();
            found += store.expired_runs(&expiry, 100)?.len();
            waits.push(begin.elapsed());
        }
        report(&format!("expired: {name}"), waits, found, out)?;
    }
    Ok(())
}
