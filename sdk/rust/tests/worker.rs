//! Workers, against a server that only writes down what it hears.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod desk;

use std::sync::Arc;
use std::time::Duration;

use desk::{AWAY, Desk};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use windlass_client::{Client, Error, Fail, LogStream, Stop, Stopper, Submit, Worker};

/// A worker at work, ended with its test.
struct Working {
    stopper: Stopper,
    ended: tokio::task::JoinHandle<Result<(), Error>>,
}

impl Working {
    async fn end(self) {
        self.stopper.stop();
        self.ended.await.unwrap().unwrap();
    }
}

fn new_worker(desk: &Desk) -> Worker {
    let client = Client::new(&desk.url).unwrap();
    Worker::new(client).named("ada").lease(Duration::from_secs(1))
}

fn begin(worker: Worker) -> Working {
    let stopper = worker.stopper();
    Working { stopper, ended: tokio::spawn(worker.run_until_stopped()) }
}

#[tokio::test]
async fn functions_do_what_they_are_registered_for() {
    let mut desk = Desk::open().await;
    let worker = new_worker(&desk)
        .kind("shout", |task| async move {
            task.log(LogStream::Stdout, "loud");
            Ok(json!(task.config["text"].as_str().unwrap().to_uppercase()))
        })
        .queue("gpu", |task| async move { Ok(json!([task.last_checkpoint, task.attempt])) })
        .role("clerk", |task| async move { Ok(task.config) })
        .unit("refunds", "Payer", |unit| async move {
            let mut submit = Submit::default();
            submit.attributes.insert("paid".to_owned(), unit.attributes["amount"].clone());
            submit.reasoning = Some(format!("{} is done", unit.children[0].id));
            submit.children.push(unit.children[0].attributes.clone());
            Ok(submit)
        });
    let working = begin(worker);

    let question = desk.next("poll").await;
    assert_eq!(question["kinds"], json!(["shout"]));
    assert_eq!((&question["queues"], &question["roles"]), (&json!(["gpu"]), &json!(["clerk"])));
    assert_eq!(question["units"], json!([{ "instance": "refunds", "role": "Payer" }]));
    assert_eq!((&question["max"], &question["lease"]), (&json!(1), &json!("1000ms")));

    desk.hand_out(json!({ "kind": "shout", "queue": null, "config": { "text": "hello" } }));
    let lines = json!([{ "stream": "stdout", "text": "loud" }]);
    assert_eq!(desk.next("logs").await["lines"], lines);
    let complete = json!({ "worker": "ada", "fence": 7, "output": "HELLO" });
    assert_eq!(desk.next("complete").await, complete);
    desk.hand_out(json!({ "checkpoint": 41 }));
    assert_eq!(desk.next("complete").await["output"], json!([41, 1]));
    desk.hand_out(json!({ "kind": "actor", "queue": "role:clerk", "config": { "title": "x" } }));
    assert_eq!(desk.next("complete").await["output"], json!({ "title": "x" }));
    let child = json!({ "id": "c", "status": "finalized", "attributes": { "part": 1 } });
    let unit = json!({ "id": "u", "instance_id": "i", "workflow": "main", "role": "Payer",
        "attributes": { "amount": 7 }, "children": [child] });
    desk.hand_out(json!({ "kind": "unit", "unit": unit }));
    let complete = json!({ "worker": "ada", "fence": 7, "attributes": { "paid": 7 },
        "reasoning": "c is done", "children": [{ "attributes": { "part": 1 } }] });
    assert_eq!(desk.next("complete").await, complete);

    // What nobody here does goes back at once.
    desk.hand_out(json!({ "queue": "cpu" }));
    desk.next("release").await;
    working.end().await;
}

#[tokio::test]
async fn a_failure_is_told_with_its_code_and_a_panic_as_well() {
    let mut desk = Desk::open().await;
    let worker = new_worker(&desk).queue("gpu", |task| async move {
        match task.config.as_str() {
            Some("panic") => panic!("the printer is on fire"),
            Some("code") => Err(Fail::retry("Not A Code", "odd")),
            _ => Err(Fail::fatal("no_paper", "there is none")),
        }
    });
    let working = begin(worker);
    let mut told = Vec::new();
    for config in ["paper", "code", "panic"] {
        desk.hand_out(json!({ "config": config }));
        let fail = desk.next("fail").await;
        told.push(json!([fail["code"], fail["message"], fail["retryable"]]));
    }
    let expected = json!([
        ["no_paper", "there is none", false],
        ["worker_error", "Not A Code: odd", true],
        ["worker_error", "the function has panicked", true],
    ]);
    assert_eq!(Value::from(told), expected);
    working.end().await;
}

#[tokio::test]
async fn a_function_is_told_to_stop_and_nothing_is_said_of_its_task() {
    let mut desk = Desk::open().await;
    let (told, mut reasons) = mpsc::unbounded_channel();
    let worker = new_worker(&desk).queue("gpu", move |task| {
        let told = told.clone();
        async move {
            task.checkpoint(task.config.clone()).await.unwrap();
            told.send(task.stopped().await).unwrap();
            Ok(json!("too late"))
        }
    });
    let working = begin(worker);
    desk.hand_out(json!({ "config": "cancel me" }));
    assert_eq!(reasons.recv().await, Some(Stop::Asked("cancelled".to_owned())));
    // No heartbeat gets through any more, and the lease comes to its end.
    desk.hand_out(json!({ "config": "keep me" }));
    while desk.next("heartbeat").await["checkpoint"] != "keep me" {}
    desk.go_away(true);
    assert_eq!(reasons.recv().await, Some(Stop::LeaseEnds));
    desk.go_away(false);
    working.end().await;
    let said = desk.rest();
    assert!(!said.iter().any(|verb| verb == "complete" || verb == "fail"), "{said:?}");
}

#[tokio::test]
async fn a_worker_that_ends_finishes_what_it_can_and_gives_back_the_rest() {
    let mut desk = Desk::open().await;
    let go_on = Arc::new(Notify::new());
    let worker = {
        let go_on = go_on.clone();
        new_worker(&desk).queue("gpu", move |task| {
            let go_on = go_on.clone();
            async move {
                task.progress(json!(0.5)).await.unwrap();
                go_on.notified().await;
                Ok(json!("in time"))
            }
        })
    };
    let working = begin(worker);
    desk.hand_out(json!({}));
    while desk.next("heartbeat").await["progress"] != 0.5 {}
    working.stopper.stop();
    go_on.notify_one();
    assert_eq!(desk.next("complete").await["output"], "in time");
    working.end().await;

    // The second word to end waits for nothing.
    let held = new_worker(&desk).queue("gpu", |task| async move {
        task.progress(json!(0.1)).await.unwrap();
        task.stopped().await;
        Err(Fail::retry("stopped", "half done"))
    });
    let working = begin(held);
    desk.hand_out(json!({}));
    while desk.next("heartbeat").await["progress"] != 0.1 {}
    working.stopper.stop();
    working.stopper.stop();
    desk.next("release").await;
    working.end().await;
}

#[tokio::test]
async fn an_end_that_cannot_be_delivered_is_said_again() {
    let mut desk = Desk::open().await;
    let began = Arc::new(Notify::new());
    let go_on = Arc::new(Notify::new());
    let worker = {
        let (began, go_on) = (began.clone(), go_on.clone());
        new_worker(&desk).queue("gpu", move |_| {
            let (began, go_on) = (began.clone(), go_on.clone());
            async move {
                began.notify_one();
                go_on.notified().await;
                Ok(json!("kept"))
            }
        })
    };
    let working = begin(worker);
    desk.hand_out(json!({ "lease": "5s" }));
    began.notified().await;
    desk.go_away(true);
    go_on.notify_one();
    while desk.next(AWAY).await != "complete" {}
    desk.go_away(false);
    assert_eq!(desk.next("complete").await["output"], "kept");
    working.end().await;
}

#[tokio::test]
async fn a_worker_with_nothing_to_do_or_no_server_says_so() {
    let worker = Worker::new(Client::new("http://127.0.0.1:9").unwrap());
    let refused = worker.run_until_stopped().await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert!(matches!(Client::new("localhost:8000"), Err(Error::Invalid(_))));
    let client = Client::new("http://127.0.0.1:9").unwrap().with_retries(0).with_key(Some("wl_x"));
    assert!(!format!("{client:?}").contains("wl_x"));
    let error = client.run("x").get().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { may_be_sent: false, .. }), "{error:?}");
}
