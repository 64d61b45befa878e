//! The worker protocol, spoken by hand.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use windlass_core::HumanDuration;

use crate::harness::*;

const MANIFEST: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/plugins/python/plugin.json");
const COUNT: &str = "name: count\nnodes:\n  - {id: count, type: count_words, \
    config: {text: '{{ input.text }}'}}\noutput: '{{ count.output }}'\n";

fn with_plugin(change: impl FnOnce(&mut windlass_server::config::Config)) -> Server {
    Server::with(|config| {
        let text = windlass_server::config::PluginSection {
            manifest: MANIFEST.into(),
            ..Default::default()
        };
        // What is lost is found soon.
        config.sweeper.every = HumanDuration(Duration::from_millis(100));
        config.plugins.insert("text".to_owned(), text);
        change(config);
    })
}

async fn server() -> Server {
    let server = with_plugin(|_| {});
    server.deploy(COUNT).await;
    server
}

/// Starts a run and answers its id.
async fn start(server: &Server, workflow: &str, input: Value) -> String {
    let path = format!("/api/v1/workflows/{workflow}/execute");
    let answer = server.post(&path, json!({ "input": input })).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.body["id"].as_str().unwrap().to_owned()
}

fn question(worker: &str) -> Value {
    json!({ "worker": worker, "kinds": ["count_words"], "wait": "20s" })
}

/// The next task, waited for.
async fn take(server: &Server, worker: &str) -> Value {
    let answer = server.post("/api/v1/tasks/poll", question(worker)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["tasks"][0].clone()
}

/// Says something of a task in the name of its worker.
async fn say(server: &Server, worker: &str, task: &Value, verb: &str, more: Value) -> Answer {
    let mut body = json!({ "worker": worker, "fence": task["fence"] });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    server.post(&format!("/api/v1/tasks/{}/{verb}", task["id"].as_str().unwrap()), body).await
}

fn counted() -> Value {
    json!({ "output": { "words": 2, "top": [] } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_makes_the_attempt_of_a_step() {
    let server = server().await;
    let run = async { server.run("count", json!({ "text": "a b" })).await };
    let work = async {
        let task = take(&server, "w").await;
        let key = format!("{}/count", task["run_id"].as_str().unwrap());
        assert_eq!(
            json!([task["kind"], task["config"], task["step"], task["attempt"], task["lease"]]),
            json!(["count_words", { "text": "a b" }, "count", 1, "1m"])
        );
        assert_eq!((&task["idempotency_key"], &task["project"]), (&json!(key), &json!("default")));
        let lines =
            json!({ "lines": [{ "text": "one\ntwo" }, { "stream": "stderr", "text": "3" }] });
        assert_eq!(say(&server, "w", &task, "logs", lines).await.status, StatusCode::ACCEPTED);
        let beat = say(&server, "w", &task, "heartbeat", json!({})).await.body;
        assert_eq!((&beat["cancel"], &beat["reason"]), (&json!(false), &Value::Null));
        assert!(beat["lease_until"].as_str() > task["lease_until"].as_str(), "{beat}");
        for _ in 0..2 {
            let told = say(&server, "w", &task, "complete", counted()).await;
            assert_eq!(told.status, StatusCode::NO_CONTENT, "{}", told.body);
        }
        let late = say(&server, "w", &task, "heartbeat", json!({})).await;
        assert_eq!(late.problem(), "task-over");
    };
    let (run, ()) = tokio::join!(run, work);
    assert_eq!(run["output"], counted()["output"], "{run}");
    let logs = server.get(&format!("/api/v1/runs/{}/logs", run["id"].as_str().unwrap())).await;
    let texts = logs.body["items"].as_array().unwrap().iter().map(|line| &line["text"]);
    assert_eq!(texts.collect::<Vec<_>>(), ["one", "two", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_has_said_is_durable_when_it_is_answered() {
    let server = server().await;
    let run = start(&server, "count", json!({ "text": "a" })).await;
    let task = take(&server, "w").await;
    assert_eq!(say(&server, "w", &task, "complete", counted()).await.status, 204);
    let run = server.get(&format!("/api/v1/runs/{run}")).await.body;
    assert_eq!(run["status"], "succeeded", "without waiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_holds_a_task_has_a_say_in_it() {
    let server = server().await;
    let run = start(&server, "count", json!({ "text": "a" })).await;
    let first = take(&server, "w1").await;
    let told = |worker, task, verb, more| say(&server, worker, task, verb, more);
    for (verb, more) in [
        ("heartbeat", json!({})),
        ("logs", json!({ "lines": [] })),
        ("complete", counted()),
        ("fail", json!({ "message": "x" })),
        ("release", json!({})),
    ] {
        assert_eq!(told("w2", &first, verb, more).await.problem(), "lease-lost", "{verb}");
    }
    assert_eq!(told("w1", &first, "release", json!({})).await.status, 204);
    let second = take(&server, "w2").await;
    assert_eq!(second["id"], first["id"]);
    assert!(second["fence"].as_u64() > first["fence"].as_u64());
    assert_eq!(told("w1", &first, "complete", counted()).await.problem(), "lease-lost");
    let stale = json!({ "id": second["id"], "fence": first["fence"] });
    assert_eq!(told("w2", &stale, "complete", counted()).await.problem(), "lease-lost");
    let error = json!({ "code": "no_ink", "message": "out", "retryable": false, "details": [1] });
    assert_eq!(told("w2", &second, "fail", error).await.status, 204);
    let run = server.get(&format!("/api/v1/runs/{run}")).await.body;
    assert_eq!((&run["status"], &run["error"]["code"]), (&json!("failed"), &json!("no_ink")));
    assert_eq!(run["error"]["details"], json!([1]), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_works_on_what_was_cancelled_is_told_to_stop() {
    let server = server().await;
    let run = start(&server, "count", json!({ "text": "a" })).await;
    let task = take(&server, "w").await;
    let cancel = server.post(&format!("/api/v1/runs/{run}/cancel"), json!({})).await;
    assert_eq!(cancel.status, 202, "{}", cancel.body);
    let beat = loop {
        let beat = say(&server, "w", &task, "heartbeat", json!({})).await;
        assert_eq!(beat.status, 200, "{}", beat.body);
        if beat.body["cancel"] == true {
            break beat.body;
        }
    };
    assert_eq!(beat["reason"], "cancelled");
    assert_eq!(say(&server, "w", &task, "complete", counted()).await.problem(), "task-over");
    assert_eq!(server.get(&format!("/api/v1/runs/{run}")).await.body["status"], "cancelled");

    // What nobody has taken goes away without a word.
    let run = start(&server, "count", json!({ "text": "b" })).await;
    server.post(&format!("/api/v1/runs/{run}/cancel"), json!({})).await;
    let again = start(&server, "count", json!({ "text": "c" })).await;
    let task = loop {
        let task = take(&server, "w").await;
        if task["run_id"] == again.as_str() {
            break task;
        }
        assert_eq!(task["run_id"], run.as_str());
    };
    assert_eq!(task["config"]["text"], "c");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_worker_is_followed_by_another() {
    let server = server().await;
    let run = start(&server, "count", json!({ "text": "a" })).await;
    let mut short = question("w1");
    short["lease"] = json!("1s");
    let lost = server.post("/api/v1/tasks/poll", short).await.body["tasks"][0].clone();
    let task = take(&server, "w2").await;
    assert_eq!((&task["id"], &task["attempt"]), (&lost["id"], &json!(2)), "it was another attempt");
    assert_eq!(say(&server, "w1", &lost, "complete", counted()).await.problem(), "task-over");
    assert_eq!(say(&server, "w2", &task, "complete", counted()).await.status, 204);
    let run = server.get(&format!("/api/v1/runs/{run}")).await.body;
    assert_eq!(run["status"], "succeeded");
    let events = server.get(&format!("/api/v1/runs/{}/events", run["id"].as_str().unwrap())).await;
    assert!(events.body.to_string().contains("attempt_interrupted"), "{}", events.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_repeated_is_not_handed_to_another() {
    let server = with_plugin(|_| {});
    server
        .deploy(&COUNT.replace(
            "type: count_words",
            "type: count_words, effect: never, \
        retry: {max_attempts: 3}",
        ))
        .await;
    let run = start(&server, "count", json!({ "text": "a" })).await;
    let mut short = question("w1");
    short["lease"] = json!("1s");
    let lost = server.post("/api/v1/tasks/poll", short).await.body["tasks"][0].clone();
    let run = at(&server, &format!("/api/v1/runs/{run}"), &["waiting", "failed"]).await;
    assert_eq!(run["status"], "waiting", "somebody has to say: {run}");
    let why = server.get(&format!("/api/v1/runs/{}/why", run["id"].as_str().unwrap())).await.body;
    assert_eq!(why["steps"][0]["because"], "outcome_unknown", "{why}");
    let told = say(&server, "w1", &lost, "complete", counted()).await;
    assert_eq!(told.status, StatusCode::CONFLICT, "{}", told.body);
    let mut now = question("w2");
    now["wait"] = json!("0s");
    assert_eq!(server.post("/api/v1/tasks/poll", now).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_why_a_step_waits_for_a_worker() {
    let server = server().await;
    let run = start(&server, "count", json!({ "text": "a" })).await;
    let path = format!("/api/v1/runs/{run}/why");
    // The attempt is released right behind the answer.
    let why = async |word: &str| loop {
        let step = server.get(&path).await.body["steps"][0].clone();
        if step["message"].as_str().is_some_and(|message| message.contains(word)) {
            break step;
        }
    };
    let step = why("none has asked").await;
    assert_eq!(
        json!([step["because"], step["message"], step["details"]["worker_count"]]),
        json!([
            "worker",
            "waits for a worker that does `count_words`; none has asked for work in the last 30 s",
            0
        ])
    );
    let task = take(&server, "w").await;
    let step = why("has it").await;
    assert!(step["message"].as_str().unwrap().starts_with("`w` has it"), "{step}");
    assert_eq!(
        (&step["details"]["worker"], &step["details"]["fence"]),
        (&json!("w"), &task["fence"])
    );
    say(&server, "w", &task, "release", json!({})).await;
    assert!(why("one has asked").await["details"]["worker"].is_null());
    let workers = server.get("/api/v1/workers").await.body;
    let worker = &workers["items"][0];
    assert_eq!(
        json!([worker["name"], worker["queues"], worker["plugin"], worker["task_count"]]),
        json!(["w", ["kind:count_words"], null, 0])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kinds_of_plugins_are_kinds_like_all_others() {
    let server = server().await;
    let listed = server.get("/api/v1/nodes").await.body;
    let found = listed["items"].as_array().unwrap().iter().find(|one| one["plugin"] == "text");
    assert_eq!(found.unwrap()["kind"], "count_words");
    let kind = server.get("/api/v1/nodes/count_words").await.body;
    assert_eq!(kind["config_schema"]["required"], json!(["text"]));
    assert!(
        kind["output_schema"].is_object()
            && kind["example"].as_str().unwrap().contains("count_words")
    );
    let wrong = "name: x\nnodes:\n  - {id: a, type: count_words, config: {txet: 1}}\n  - {id: b, type: \
        transform, needs: [a], config: {output: '{{ a.output.words.x }}'}}\n";
    let checked = server.ask(Method::POST, "/api/v1/workflows/check", wrong).await.body.to_string();
    assert!(checked.contains("txet") && checked.contains("`text` is missing"), "{checked}");
    let sample = json!({ "config": { "text": "a b" } });
    let test = server.post("/api/v1/nodes/count_words/test", sample);
    let work = async {
        let task = take(&server, "w").await;
        let lines = json!({ "lines": [{ "text": "hm" }] });
        say(&server, "w", &task, "logs", lines).await;
        assert_eq!(say(&server, "w", &task, "complete", counted()).await.status, 204);
    };
    let (tested, ()) = tokio::join!(test, work);
    assert_eq!(
        (&tested.body["status"], &tested.body["logs"][0]["text"]),
        (&json!("succeeded"), &json!("hm"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_has_to_fit_what_the_manifest_says() {
    let server = server().await;
    let run = start(&server, "count", json!({ "text": "a" })).await;
    let task = take(&server, "w").await;
    let told = say(&server, "w", &task, "complete", json!({ "output": { "words": "two" } })).await;
    assert_eq!(told.problem(), "invalid-output");
    assert!(told.body.to_string().contains("/words"), "{}", told.body);
    let error = loop {
        let run = server.get(&format!("/api/v1/runs/{run}")).await.body;
        if run["status"] == "failed" {
            break run["error"].clone();
        }
    };
    assert_eq!(error["code"], "bad_output", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_reach_the_worker_and_nobody_else() {
    const CANARY: &str = "canary-7f3a-in-a-cage";
    let server = with_plugin(|_| {});
    let body = json!({ "value": CANARY }).to_string();
    server.ask(Method::PUT, "/api/v1/secrets/t", body).await;
    server.deploy(&COUNT.replace("{{ input.text }}", "say {{secrets.t}}")).await;
    let mut said = Vec::new();
    for fails in [false, true] {
        let run = start(&server, "count", json!({})).await;
        let task = take(&server, "w").await;
        assert_eq!(task["config"]["text"], format!("say {CANARY}"));
        let line = json!({ "lines": [{ "text": format!("it is {CANARY}") }] });
        say(&server, "w", &task, "logs", line).await;
        let far = json!({ "progress": { "now": CANARY }, "checkpoint": { "at": CANARY } });
        assert_eq!(say(&server, "w", &task, "heartbeat", far).await.status, 200);
        let shown = server.get(&format!("/api/v1/tasks/{}", task["id"].as_str().unwrap())).await;
        assert_eq!(shown.body["holder"]["progress"]["now"], "***", "{}", shown.body);
        said.push(shown.body.to_string());
        said.push(server.get("/api/v1/queues/kind:count_words").await.body.to_string());
        said.push(server.get("/queues/kind:count_words").await.body.to_string());
        let told = match fails {
            true => {
                let error = json!({ "message": format!("no {CANARY}"), "details": CANARY,
                    "retryable": false });
                say(&server, "w", &task, "fail", error).await
            }
            false => {
                let top = json!([{ "word": CANARY, "count": 1 }]);
                let output = json!({ "output": { "words": 1, "top": top } });
                say(&server, "w", &task, "complete", output).await
            }
        };
        assert_eq!(told.status, 204, "{}", told.body);
        for part in ["", "/steps", "/events", "/logs", "/export", "/why"] {
            said.push(server.get(&format!("/api/v1/runs/{run}{part}")).await.body.to_string());
        }
        said.push(server.get(&format!("/runs/{run}")).await.body.to_string());
    }
    for path in ["/api/v1/workers", "/metrics", "/api/v1/audit"] {
        said.push(server.get(path).await.body.to_string());
    }
    for text in &said {
        assert!(!text.contains(CANARY), "{text}");
    }
    assert!(said.iter().any(|text| text.contains("it is ***")), "the line is there, masked");
    let data = &server.house.app.config.store.data;
    for file in std::fs::read_dir(data).unwrap().map(|file| file.unwrap().path()) {
        if file.is_file() {
            let bytes = std::fs::read(&file).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(CANARY), "in {}", file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_its_own_tasks_and_a_key_does_what_its_role_may() {
    let server = with_plugin(|config| config.access.server_api_key = Some(ADMIN.into()));
    let key = async |role: &str, project: &str| {
        let made = server.key(json!({ "name": role, "role": role, "project": project })).await;
        made["key"].as_str().unwrap().to_owned()
    };
    let (boss, worker) = (key("admin", "one").await, key("worker", "one").await);
    let stranger = key("worker", "two").await;
    let ask = async |key: &str, path: &str, body: Value| {
        server.ask_as(key, Method::POST, path, body.to_string()).await
    };
    assert!(
        server.ask_as(&boss, Method::POST, "/api/v1/workflows", COUNT).await.status.is_success()
    );
    let input = json!({ "input": { "text": "a" } });
    let run = ask(&boss, "/api/v1/workflows/count/execute", input).await.body;
    let task = ask(&worker, "/api/v1/tasks/poll", question("w")).await.body["tasks"][0].clone();
    assert_eq!(task["run_id"], run["id"]);
    let mut now = question("w");
    now["wait"] = json!("0s");
    assert_eq!(ask(&stranger, "/api/v1/tasks/poll", now.clone()).await.status, 204);
    let hold = json!({ "worker": "w", "fence": task["fence"] });
    let path = format!("/api/v1/tasks/{}/heartbeat", task["id"].as_str().unwrap());
    assert_eq!(ask(&stranger, &path, hold.clone()).await.problem(), "task-not-found");
    assert_eq!(ask(&worker, &path, hold).await.status, 200);
    let listed = server.get_as(&boss, "/api/v1/workers").await.body;
    assert_eq!(listed["items"][0]["tasks"][0]["step"], "count");
    assert_eq!(server.get_as(ADMIN, "/api/v1/workers").await.body["items"], json!([]));
    // It makes attempts, and nothing else; and nobody else makes them.
    for path in ["/api/v1/workers", "/api/v1/runs", "/api/v1/nodes"] {
        assert_eq!(server.get_as(&worker, path).await.problem(), "forbidden", "{path}");
    }
    let editor = key("editor", "one").await;
    assert_eq!(ask(&editor, "/api/v1/tasks/poll", now).await.problem(), "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_gets_wrong_is_named() {
    let server = server().await;
    let with = |field: &str, value: Value| {
        let mut body = question("w");
        body[field] = value;
        body
    };
    for (body, word) in [
        (with("worker", json!("")), "worker"),
        (with("worker", json!("a\u{7}")), "worker"),
        (with("kinds", json!([])), "kinds"),
        (with("kinds", json!(["count_word"])), "count_words"),
        (with("kinds", json!(["shell"])), "the server itself"),
        (with("max", json!(0)), "max"),
        (with("max", json!(101)), "max"),
        (with("wait", json!("31s")), "wait"),
        (with("lease", json!("2h")), "lease"),
        (with("lease", json!("1ms")), "lease"),
        (with("more", json!(1)), "more"),
    ] {
        let answer = server.post("/api/v1/tasks/poll", body.clone()).await;
        assert_eq!(answer.problem(), "invalid-request", "{body}");
        assert!(answer.body.to_string().contains(word), "{word}: {}", answer.body);
    }
    let unknown = json!({ "id": "00000000-0000-0000-0000-000000000000", "fence": 1 });
    for id in ["nobody", "00000000-0000-0000-0000-000000000000"] {
        let path = format!("/api/v1/tasks/{id}/complete");
        let answer = server.post(&path, json!({ "worker": "w", "fence": 1 })).await;
        assert_eq!(answer.problem(), "task-not-found");
    }
    let many: Vec<Value> = (0..1_001).map(|_| json!({ "text": "x" })).collect();
    for (verb, more) in [
        ("logs", json!({ "lines": many })),
        ("logs", json!({ "lines": [{ "stream": "system", "text": "x" }] })),
        ("fail", json!({ "message": "x", "code": "No Code" })),
        ("fail", json!({ "message": "x".repeat(65 * 1024) })),
        ("fail", json!({})),
        ("complete", json!({ "worker": "" })),
        ("heartbeat", json!({ "fence": -1 })),
    ] {
        let answer = say(&server, "w", &unknown, verb, more.clone()).await;
        assert_eq!(answer.problem(), "invalid-request", "{verb}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_down_waits_for_no_worker() {
    let server = server().await;
    let run = start(&server, "count", json!({ "text": "a" })).await;
    let task = take(&server, "w").await;
    let (poll, engine) =
        (server.post("/api/v1/tasks/poll", question("w")), &server.house.app.engine);
    let down = async {
        server.house.go_down.send_replace(true);
        // Far longer than a test may take.
        engine.shut_down(Duration::from_secs(3_600)).await;
    };
    let (poll, ()) = tokio::join!(poll, down);
    assert_eq!(poll.status, 204);
    // The next one knows who has it.
    let server = server.restarted().await;
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().unwrap());
    let waited = async {
        while server.get(&path).await.body["holder"]["worker"] != "w" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited).await.unwrap();
    assert_eq!(say(&server, "w", &task, "complete", counted()).await.status, 204);
    let run = server.get(&format!("/api/v1/runs/{run}")).await.body;
    assert_eq!(run["status"], "succeeded", "{run}");
}
