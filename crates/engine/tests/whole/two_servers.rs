//! A second server takes a store over while the first is still there.

use std::time::Duration;

use serde_json::json;
use windlass_core::run::{Fact, RunStatus};
use windlass_engine::shard::Answer;

use crate::ground::Ground;
use crate::kinds;
use crate::server::{PROJECT, view};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_server_can_write_nothing_more_and_its_runs_go_on_with_the_second() {
    for ground in Ground::both() {
        let store = ground.store();
        let old = ground.serve_over(store.clone(), kinds::stuck);
        let work = old.deploy("name: Work\nnodes: [{ id: w, type: work }]\n").await;
        let run_id = view(old.create(work.clone(), false).await).run_id;
        old.until_fact(run_id, "attempt_started w").await;

        let new = ground.serve_over(store, kinds::quick);
        let run = new.end_of(run_id).await;
        assert_eq!(run.output.as_deref(), Some(&json!(2)), "the second attempt did it");

        let answer = old.create(work.clone(), false).await;
        assert!(matches!(answer, Answer::Unavailable(_)), "{answer:?}");
        let health = old.engine.health();
        assert!(health.is_fenced && !health.can_write);
        assert!(new.engine.health().can_write);
        // The other shard may not have noticed yet; it finds out the same way.
        let answer = old.create(work, false).await;
        assert!(matches!(answer, Answer::Unavailable(_)), "{answer:?}");
        let answer = old.cancel(run_id).await;
        assert!(matches!(answer, Answer::Unavailable(_) | Answer::Refused(_)), "{answer:?}");
        let all = new.store.runs(PROJECT, &Default::default(), None, 9).unwrap().items;
        assert_eq!(all.len(), 1, "nothing of the first server was written");
        assert_eq!(new.row(run_id).status, RunStatus::Succeeded);
        let ends = new.journal(run_id).into_iter();
        let ends = ends.filter(|one| matches!(one.event.fact, Fact::RunSucceeded { .. }));
        assert_eq!(ends.count(), 1);
        new.stop().await;
        old.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_late_result_of_a_fenced_server_is_not_written() {
    for ground in Ground::both() {
        let store = ground.store();
        let pipe = ground.pipe("gate");
        let text = json!({
            "name": "Late",
            "nodes": [{
                "id": "a",
                "type": "shell",
                "config": { "script": format!(
                    "echo begun; [ $WINDLASS_ATTEMPT = 2 ] || cat {}; echo by $WINDLASS_ATTEMPT",
                    pipe.display(),
                ) },
            }],
        });
        let old = ground.serve_over(store.clone(), |_| {});
        let run_id = old.begin(&text.to_string(), json!(null)).await;
        old.until_it_says(run_id, "begun").await;
        let new = ground.serve_over(store, |_| {});
        let run = new.end_of(run_id).await;
        assert_eq!(run.output.as_deref().unwrap()["stdout"], "begun\nby 2");
        let before = (new.facts(run_id), new.logs(run_id));
        std::thread::spawn(move || std::fs::write(pipe, ""));
        // Going down with patience, it waits for the attempt and tries to write its end.
        old.engine.shut_down(Duration::from_secs(600)).await;
        assert_eq!((new.facts(run_id), new.logs(run_id)), before);
        new.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_in_use_is_not_taken_over() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let second = ground.options().open(windlass_core::Time::from_micros(0)).map(|_| ());
    let message = second.unwrap_err().to_string();
    assert!(message.contains("another windlass process is using it"), "{message}");
    let run = server.run("name: One\nnodes: [{ id: a, type: noop }]\n", json!(null)).await;
    assert_eq!(run.status, RunStatus::Succeeded, "the first is not disturbed");
    server.stop().await;
}
