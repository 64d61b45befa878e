//! Runs that other runs ask for.

use serde_json::{Value, json};
use windlass_core::run::{Fact, RunStatus};
use windlass_store::{RunFilter, RunRow};

use crate::ground::Ground;
use crate::server::{PROJECT, Server, view};

const CHILD: &str = "
name: Child
input: { type: object, required: [n], properties: { n: { type: integer } } }
nodes:
  - { id: wait, type: delay, config: { duration: \"{{ input.wait | default('1ms') }}\" } }
  - { id: n, type: transform, needs: [wait], config: { output: \"{{ input.n * 2 }}\" } }
";

const ASKS: &str = "
name: Asks
nodes:
  - { id: child, type: workflow, config: { workflow: Child, input: \"{{ input }}\" } }
output: \"{{ child.output }}\"
";

fn children(server: &Server, parent: &RunRow) -> Vec<RunRow> {
    let filter = RunFilter { parent: Some(parent.run_id), ..RunFilter::default() };
    server.store.runs(PROJECT, &filter, None, 10).unwrap().items
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_for_the_run_it_asks_for_and_gets_its_output() {
    for ground in Ground::both() {
        let server = ground.serve();
        server.deploy(CHILD).await;
        let run = server.run(ASKS, json!({ "n": 21 })).await;
        assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.error);
        assert_eq!(run.output.as_deref(), Some(&json!(42)));
        let [child] = &children(&server, &server.row(run.run_id))[..] else { panic!("one child") };
        let parent = child.parent.as_ref().unwrap();
        assert_eq!((parent.run_id, parent.step.as_str()), (run.run_id, "child"));
        assert_eq!(server.store.messages(None, 9).unwrap().items, [], "nothing is left to tell");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_a_child_becomes_of_its_step() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let failure = |run: windlass_engine::RunView| run.error.unwrap();
    let lost = failure(server.run(ASKS, json!({ "n": 1 })).await);
    assert_eq!(lost.code, "workflow_not_found", "{lost}");
    server.deploy(CHILD).await;
    let refused = failure(server.run(ASKS, json!({ "n": "x" })).await);
    assert_eq!(refused.code, "child_refused", "{refused}");
    let failed = failure(server.run(ASKS, json!({ "n": 1, "wait": "no" })).await);
    assert_eq!(failed.code, "child_failed", "{failed}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_goes_when_its_parent_does() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    server.deploy(CHILD).await;
    let run_id = server.begin(ASKS, json!({ "n": 1, "wait": "1h" })).await;
    let asked = server.journal(run_id).into_iter().find_map(|numbered| match numbered.event.fact {
        Fact::ChildRequested { child, .. } => Some(child),
        _ => None,
    });
    let child = asked.unwrap();
    let waits = |server: &Server| {
        let row = server.store.run(PROJECT, &child.to_string()).unwrap();
        row.is_some_and(|row| row.status == RunStatus::Waiting)
    };
    server.until(child, "the child waits", waits).await;
    view(server.cancel(run_id).await);
    server.until_it_is(child, RunStatus::Cancelled).await;
    assert_eq!(server.row(run_id).status, RunStatus::Cancelled);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_survives_a_restart() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    server.deploy(CHILD).await;
    let run_id = server.begin(ASKS, json!({ "n": 4, "wait": "300ms" })).await;
    server.stop().await;
    let server = ground.serve();
    let run = server.end_of(run_id).await;
    assert_eq!(run.output.as_deref(), Some(&json!(8)), "{:?}", run.error);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_need_not_wait_for_its_child() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    server.deploy(CHILD).await;
    let text = ASKS.replace("workflow: Child,", "workflow: Child, await: false, version: 1,");
    let run = server.run(&text, json!({ "n": 4, "wait": "1h" })).await;
    let child = children(&server, &server.row(run.run_id)).remove(0);
    assert_eq!(run.output.as_deref(), Some(&json!({ "run_id": child.run_id })));
    assert!(!child.status.is_terminal(), "it goes on by itself");
    let missing = text.replace("version: 1", "version: 7").replace("Asks", "Asks more");
    let run = server.run(&missing, Value::Null).await;
    assert_eq!(run.error.unwrap().code, "workflow_not_found");
    server.stop().await;
}
