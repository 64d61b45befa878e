//! What holds runs up: limits they share, pauses, the switch.

use serde_json::json;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::RunStatus;
use windlass_engine::Halt;
use windlass_engine::shard::Command;
use windlass_store::Pause;

use crate::ground::Ground;
use crate::server::{Server, view};

const SHARED: &str = "
name: Shared
concurrency: { key: \"{{ input.who }}\", limit: 1, on_limit: queue }
nodes:
  - { id: wait, type: delay, config: { duration: \"{{ input.wait }}\" } }
";

async fn begin(server: &Server, text: &str, who: &str) -> Uuid {
    server.begin(text, json!({ "who": who, "wait": "1h" })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_key_at_a_time_also_after_a_restart() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let first = begin(&server, SHARED, "ada").await;
    let second = begin(&server, SHARED, "ada").await;
    let other = begin(&server, SHARED, "bob").await;
    server.until_it_is(first, RunStatus::Waiting).await;
    server.until_it_is(other, RunStatus::Waiting).await;
    assert_eq!(server.row(second).status, RunStatus::Queued);
    assert_eq!(server.row(second).reason.as_deref(), Some("concurrency"));
    server.stop().await;

    let server = ground.serve();
    let third = begin(&server, SHARED, "ada").await;
    assert_eq!(server.row(second).status, RunStatus::Queued, "the slot is still taken");
    view(server.cancel(first).await);
    server.until_it_is(second, RunStatus::Waiting).await;
    assert_eq!(server.row(third).status, RunStatus::Queued);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_can_turn_runs_away_or_replace_them() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let skip = SHARED.replace("on_limit: queue", "on_limit: skip").replace("Shared", "Skip");
    let first = begin(&server, &skip, "ada").await;
    let second = begin(&server, &skip, "ada").await;
    server.until_it_is(second, RunStatus::Cancelled).await;
    assert_eq!(server.row(first).status, RunStatus::Waiting);

    let newest =
        SHARED.replace("on_limit: queue", "on_limit: cancel_oldest").replace("Shared", "New");
    let first = begin(&server, &newest, "ada").await;
    server.until_it_is(first, RunStatus::Waiting).await;
    let second = begin(&server, &newest, "ada").await;
    server.until_it_is(first, RunStatus::Cancelled).await;
    server.until_it_is(second, RunStatus::Waiting).await;
    server.stop().await;
}

const LINE: &str = "
name: Line
nodes:
  - { id: a, type: delay, config: { duration: 20ms } }
  - { id: b, type: noop, needs: [a] }
";

fn by() -> String {
    "ada".to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_stands_still_over_a_restart_and_then_goes_on() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let run_id = server.begin(&LINE.replace("20ms", "400ms"), json!(null)).await;
    let pause = Command::Pause { by: by(), reason: Some("lunch".into()) };
    let run = view(server.engine.command(run_id, pause).await);
    assert_eq!((run.status, run.reason.as_deref()), (RunStatus::Paused, Some("paused")));
    let far = Time::from_micros(i64::MAX);
    assert_eq!(server.store.due_timers(far, 9).unwrap(), [], "its timer would fire in vain");
    server.stop().await;

    let server = ground.serve();
    assert_eq!(server.row(run_id).status, RunStatus::Paused);
    view(server.engine.command(run_id, Command::Resume { by: by(), reason: None }).await);
    assert_eq!(server.end_of(run_id).await.status, RunStatus::Succeeded);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_paused_workflow_wait() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let workflow_id = server.deploy(LINE).await.workflow_id;
    let pause = Pause { at: server.engine.clock().now(), by: by(), reason: None };
    let row = server.engine.pause_workflow(workflow_id, Some(pause)).await.unwrap().unwrap();
    assert!(row.pause.is_some());
    let run_id = server.begin(LINE, json!(null)).await;
    assert_eq!(server.row(run_id).status, RunStatus::Queued);
    server.stop().await;

    let server = ground.serve();
    assert_eq!(server.row(run_id).status, RunStatus::Queued);
    server.engine.pause_workflow(workflow_id, None).await.unwrap();
    assert_eq!(server.end_of(run_id).await.status, RunStatus::Succeeded);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_stops_everything_until_it_is_thrown_back() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let before = server.begin(LINE, json!(null)).await;
    let halt = Halt { at: server.engine.clock().now(), by: by(), reason: Some("fire".into()) };
    server.engine.halt(Some(halt.clone())).await.unwrap();
    let after = server.begin(LINE, json!(null)).await;
    assert_eq!(server.row(after).status, RunStatus::Queued);
    server.stop().await;

    let server = ground.serve();
    assert_eq!(server.engine.halted(), Some(halt), "it survives a restart");
    assert_eq!(server.row(after).status, RunStatus::Queued);
    server.engine.halt(None).await.unwrap();
    for run_id in [before, after] {
        assert_eq!(server.end_of(run_id).await.status, RunStatus::Succeeded);
    }
    server.stop().await;
}
