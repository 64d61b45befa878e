//! What watchers see: everything, once, in order, and nothing that is not durable.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;
use windlass_engine::News;
use windlass_store::{LogFilter, LogStream, NumberedEvent};

use crate::ground::Ground;
use crate::server::{Server, patiently};

/// A run that begins to do much once `pipe` is written to.
fn gated(pipe: &std::path::Path, lines: u32) -> String {
    format!(
        "
name: Gated
nodes:
  - {{ id: gate, type: shell, config: {{ script: 'echo begun; cat {}' }} }}
  - id: each
    type: map
    needs: [gate]
    config: {{ items: \"{{{{ range(40) }}}}\", concurrency: 4, body: {{ nodes: [{{ id: n, type: noop }}] }} }}
  - {{ id: talk, type: shell, needs: [each], config: {{ script: 'seq {lines}' }} }}
",
        pipe.display()
    )
}

/// Lets whoever waits at a pipe go on. On a thread that nobody waits for, since it blocks for as
/// long as nobody is there.
fn open(pipe: std::path::PathBuf) {
    std::thread::spawn(move || std::fs::write(pipe, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_begins_with_the_journal_misses_nothing() {
    for ground in Ground::both() {
        let server = ground.serve();
        let pipe = ground.pipe("gate");
        let run_id = server.begin(&gated(&pipe, 300), json!(null)).await;
        server.until_it_says(run_id, "begun").await;
        // First listen, then look: what is in both is told apart by its number.
        let mut news = server.engine.feed().subscribe(run_id);
        let mut seen: Vec<NumberedEvent> = server.journal(run_id);
        let mut lines = server.logs(run_id);
        open(pipe);
        let mut is_over = false;
        while !is_over {
            match patiently("news", news.next()).await {
                News::Published(published) => {
                    let last = seen.last().map_or(0, |event| event.seq);
                    let new = published.events.iter().filter(|event| event.seq > last);
                    seen.extend(new.cloned());
                    let last = lines.last().map_or(0, |line| line.log_seq);
                    let new = published.logs.iter().filter(|line| line.log_seq > last);
                    lines.extend(new.cloned());
                    is_over = published.is_over;
                }
                News::Behind => panic!("it listens all the time"),
            }
        }
        let seqs: Vec<u64> = seen.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=server.row(run_id).last_seq).collect::<Vec<_>>(), "no gap");
        assert_eq!(seen, server.journal(run_id));
        assert_eq!(lines, server.logs(run_id));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_falls_behind_is_told_so_and_the_store_knows_the_rest() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let pipe = ground.pipe("gate");
    // Every item is several commits, since one step of an item waits for the other's.
    let text = gated(&pipe, 1)
        .replace("range(40)", "range(2000)")
        .replace("concurrency: 4", "concurrency: 1");
    let run_id = server.begin(&text, json!(null)).await;
    server.until_it_says(run_id, "begun").await;
    let mut news = server.engine.feed().subscribe(run_id);
    let before = server.journal(run_id).len();
    open(pipe);
    server.end_of(run_id).await;
    assert!(matches!(news.next().await, News::Behind), "more came than it could keep");
    let behind = server.store.events(run_id, before as u64, usize::MAX, usize::MAX).unwrap();
    assert_eq!(behind.items.last().unwrap().seq, server.row(run_id).last_seq);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_observer_is_told_everything_once_and_in_order() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let text = "
name: Small
nodes:
  - { id: a, type: noop, config: { output: 1 } }
  - { id: wait, type: delay, needs: [a], config: { duration: 5ms } }
  - { id: b, type: shell, needs: [wait], config: { script: 'echo one; echo two' } }
";
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(server.begin(text, json!(null)).await);
    }
    for run_id in &runs {
        server.end_of(*run_id).await;
    }
    let mut told: BTreeMap<Uuid, Vec<NumberedEvent>> = BTreeMap::new();
    for published in server.heard.published.lock().iter() {
        told.entry(published.run_id).or_default().extend(published.events.iter().cloned());
    }
    for run_id in runs {
        assert_eq!(told[&run_id], server.journal(run_id));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_kept_in_the_order_in_which_they_were_written() {
    for ground in Ground::both() {
        let server = ground.serve();
        let script = |prefix: &str| format!("seq -f '{prefix} %g' 1000; echo end >&2");
        let text = json!({
            "name": "Talk",
            "nodes": [
                { "id": "a", "type": "shell", "config": { "script": script("a") } },
                { "id": "b", "type": "shell", "config": { "script": script("b") } },
            ],
        });
        let run = server.run(&text.to_string(), json!(null)).await;
        let all = server.logs(run.run_id);
        let numbers: Vec<u64> = all.iter().map(|log| log.log_seq).collect();
        assert_eq!(numbers, (1..=2_002).collect::<Vec<_>>(), "one number for all steps of a run");
        for step in ["a", "b"] {
            assert_eq!(lines_of(&server, run.run_id, step), expected(step));
        }
        server.stop().await;
    }
}

fn lines_of(server: &Server, run_id: Uuid, step: &str) -> Vec<String> {
    let of_step = LogFilter { path: Some(step.to_owned()), ..LogFilter::default() };
    let logs = server.store.logs(run_id, 0, &of_step, usize::MAX - 1).unwrap().items;
    let out = logs.into_iter().filter(|log| log.stream == LogStream::Stdout);
    out.map(|log| log.text).collect()
}

fn expected(step: &str) -> Vec<String> {
    (1..=1_000).map(|n| format!("{step} {n}")).collect()
}
