//! Steps that wait for somebody's word: they hold nothing, survive a restart, and are found.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_core::run::{Decision, Refused, RunStatus, Verdict, Vote};
use windlass_engine::Delivered;
use windlass_engine::shard::{Answer, Command};
use windlass_store::AskRow;

use crate::ground::Ground;
use crate::server::{PROJECT, Server, view};

const ASKS: &str = "
name: Asks
nodes:
  - { id: ask, type: approval, config: { title: Send it?, deadline: 1h } }
  - { id: send, type: noop, needs: [ask], config: { output: sent } }
output: \"{{ send.output }}\"
";

const LISTENS: &str = "
name: Listens
nodes:
  - { id: go, type: wait_signal, config: { signal: go } }
  - { id: paid, type: wait_event, needs: [go], config: { event: paid, match: { n: \"{{ input.n }}\" } } }
output: [\"{{ go.output }}\", \"{{ paid.output.amount }}\"]
";

fn approve(by: &str) -> Command {
    let (verdict, form, comment) = (Verdict::Approve, None, None);
    let decision = Decision { by: by.into(), verdict, form, comment };
    Command::Vote { path: "ask".into(), vote: Vote { decision, roles: Vec::new(), hash: None } }
}

fn signal(id: &str, payload: Value) -> Command {
    let (name, by, id) = ("go".into(), "ada".into(), Some(id.into()));
    Command::Signal { name, payload: Arc::new(payload), by, id }
}

fn asks(server: &Server, kind: &str) -> Vec<AskRow> {
    server.store.asks(PROJECT, kind, None, None, 9).unwrap().items
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_asked_for_once_and_survives_the_server() {
    for ground in Ground::both() {
        let server = ground.serve();
        let run_id = server.begin(ASKS, json!(null)).await;
        server.until_it_is(run_id, RunStatus::Waiting).await;
        let [row] = &asks(&server, "approval")[..] else { panic!("one is asked for") };
        assert_eq!((row.run_id, row.name.as_str(), &*row.workflow), (run_id, "Send it?", "Asks"));
        assert!(row.deadline.is_some());
        server.stop().await;

        let server = ground.serve();
        let asked = server.engine.command(run_id, Command::Asked { path: "ask".into() }).await;
        let Answer::Asked(view_of_it) = asked else { panic!("{asked:?}") };
        assert_eq!(view_of_it.input["title"], "Send it?");
        view(server.engine.command(run_id, approve("ada")).await);
        let run = server.end_of(run_id).await;
        assert_eq!(run.output.as_deref(), Some(&json!("sent")), "{:?}", run.error);
        assert_eq!(asks(&server, "approval"), []);
        let late = server.engine.command(run_id, approve("bob")).await;
        assert_eq!(late, Answer::Refused(Refused::Finished(RunStatus::Succeeded)));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_and_events_reach_the_steps_that_wait_for_them() {
    for ground in Ground::both() {
        let server = ground.serve();
        let first = server.begin(LISTENS, json!({ "n": 1 })).await;
        let second = server.begin(LISTENS, json!({ "n": 2 })).await;
        for run_id in [first, second] {
            view(server.engine.command(run_id, signal("a", json!("went"))).await);
            let again = server.engine.command(run_id, signal("a", json!("twice"))).await;
            assert_eq!(again, Answer::Refused(Refused::SignalKnown("a".into())));
            server.until_fact(run_id, "step_awaiting paid").await;
        }
        server.stop().await;

        let server = ground.serve();
        let deliver = async |n: u32| {
            let data = json!({ "n": n, "amount": n * 10 });
            server.engine.deliver(PROJECT, "paid", data, "shop").await.unwrap()
        };
        assert_eq!(deliver(3).await, Delivered { taken: 0, failed: 0 });
        assert_eq!(deliver(2).await, Delivered { taken: 1, failed: 0 });
        let run = server.end_of(second).await;
        assert_eq!(run.output.as_deref(), Some(&json!(["went", 20])), "{:?}", run.error);
        assert_eq!(asks(&server, "event").len(), 1, "the other one still waits");
        assert_eq!(deliver(2).await.taken, 0, "an event is for those who wait");
        view(server.cancel(first).await);
        assert_eq!(asks(&server, "event"), [], "who is cancelled waits no more");
        server.stop().await;
    }
}

/// A signal and an answer to it share a commit: nobody is told that a run has a signal it then loses.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_came_early_survives_the_server() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let text = "
name: Early
nodes:
  - { id: first, type: wait_signal, config: { signal: first } }
  - { id: go, type: wait_signal, needs: [first], config: { signal: go } }
output: \"{{ go.output }}\"
";
    let run_id = server.begin(text, json!(null)).await;
    view(server.engine.command(run_id, signal("a", json!("early"))).await);
    server.stop().await;
    let server = ground.serve();
    let first = Command::Signal {
        name: "first".into(),
        payload: Arc::default(),
        by: "ada".into(),
        id: None,
    };
    view(server.engine.command(run_id, first).await);
    assert_eq!(server.end_of(run_id).await.output.as_deref(), Some(&json!("early")));
    server.stop().await;
}

/// An output is used again by another run, until its time is up or what it depends on differs.
#[tokio::test(flavor = "multi_thread")]
async fn an_output_is_used_again() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let text = "
name: Cached
nodes:
  - id: a
    type: shell
    config: { script: 'date +%s%N', env: { N: '{{ input.n }}' } }
    cache: { key: '{{ input.n }}', ttl: 1h }
  - { id: b, type: noop, needs: [a], config: { output: '{{ input.n }}' }, cache: { ttl: 1h } }
output: '{{ a.output.stdout }}'
";
    let run =
        async |n: u32| server.run(text, json!({ "n": n, "other": uuid::Uuid::now_v7() })).await;
    let (first, again, other) = (run(1).await, run(1).await, run(2).await);
    assert_eq!(first.output, again.output, "{:?}", again.error);
    assert_ne!(first.output, other.output);
    let reasons = |run_id| ["a", "b"].map(|path| server.step(run_id, path).reason);
    assert_eq!(reasons(first.run_id), [None, None]);
    assert_eq!(reasons(again.run_id), [Some("cached".to_owned()), Some("cached".to_owned())]);
    server.stop().await;
}
