//! Stopping what goes on, and leaving alone what does not.

use std::collections::HashMap;
use std::io::Read;

use serde_json::json;
use tokio::sync::oneshot;
use uuid::Uuid;
use windlass_core::run::{Refused, RunStatus, StepStatus};
use windlass_engine::shard::Answer;

use crate::ground::Ground;
use crate::kinds;
use crate::server::{patiently, view};

const LATER: &str = "
name: Later
nodes:
  - { id: wait, type: delay, config: { duration: 1h } }
  - { id: after, type: noop, needs: [wait] }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_is_cancelled_and_its_timer_is_gone() {
    for ground in Ground::both() {
        let server = ground.serve();
        let run_id = server.begin(LATER, json!(null)).await;
        let run = view(server.cancel(run_id).await);
        assert_eq!((run.status, run.reason.as_deref()), (RunStatus::Cancelled, Some("enough")));
        assert_eq!(server.row(run_id).status, RunStatus::Cancelled, "it is durable");
        assert_eq!(server.step(run_id, "wait").status, StepStatus::Cancelled);
        assert_eq!(server.step(run_id, "after").status, StepStatus::Skipped);
        let far = windlass_core::Time::from_micros(i64::MAX);
        assert_eq!(server.store.due_timers(far, 9).unwrap(), []);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_child_is_really_gone_with_all_its_own_children() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let alive = ground.pipe("alive");
    // Whoever lives holds the pipe open for writing; its reader learns of the last one's end.
    let script = format!(
        "trap '' TERM; sleep 600 > {0} & echo begun; echo $$; sleep 600 > {0}",
        alive.display()
    );
    let text = json!({
        "name": "Long",
        "nodes": [
            { "id": "long", "type": "shell", "config": { "script": script } },
            { "id": "after", "type": "noop", "needs": ["long"] },
        ],
    });
    let run_id = server.begin(&text.to_string(), json!(null)).await;
    let (all_gone, is_gone) = oneshot::channel();
    std::thread::spawn(move || {
        let end = std::fs::File::open(alive).and_then(|mut file| file.read(&mut [0]));
        all_gone.send(end)
    });
    server.until_it_says(run_id, "begun").await;
    let child = *server.heard.children.borrow().first().unwrap();
    server.until_it_says(run_id, &child.to_string()).await;
    let run = view(server.cancel(run_id).await);
    assert_eq!(run.status, RunStatus::Cancelled);
    assert_eq!(server.step(run_id, "long").status, StepStatus::Cancelled);
    server.until_childless().await;
    assert!(!std::fs::exists(format!("/proc/{child}")).unwrap(), "the child itself is gone");
    let end = patiently("its children are gone", is_gone).await.unwrap();
    assert_eq!(end.unwrap(), 0);
    // Its late end changes nothing any more.
    assert_eq!(server.facts(run_id).last().unwrap(), "run_cancelled");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_run_and_an_unknown_one_cannot_be_cancelled() {
    for ground in Ground::both() {
        let server = ground.serve();
        let run = server.run("name: One\nnodes: [{ id: a, type: noop }]\n", json!(null)).await;
        let refused = Answer::Refused(Refused::Finished(RunStatus::Succeeded));
        assert_eq!(server.cancel(run.run_id).await, refused);
        assert_eq!(server.row(run.run_id).status, RunStatus::Succeeded);
        assert_eq!(server.facts(run.run_id).last().unwrap(), "run_succeeded");
        assert_eq!(server.cancel(Uuid::from_u128(7)).await, Answer::NoSuchRun);
        let cancelled = server.begin(LATER, json!(null)).await;
        view(server.cancel(cancelled).await);
        let refused = Answer::Refused(Refused::Finished(RunStatus::Cancelled));
        assert_eq!(server.cancel(cancelled).await, refused);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_waits_for_its_turn_is_cancelled_and_never_begins() {
    let ground = Ground::in_memory();
    let server = ground.serve_with(|config| {
        config.dispatch.limits = HashMap::from([("shell".to_owned(), 1)]);
    });
    let step = |script: String| {
        json!({ "name": "Turn", "nodes": [{ "id": "a", "type": "shell", "config": { "script": script } }] })
            .to_string()
    };
    let first = server.begin(&step("echo begun; exec sleep 600".into()), json!(null)).await;
    server.until_it_says(first, "begun").await;
    let effects = ground.file("effects");
    let second = step(format!("echo made >> {}", effects.display()));
    let waiting = server.begin(&second, json!(null)).await;
    assert_eq!(view(server.cancel(waiting).await).status, RunStatus::Cancelled);
    // Whoever comes after it gets the turn, once that is free.
    let third = server.begin(&second, json!(null)).await;
    view(server.cancel(first).await);
    assert_eq!(server.end_of(third).await.status, RunStatus::Succeeded);
    assert_eq!(ground.lines("effects"), ["made"]);
    assert!(!server.facts(waiting).iter().any(|fact| fact.starts_with("attempt_started")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_reaches_every_item_of_a_map() {
    let ground = Ground::in_memory();
    let server = ground.serve_with(kinds::stuck);
    let text = "
name: Many
nodes:
  - id: each
    type: map
    config: { items: \"{{ range(20) }}\", concurrency: 5, body: { nodes: [{ id: w, type: work }] } }
";
    let run_id = server.begin(text, json!(null)).await;
    let begun = |server: &crate::server::Server| {
        let facts = server.facts(run_id);
        facts.iter().filter(|fact| fact.starts_with("attempt_started")).count() == 5
    };
    server.until(run_id, "five have begun", begun).await;
    let run = view(server.cancel(run_id).await);
    assert_eq!(run.status, RunStatus::Cancelled);
    // Five items and the map itself; the other items never came up.
    assert_eq!(run.counts.of(StepStatus::Cancelled), 6);
    assert_eq!(run.counts.total(), 6);
    assert!(server.steps(run_id).iter().all(|step| step.status == StepStatus::Cancelled));
    server.stop().await;
}
