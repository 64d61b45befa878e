//! Commits that fail: what callers are told, what is believed afterwards, and how it ends.

use std::sync::Arc;

use serde_json::json;
use windlass_core::run::RunStatus;
use windlass_engine::NewRun;
use windlass_engine::shard::Answer;
use windlass_store::IdempotencyKey;

use crate::ground::Ground;
use crate::moody::{Mood, Moody};
use crate::server::{PROJECT, Server, patiently, view};

/// Repeats a request as clients do that are told `503`, until it gets through.
async fn persist(server: &Server, new: &NewRun) -> Answer {
    patiently("a write", async {
        loop {
            match server.create(new.clone(), true).await {
                Answer::Unavailable(_) => {}
                answer => return answer,
            }
        }
    })
    .await
}

fn with_key(new: &NewRun) -> NewRun {
    let (route, key) = ("POST /execute".into(), "k".into());
    NewRun { key: Some(IdempotencyKey { route, key, request_hash: "h".into() }), ..new.clone() }
}

const ONE: &str = "name: One\nnodes: [{ id: a, type: noop, config: { output: 1 } }]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_keeps_what_it_has_and_goes_on_without_a_restart() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let new = server.deploy(ONE).await;
    let kept = view(server.create(new.clone(), true).await).run_id;
    server.stop().await;
    let size = std::fs::metadata(ground.file("data/windlass.db")).unwrap().len();
    let mut options = ground.options();
    options.size_max = Some(size + 48_000);
    let store = options.open(windlass_core::Time::from_micros(0)).unwrap();
    // With one shard, the write that succeeds is by the shard whose write failed.
    let server = ground.serve_over(store, |config| config.shard_count = 1);

    // As large as a row may be: past that it would be a file.
    let large = NewRun { input: json!("x".repeat(60_000)), ..new.clone() };
    let mut answer = server.create(large.clone(), false).await;
    // Whether it can write shows until it tries again, so it is asked while it does not.
    while server.engine.health().can_write {
        assert!(matches!(answer, Answer::Unavailable(_) | Answer::OutcomeUnknown(_)), "{answer:?}");
        answer = server.create(large.clone(), false).await;
    }
    assert_eq!(server.row(kept).status, RunStatus::Succeeded, "what was there can be read");

    let small = view(persist(&server, &new).await);
    assert_eq!(small.output.as_deref(), Some(&json!(1)), "what fits is written again");
    assert!(server.engine.health().can_write);
    let all = server.store.runs(PROJECT, &Default::default(), None, 9).unwrap().items;
    assert_eq!(all.len(), 2, "nothing of the large ones is there");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_mid_life_survives_a_store_that_is_full_for_a_while() {
    let ground = Ground::in_memory();
    let store = Moody::over(ground.store());
    let server = ground.serve_over(store.clone(), |_| {});
    let (pipe, effects) = (ground.pipe("gate"), ground.file("effects"));
    let text = format!(
        "
name: Long
nodes:
  - {{ id: a, type: shell, config: {{ script: 'echo a >> {1}; echo begun; [ $WINDLASS_ATTEMPT != 1 ] || cat {0}' }} }}
  - {{ id: b, type: shell, needs: [a], config: {{ script: 'echo b >> {1}' }} }}
",
        pipe.display(),
        effects.display()
    );
    let run_id = server.begin(&text, json!(null)).await;
    server.until_it_says(run_id, "begun").await;
    *store.mood.lock() = Mood::Full;
    std::thread::spawn(move || std::fs::write(pipe, ""));
    let mut refused = store.refused_ends.subscribe();
    patiently("the end is refused", refused.wait_for(|count| *count > 0)).await.unwrap();
    let new = server.deploy(ONE).await;
    let answer = server.create(new.clone(), false).await;
    assert!(matches!(answer, Answer::Unavailable(_)), "{answer:?}");
    assert_eq!(ground.lines("effects"), ["a"], "nothing leaves before its commit");
    *store.mood.lock() = Mood::Fine;
    let run = server.end_of(run_id).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.error);
    // The result of `a` could not be written, so nobody can know of it: it is made again.
    assert_eq!(ground.lines("effects"), ["a", "a", "b"]);
    assert_eq!(server.step(run_id, "a").attempt, 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_repeats_a_request_of_unknown_outcome_with_its_key_gets_one_run() {
    for (mood, is_written) in [(Mood::WrittenButUnknown, true), (Mood::LostAndUnknown, false)] {
        let ground = Ground::in_memory();
        let store = Moody::over(ground.store());
        let server = ground.serve_over(store.clone(), |_| {});
        let new = with_key(&server.deploy(ONE).await);
        *store.mood.lock() = mood;
        let answer = server.create(new.clone(), true).await;
        assert!(matches!(answer, Answer::OutcomeUnknown(_)), "{answer:?}");
        let run_id = match persist(&server, &new).await {
            Answer::Existing { run_id, .. } if is_written => run_id,
            Answer::Run(run) if !is_written => run.run_id,
            other => panic!("{mood:?} {other:?}"),
        };
        let run = server.end_of(run_id).await;
        assert_eq!(run.output.as_deref(), Some(&json!(1)), "it is driven to its end");
        let all = server.store.runs(PROJECT, &Default::default(), None, 9).unwrap().items;
        assert_eq!(all.len(), 1, "{mood:?}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_of_unknown_outcome_is_what_the_store_says() {
    let ground = Ground::in_memory();
    let store = Moody::over(ground.store());
    let server = ground.serve_over(store.clone(), |_| {});
    let text = "name: Later\nnodes: [{ id: wait, type: delay, config: { duration: 1h } }]\n";
    let run_id = server.begin(text, json!(null)).await;
    *store.mood.lock() = Mood::WrittenButUnknown;
    let answer = server.cancel(run_id).await;
    assert!(matches!(answer, Answer::OutcomeUnknown(_)), "{answer:?}");
    let again = patiently("an answer", async {
        loop {
            match server.cancel(run_id).await {
                Answer::Unavailable(_) => {}
                answer => return answer,
            }
        }
    })
    .await;
    assert!(matches!(again, Answer::Refused(_)), "it was cancelled all along: {again:?}");
    assert_eq!(server.row(run_id).status, RunStatus::Cancelled);
    let store: Arc<dyn windlass_store::Store> = store;
    let far = windlass_core::Time::from_micros(i64::MAX);
    assert_eq!(store.due_timers(far, 9).unwrap(), []);
    server.stop().await;
}
