//! Small runs to write.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;
use windlass_core::run::{Counts, Event, Fact, RunCreated, RunStatus, StepStatus};
use windlass_core::{Failure, Time};
use windlass_store::*;

pub(crate) const PROJECT: &str = "default";

pub(crate) fn at(seconds: i64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

/// Ids that sort by their number.
pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn created(run_id: Uuid, input: Value) -> Event {
    let created = RunCreated {
        run_id,
        workflow: "greet".into(),
        workflow_id: id(1),
        version: 1,
        definition_id: id(2),
        input: Arc::new(input),
        labels: BTreeMap::new(),
        rerun_of: None,
        external_id: None,
        parent: None,
        concurrency: None,
        priority: 0,
        held: false,
        by: None,
        reused: BTreeMap::new(),
        unit: None,
        observed: None,
        trigger_depth: 0,
    };
    Event { at: at(1), fact: Fact::RunCreated(Box::new(created)) }
}

pub(crate) fn finished(output: Value) -> Event {
    Event { at: at(2), fact: Fact::RunSucceeded { output: Arc::new(output) } }
}

pub(crate) fn chunk(first_seq: u64, events: &[Event]) -> Chunk {
    let body = serde_json::to_string(events).unwrap();
    Chunk { first_seq, last_seq: first_seq + u64::try_from(events.len()).unwrap() - 1, body }
}

pub(crate) fn standing(status: RunStatus, last_seq: u64) -> Standing {
    Standing {
        status,
        reason: None,
        error: None,
        started_at: None,
        finished_at: None,
        last_seq,
        counts: Counts::default(),
    }
}

/// The write that creates a run.
pub(crate) fn new_run(number: u128) -> RunWrite {
    let run_id = id(number);
    RunWrite {
        run_id,
        after_seq: 0,
        create: Some(NewRun {
            project: PROJECT.into(),
            workflow_id: id(1),
            workflow: "greet".into(),
            version: 1,
            definition_id: id(2),
            labels: BTreeMap::new(),
            external_id: None,
            rerun_of: None,
            parent: None,
            concurrency: None,
            priority: 0,
            created_by: None,
            created_at: at(i64::try_from(number).unwrap()),
            key: None,
        }),
        standing: Some(standing(RunStatus::Running, 1)),
        labels_set: BTreeMap::new(),
        chunks: vec![chunk(1, &[created(run_id, json!({ "n": 1 }))])],
        renamed: None,
        new_steps: vec![],
        changed_steps: vec![],
        timers_set: vec![],
        timers_cleared: vec![],
        asks_set: vec![],
        asks_cleared: vec![],
        cached: vec![],
        usage: vec![],
        units: vec![],
        tasks_set: vec![],
        tasks_cleared: vec![],
        interventions: vec![],
        learned: vec![],
        snapshot: None,
        drop_snapshot: false,
        logs: vec![],
        received: vec![],
        messages: vec![],
    }
}

/// A step that waits for somebody's word.
pub(crate) fn ask(number: u128, path: &str, kind: &str, name: &str, since: i64) -> AskRow {
    AskRow {
        project: PROJECT.into(),
        run_id: id(number),
        path: path.into(),
        workflow: "greet".into(),
        kind: kind.into(),
        name: name.into(),
        detail: json!({ "n": number as u64 }),
        since: at(since),
        deadline: (since > 2).then(|| at(since + 10)),
    }
}

/// What a node has taken on a day: so many tokens are held.
pub(crate) fn usage(number: u128, node: &str, day: i64, held_tokens: i64) -> UsageRow {
    UsageRow {
        project: PROJECT.into(),
        workflow: "greet".into(),
        run_id: id(number),
        node: node.into(),
        provider: "openai".into(),
        model: "gpt".into(),
        day,
        first_at: at(1),
        taken: Taken { held_tokens, ..Taken::default() },
    }
}

/// The write that ends the run of [`new_run`].
pub(crate) fn end_run(number: u128, status: RunStatus) -> RunWrite {
    let error = (status == RunStatus::Failed).then(|| Failure::new("boom", "It went Wrong"));
    RunWrite {
        after_seq: 1,
        create: None,
        standing: Some(Standing { error, finished_at: Some(at(2)), ..standing(status, 2) }),
        chunks: vec![chunk(2, &[finished(json!("done"))])],
        ..new_run(number)
    }
}

pub(crate) fn with<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}

pub(crate) fn standing_of(write: &mut RunWrite) -> &mut Standing {
    write.standing.as_mut().unwrap()
}

pub(crate) fn new_of(write: &mut RunWrite) -> &mut NewRun {
    write.create.as_mut().unwrap()
}

pub(crate) fn key(name: &str, request_hash: &str) -> IdempotencyKey {
    let (route, key) = ("POST /execute".into(), name.into());
    IdempotencyKey { route, key, request_hash: request_hash.into() }
}

pub(crate) fn step(ordinal: u32, status: StepStatus) -> StepRow {
    StepRow {
        ordinal,
        path: format!("step{ordinal}"),
        kind: "noop".into(),
        status,
        reason: None,
        attempt: 1,
        queued_at: Some(at(1)),
        started_at: None,
        finished_at: None,
        due_at: None,
        input_seq: Some(3),
        end_seq: None,
    }
}

pub(crate) fn log(log_seq: u64, path: &str, text: &str) -> LogRow {
    LogRow {
        log_seq,
        at: at(1),
        path: path.into(),
        attempt: 1,
        stream: LogStream::Stdout,
        text: text.into(),
        level: log_seq.is_multiple_of(2).then_some(LogLevel::Warning),
    }
}

pub(crate) fn message(target: u128, source: u128, path: &str, word: &str, sent: i64) -> Message {
    Message {
        target: id(target),
        source: id(source),
        path: path.into(),
        word: word.into(),
        body: "{\"n\":1}".into(),
        created_at: at(sent),
    }
}

pub(crate) fn deploy(name: &str, source: &str, number: u128) -> Deploy {
    Deploy {
        project: PROJECT.into(),
        name: name.into(),
        description: Some(format!("about {name}")),
        format: "yaml".into(),
        source: source.into(),
        content_hash: format!("hash of {source}"),
        new_workflow_id: id(1_000 + number),
        new_definition_id: id(2_000 + number),
        now: at(i64::try_from(number).unwrap()),
        expected_version: None,
    }
}

/// Commits a group that must not meet any conflict, in a new epoch.
pub(crate) fn commit(store: &dyn Store, group: &[RunWrite]) {
    let epoch = store.take_over("boot", at(0)).unwrap();
    assert_eq!(store.commit(epoch, group).unwrap(), []);
}

/// Deletes runs that were over before a time, as many as one call may find. Answers how many went.
pub(crate) fn prune(store: &dyn Store, epoch: i64, before: Time, limit: usize) -> usize {
    let expiry = Expiry { before: Some(before), ..Expiry::default() };
    let expired = store.expired_runs(&expiry, limit).unwrap();
    let runs: Vec<Uuid> = expired.iter().map(|row| row.run_id).collect();
    store.delete_runs(epoch, &runs).unwrap()
}
