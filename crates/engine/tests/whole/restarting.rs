//! What waits, waits on through a restart, and goes on when its time comes.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;
use windlass_core::run::RunStatus;
use windlass_engine::shard::Command;
use windlass_engine::{NewRun, RetentionRules};
use windlass_store::RunFilter;

use crate::ground::Ground;
use crate::kinds;
use crate::server::{PROJECT, patiently, view};

fn later(duration: &str, output: u32) -> String {
    format!(
        "
name: Later
nodes:
  - {{ id: note, type: noop, config: {{ output: {output} }} }}
  - {{ id: wait, type: delay, needs: [note], config: {{ duration: {duration} }} }}
  - {{ id: after, type: noop, needs: [wait], config: {{ output: \"{{{{ wait.output + {output} }}}}\" }} }}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_fire_after_a_restart() {
    for ground in Ground::both() {
        let server = ground.serve();
        // The first is still in memory when the server goes, the second has left it.
        let runs = [
            server.begin(&later("300ms", 1), json!(null)).await,
            server.begin(&later("3s", 2), json!(null)).await,
        ];
        for run_id in runs {
            server.until_fact(run_id, "step_waiting wait").await;
        }
        let is_kept = |run_id| {
            let version = windlass_core::run::STATE_VERSION;
            server.store.load_run(run_id, version).unwrap().unwrap().snapshot.is_some()
        };
        assert_eq!(runs.map(is_kept), [false, true]);
        server.stop().await;

        let server = ground.serve();
        for (run_id, output) in runs.into_iter().zip([2, 4]) {
            let run = server.end_of(run_id).await;
            assert_eq!(run.output.as_deref(), Some(&json!(output)), "{:?}", run.error);
            assert_eq!(server.step(run_id, "note").attempt, 1);
        }
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_can_be_looked_at_without_disturbing_it() {
    for ground in Ground::both() {
        let server = ground.serve();
        let run_id = server.begin(&later("1h", 1), json!(null)).await;
        server.until_it_is(run_id, RunStatus::Waiting).await;
        server.stop().await;
        let server = ground.serve();
        let before = server.facts(run_id);
        let run = view(server.engine.command(run_id, Command::Wake).await);
        assert_eq!((run.status, run.reason.as_deref()), (RunStatus::Waiting, Some("timer")));
        assert_eq!(server.facts(run_id), before);
        let far = windlass_core::Time::from_micros(i64::MAX);
        assert_eq!(server.store.due_timers(far, 9).unwrap().len(), 1);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_the_definition_it_was_begun_with() {
    for ground in Ground::both() {
        let server = ground.serve();
        let old = server.begin(&later("300ms", 1), json!(null)).await;
        server.deploy(&later("1ms", 10)).await;
        server.stop().await;
        let server = ground.serve();
        let new = server.begin(&later("1ms", 10), json!(null)).await;
        assert_eq!(server.row(new).version, 2);
        assert_eq!(server.end_of(old).await.output.as_deref(), Some(&json!(2)));
        assert_eq!(server.end_of(new).await.output.as_deref(), Some(&json!(20)));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_workflow_that_was_deleted_goes_on() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let run_id = server.begin(&later("300ms", 1), json!(null)).await;
    let workflow_id = server.row(run_id).workflow_id;
    assert_eq!(server.engine.delete_workflow(workflow_id, None).await.unwrap(), Some(1));
    assert!(server.engine.definitions().newest(PROJECT, "Later").unwrap().is_none());
    server.stop().await;
    let server = ground.serve();
    assert_eq!(server.end_of(run_id).await.output.as_deref(), Some(&json!(2)));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_many_mebibytes_is_there_after_a_restart() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let text = "
name: Large
nodes:
  - { id: make, type: transform, config: { output: \"{{ 'x' * 15000000 }}\" } }
  - { id: wait, type: delay, needs: [make], config: { duration: 300ms } }
  - { id: count, type: transform, needs: [wait], config: { output: \"{{ len(make.output) }}\" } }
output: [\"{{ make.output }}\", \"{{ count.output }}\"]
";
    let run_id = server.begin(text, json!(null)).await;
    server.stop().await;
    let server = ground.serve();
    let output = server.end_of(run_id).await.output.unwrap();
    assert_eq!(output[1], 15_000_000);
    assert_eq!(output[0].as_str().map(str::len), Some(15_000_000));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_go_when_their_time_is_up_and_open_ones_stay() {
    for ground in Ground::both() {
        let server = ground.serve();
        let open = server.begin(&later("1h", 1), json!(null)).await;
        let mut over = Vec::new();
        for _ in 0..3 {
            over.push(server.run(&later("1ms", 1), json!(null)).await.run_id);
        }
        server.stop().await;

        let by_age = |age| RetentionRules::by_age(Some(age));
        let hour = Duration::from_secs(3_600);
        let server = ground.serve_with(|config| config.retention = by_age(hour));
        assert_eq!(server.row(over[0]).status, RunStatus::Succeeded, "its time is not up");
        server.stop().await;
        let moment = Duration::from_millis(1);
        let server = ground.serve_with(|config| config.retention = by_age(moment));
        let gone = async {
            let is_there = |run_id: &Uuid| server.store.overview(*run_id, 0).unwrap().is_some();
            while over.iter().any(is_there) {
                tokio::task::yield_now().await;
            }
        };
        patiently("old runs have gone", gone).await;
        assert_eq!(server.row(open).status, RunStatus::Waiting);
        view(server.cancel(open).await);
        server.stop().await;
    }
}

/// More than a run may decide in one turn, so it is stopped somewhere on its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_much_to_decide_goes_on_where_it_was() {
    for ground in Ground::both() {
        let server = ground.serve();
        let text = "
name: Many
nodes:
  - id: each
    type: map
    config: { items: \"{{ range(6000) }}\", body: { nodes: [{ id: t, type: transform, config: { output: \"{{ item * 2 }}\" } }] } }
output: [\"{{ len(each.output) }}\", \"{{ sum(each.output) }}\"]
";
        let run_id = server.begin(text, json!(null)).await;
        server.stop().await;
        let server = ground.serve();
        let run = server.end_of(run_id).await;
        assert_eq!(run.output.as_deref(), Some(&json!([6_000, 35_994_000])), "{:?}", run.error);
        assert_eq!(server.facts(run_id).iter().filter(|fact| *fact == "run_started").count(), 1);
        assert_eq!(run.counts.total(), 6_001);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_runs_are_left_behind_all_are_taken_up() {
    // More than the sweep looks at in one go.
    const COUNT: usize = 600;
    for ground in Ground::both() {
        let server = ground.serve_with(kinds::stuck);
        let text = "name: Work\nnodes: [{ id: w, type: work }]\n";
        let new = server.deploy(text).await;
        let runs = (0..COUNT).map(|_| new.clone()).collect();
        for answer in server.create_all(runs, false).await {
            view(answer);
        }
        server.stop().await;

        let server = ground.serve_with(kinds::quick);
        let mut changes = server.engine.feed().changes();
        let all_over = async {
            let filter = RunFilter { statuses: vec![RunStatus::Succeeded], ..RunFilter::default() };
            let count = || server.store.runs(PROJECT, &filter, None, COUNT).unwrap().items.len();
            while count() < COUNT {
                changes.changed().await.unwrap();
            }
        };
        patiently("all runs are over", all_over).await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_the_next_attempt_goes_on_after_a_restart() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let text = "
name: Again
nodes:
  - id: a
    type: shell
    retry: { max_attempts: 2, delay: 1s, jitter: 0 }
    config: { script: 'echo $WINDLASS_ATTEMPT; [ $WINDLASS_ATTEMPT = 2 ]' }
";
    let new = NewRun { input: json!({}), ..server.deploy(text).await };
    let run_id = view(server.create(new, false).await).run_id;
    server.until_fact(run_id, "attempt_failed a").await;
    server.stop().await;
    let server = ground.serve();
    let run = server.end_of(run_id).await;
    assert_eq!(run.output.as_deref().unwrap()["stdout"], "2", "{:?}", run.error);
    assert!(!server.facts(run_id).iter().any(|fact| fact.starts_with("attempt_interrupted")));
    server.stop().await;
}
