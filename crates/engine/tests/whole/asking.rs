//! Asking a run why it does not move, and another one for what it has done.

use std::collections::HashMap;

use serde_json::json;
use uuid::Uuid;
use windlass_core::run::{Because, RunStatus};
use windlass_engine::shard::Answer;
use windlass_engine::{NewRun, Queue};

use crate::ground::Ground;
use crate::server::{Server, patiently, view};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_its_turn_says_who_is_before_it() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let text = "
name: One
concurrency: { limit: 1 }
nodes: [{ id: wait, type: delay, config: { duration: 1h } }]
";
    let first = server.begin(text, json!(null)).await;
    let second = server.begin(text, json!(null)).await;
    let third = server.begin(text, json!(null)).await;
    server.until_it_is(first, RunStatus::Waiting).await;
    let why = server.engine.why(third, None).await.unwrap();
    assert!(why.run.awaits_admission);
    let slot = why.admission.unwrap().slot.unwrap();
    assert_eq!((slot.limit, slot.position, slot.holders), (1, 2, vec![first]));
    let why = server.engine.why(first, None).await.unwrap();
    assert!(matches!(why.run.steps[0].because, Because::Timer { .. }));
    assert_eq!(why.admission, None);
    view(server.cancel(first).await);
    server.until_it_is(second, RunStatus::Waiting).await;
    let slot = server.engine.why(third, None).await.unwrap().admission.unwrap().slot.unwrap();
    assert_eq!((slot.position, slot.holders), (1, vec![second]));
    let nobody = server.engine.why(Uuid::nil(), None).await;
    assert_eq!(nobody.unwrap_err(), Answer::NoSuchRun);
    server.stop().await;
}

/// Where the step `sleep` of a run stands. Its attempt is handed over a moment after the run is
/// durable.
async fn queue_of(server: &Server, run_id: Uuid) -> Queue {
    let asked = async {
        loop {
            let why = server.engine.why(run_id, Some("sleep".into())).await.unwrap();
            if let Some((step, queue)) = why.queues.into_iter().next() {
                assert_eq!(step, "sleep");
                return queue;
            }
            tokio::task::yield_now().await;
        }
    };
    patiently("the step waits for its turn", asked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_waits_for_others_of_its_kind_says_so() {
    let ground = Ground::on_disk();
    let limit = |config: &mut windlass_engine::EngineConfig| {
        config.dispatch.limits = HashMap::from([("shell".to_owned(), 1)]);
    };
    let server = ground.serve_with(limit);
    let text = "
name: Long
nodes: [{ id: sleep, type: shell, config: { script: \"echo begun; sleep 600\" } }]
";
    let first = server.begin(text, json!(null)).await;
    server.until_it_says(first, "begun").await;
    let second = server.begin(text, json!(null)).await;
    let queue = queue_of(&server, second).await;
    assert_eq!((queue.kind.as_str(), queue.limit, queue.position), ("shell", 1, 1));
    assert_eq!((queue.holder_count, queue.holders), (1, vec![(first, "sleep".to_owned())]));

    let foreign = server.deploy_in("other", text).await;
    let foreign = server.engine.submit("other", vec![foreign], false).remove(0).answer().await;
    let queue = queue_of(&server, view(foreign.clone()).run_id).await;
    assert_eq!((queue.position, queue.holder_count), (2, 1));
    assert_eq!(queue.holders, [], "another project does not learn of our runs");
    view(server.cancel(view(foreign).run_id).await);
    view(server.cancel(first).await);
    server.until_it_says(second, "begun").await;
    view(server.cancel(second).await);
    server.until_childless().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_has_done_is_not_done_again() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let text = json!({
        "name": "Half",
        "nodes": [
            { "id": "first", "type": "shell", "config": { "script": "date +%N" } },
            { "id": "second", "type": "shell", "needs": ["first"],
              "config": { "script": "test \"$HOW\" = good", "env": { "HOW": "{{ input }}" } } },
        ],
        "output": "{{ first.output.stdout }}",
    });
    let text = text.to_string();
    let failed = server.run(&text, json!("bad")).await;
    assert_eq!(failed.status, RunStatus::Failed);
    let reused = server.engine.reusable(failed.run_id, Some("second".into())).await.unwrap();
    assert_eq!(reused.keys().collect::<Vec<_>>(), ["first"]);
    let new = NewRun { input: json!("good"), reused, ..server.deploy(&text).await };
    let again = view(server.create(new, true).await);
    let again = server.end_of(again.run_id).await;
    assert_eq!(again.status, RunStatus::Succeeded, "{:?}", again.error);
    let first = server.step(again.run_id, "first");
    assert_eq!(first.reason.as_deref(), Some("reused"));
    let missing = server.engine.reusable(failed.run_id, Some("third".into())).await;
    assert!(matches!(missing, Err(Answer::Refused(_))));
    server.stop().await;
}
