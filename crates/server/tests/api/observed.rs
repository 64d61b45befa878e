//! What other programs say of their runs.

use std::io::Write;

use axum::body::Body;
use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::*;

const EVENTS: &str = "/api/v1/events";

/// A flow of two tasks, one of which is tried twice, as its library tells of it.
fn nightly(run: &str) -> Vec<Value> {
    let event = |event: &str, second: u32, more: Value| {
        let mut fields = json!({
            "event": event, "run_id": run, "flow": "nightly", "flow_key": "shop.jobs:nightly",
            "ts": format!("2026-11-22T10:00:{second:02}Z"),
        });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    vec![
        event("flow_started", 0, json!({ "params": { "day": 7 }, "tags": ["etl"] })),
        event("task_started", 1, json!({ "task": "load", "node": "load:1" })),
        event("task_retry", 2, json!({ "task": "load", "node": "load:1", "attempt": 1, "max": 2 })),
        event(
            "task_log",
            3,
            json!({
                "node": "load:1", "level": "WARNING", "message": "slow", "payload": { "s": 3 },
                "event_id": "line-1",
            }),
        ),
        event("task_ok", 4, json!({ "task": "load", "node": "load:1", "result": { "rows": 2 } })),
        event("task_started", 4, json!({ "task": "save", "node": "save:1" })),
        event("task_err", 6, json!({ "task": "save", "node": "save:1", "error": "Boom('no')" })),
        event("flow_completed", 7, json!({ "tasks": 2 })),
    ]
}

pub(crate) async fn report(server: &Server, body: impl Into<Body>) -> Value {
    let answer = server.ask(Method::POST, EVENTS, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

pub(crate) async fn run_of(server: &Server, run: &str) -> Value {
    let mut body = server.get(&format!("/api/v1/runs/{run}")).await.body;
    for own in ["id", "workflow_id", "created_at", "external_id"] {
        body.as_object_mut().unwrap().remove(own);
    }
    body["observed"].as_object_mut().unwrap().remove("seen_at");
    body
}

pub(crate) async fn steps_of(server: &Server, run: &str) -> Vec<Value> {
    let path = format!("/api/v1/runs/{run}/steps");
    server.get(&path).await.body["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_seen_as_any_run_is() {
    let server = Server::new();
    let answer = report(&server, Value::from(nightly("r 1")).to_string()).await;
    assert_eq!(answer, json!({ "ok": true, "accepted": 8, "rejected": [] }));
    let run = run_of(&server, "r%201").await;
    assert_eq!(run["status"], "failed");
    assert_eq!(run["workflow"], "shop.jobs:nightly");
    assert_eq!(run["input"], json!({ "day": 7 }));
    assert_eq!(run["error"]["step"], "save:1");
    assert_eq!(run["started_at"], "2026-11-22T10:00:00.000000Z");
    assert_eq!(run["finished_at"], "2026-11-22T10:00:07.000000Z");
    assert_eq!(run["observed"], json!({ "inferred": false, "tags": ["etl"], "metadata": null }));
    let steps = steps_of(&server, "r%201").await;
    assert_eq!(steps[0]["path"], "load:1");
    assert_eq!((&steps[0]["status"], &steps[0]["attempt"]), (&"succeeded".into(), &2.into()));
    assert_eq!(steps[0]["output"], json!({ "rows": 2 }));
    assert_eq!(steps[0]["input"], json!({ "task": "load" }));
    assert_eq!(steps[1]["error"]["message"], "Boom('no')");
    let lines = server.get("/api/v1/runs/r%201/logs").await.body;
    assert_eq!(lines["items"][0]["text"], "slow {\"s\":3}");
    assert_eq!(lines["items"][0]["level"], "warning");
    let events = server.get("/api/v1/runs/r%201/events").await.body;
    let ended = events["items"].as_array().unwrap().iter().find(|it| it["type"] == "task_ended");
    assert_eq!(ended.unwrap()["path"], "load:1");
    assert_eq!(ended.unwrap()["status"], "succeeded");
    assert_eq!(ended.unwrap()["said_at"], "2026-11-22T10:00:04.000000Z");
    let run = server.get("/api/v1/runs/r%201").await.body;
    let page = server.page(&format!("/runs/{}", run["id"].as_str().unwrap())).await;
    let page = page.body.as_str().unwrap();
    assert!(page.contains("load:1") && page.contains("etl") && !page.contains("Run again"));
    let has_no_graph =
        |page: &str| page.contains("id=\"not-described\"") && !page.contains("id=\"graph\"");
    assert!(has_no_graph(page), "a flow that nobody has described takes no room for a graph");
    let page = server.page("/workflows/shop.jobs%3Anightly").await.body;
    let page = page.as_str().unwrap();
    assert!(page.contains("Another program runs it") && has_no_graph(page));
}

/// Out of order, one by one, each twice and in a batch of its own: the end is the same.
#[tokio::test(flavor = "multi_thread")]
async fn neither_order_nor_repetition_matters() {
    let server = Server::new();
    report(&server, Value::from(nightly("in-order")).to_string()).await;
    let mut other = nightly("other");
    other.reverse();
    for event in &other {
        report(&server, event.to_string()).await;
        report(&server, event.to_string()).await;
    }
    assert_eq!(run_of(&server, "in-order").await, run_of(&server, "other").await);
    let stands = |steps: Vec<Value>| {
        let mut steps: Vec<Value> = steps
            .into_iter()
            .map(|mut step| {
                step["queued_at"].take();
                step
            })
            .collect();
        steps.sort_by_key(|step| step["path"].as_str().unwrap().to_owned());
        steps
    };
    let (a, b) = (steps_of(&server, "in-order").await, steps_of(&server, "other").await);
    assert_eq!(stands(a), stands(b));
    let lines = server.get("/api/v1/runs/other/logs").await.body;
    assert_eq!(lines["items"].as_array().unwrap().len(), 1, "a line with an id is kept once");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_a_body_is_read() {
    let server = Server::new();
    let events = nightly("r");
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(lines.as_bytes()).unwrap();
    let bodies: [(&str, &str, Vec<u8>); 6] = [
        ("application/json", "", Value::from(events.clone()).to_string().into()),
        ("application/json", "", json!({ "events": events }).to_string().into()),
        ("application/x-ndjson", "", lines.clone().into()),
        ("", "", lines.clone().into()),
        ("application/x-ndjson", "gzip", gzip.finish().unwrap()),
        ("application/x-ndjson", "zstd", zstd::encode_all(lines.as_bytes(), 0).unwrap()),
    ];
    for (content_type, encoding, body) in bodies {
        let request = request(Method::POST, "/api/events")
            .header("content-type", content_type)
            .header("content-encoding", encoding);
        let answer = server.send(request.body(body.into()).unwrap()).await;
        assert_eq!(answer.body["accepted"], 8, "{content_type} {encoding}: {}", answer.body);
    }
    assert_eq!(server.get("/api/v1/runs").await.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(report(&server, "").await["accepted"], 0);
    assert_eq!(report(&server, "[]").await["accepted"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_event_costs_only_itself() {
    let server = Server::new();
    let good = nightly("good").remove(0);
    let with = |changes: Value| {
        let mut event = good.clone();
        event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        event.to_string()
    };
    let cases = [
        ("bad-json", "{\"event\": ".to_owned()),
        ("bad-value", "3".to_owned()),
        ("bad-value", "[\"flow_started\",null,null,\"r\",\"f\"]".to_owned()),
        ("unknown-event", with(json!({ "event": "task_exploded" }))),
        ("missing-field", json!({ "event": "flow_started", "flow": "f" }).to_string()),
        ("missing-field", json!({ "run_id": "x", "flow": "f" }).to_string()),
        ("missing-field", with(json!({ "event": "task_started" }))),
        ("missing-field", with(json!({ "event": "task_log" }))),
        ("too-long", with(json!({ "run_id": "r".repeat(1_000_000) }))),
        ("too-long", with(json!({ "flow_key": "f".repeat(201) }))),
        ("bad-value", with(json!({ "run_id": "a\u{0}b" }))),
        ("bad-value", with(json!({ "run_id": " " }))),
        ("bad-value", with(json!({ "ts": "yesterday" }))),
        ("bad-value", with(json!({ "ts": true }))),
        ("time-out-of-range", with(json!({ "ts": "2999-01-01T00:00:00Z" }))),
        ("time-out-of-range", with(json!({ "ts": -5 }))),
        ("time-out-of-range", with(json!({ "ts": 1e300 }))),
        ("bad-value", with(json!({ "tags": [1] }))),
        ("bad-value", with(json!({ "event": "flow_completed", "status": "perhaps" }))),
        ("bad-value", with(json!({ "event": "task_ok", "node": "a:1", "duration_ms": -1 }))),
        ("bad-value", with(json!({ "event": "task_ok", "node": "a:1", "duration_ms": 4e11 }))),
        ("bad-value", with(json!({ "event": "task_ok", "node": "a:1", "duration_ms": "12" }))),
    ];
    let mut body: Vec<u8> = Vec::new();
    for (_, event) in &cases {
        body.extend(event.as_bytes());
        body.push(b'\n');
    }
    body.extend(b"{\"event\": \"flow_\xff\"}\n");
    body.extend(good.to_string().as_bytes());
    let request = request(Method::POST, EVENTS).header("content-type", "application/x-ndjson");
    let answer = server.send(request.body(body.into()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["accepted"]), (200, &1.into()));
    let rejected = answer.body["rejected"].as_array().unwrap();
    let told = rejected[cases.len() - 1]["detail"].as_str().unwrap();
    assert_eq!(told, "`duration_ms`: invalid type: string \"12\", expected a number");
    let codes: Vec<&str> = rejected.iter().map(|it| it["code"].as_str().unwrap()).collect();
    let mut wanted: Vec<&str> = cases.iter().map(|(code, _)| *code).collect();
    wanted.push("bad-json");
    assert_eq!(codes, wanted, "{rejected:#?}");
    let places: Vec<u64> = rejected.iter().map(|it| it["index"].as_u64().unwrap()).collect();
    assert_eq!(places, (0..wanted.len() as u64).collect::<Vec<_>>());
    assert_eq!(run_of(&server, "good").await["status"], "running");
    // What a payload says is its own affair.
    let odd = with(json!({ "run_id": "odd", "params": { "a\u{0}": "\u{0}" } }));
    assert_eq!(report(&server, odd).await["accepted"], 1);
    assert_eq!(run_of(&server, "odd").await["input"], json!({ "a\u{0}": "\u{0}" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_is_refused_whole() {
    let server = Server::new();
    let ask = async |body: Vec<u8>, encoding: &'static str| {
        let request = request(Method::POST, EVENTS).header("content-encoding", encoding);
        server.send(request.body(body.into()).unwrap()).await
    };
    let long =
        json!({ "event": "task_log", "run_id": "r", "flow": "f", "message": "m".repeat(10 << 20) });
    assert_eq!(ask(long.to_string().into(), "").await.problem(), "body-too-large");
    let bomb = vec![b' '; 200 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&bomb).unwrap();
    assert_eq!(ask(gzip.finish().unwrap(), "gzip").await.problem(), "body-too-large");
    let zstd = zstd::encode_all(&*bomb, 0).unwrap();
    assert_eq!(ask(zstd, "zstd").await.problem(), "body-too-large");
    assert_eq!(ask(b"not gzip".to_vec(), "gzip").await.problem(), "bad-parameter");
    assert_eq!(ask(b"{}".to_vec(), "br").await.problem(), "bad-parameter");
    assert_eq!(ask(b"[{},".to_vec(), "").await.problem(), "bad-json");
    assert_eq!(ask(b"nonsense".to_vec(), "").await.problem(), "bad-json");
    let many = format!("[{}{{}}]", "{},".repeat(20_000));
    assert_eq!(ask(many.into(), "").await.problem(), "body-too-large");
    let spans = vec![json!({}); 20_001];
    let spans = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    assert_eq!(server.post("/v1/traces", spans).await.problem(), "body-too-large");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"[]").unwrap();
    assert_eq!(
        ask(gzip.finish().unwrap(), "GZIP").await.status,
        200,
        "words of headers have no case"
    );
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"{\"flow_key\": \"packed\"}").unwrap();
    let described = request(Method::POST, "/api/v1/flows").header("content-encoding", "gzip");
    let described = described.body(gzip.finish().unwrap().into()).unwrap();
    assert_eq!(server.send(described).await.status, 201, "a description may be packed, too");
    assert_eq!(ask(b"\"text\"".to_vec(), "").await.problem(), "invalid-request");
    assert_eq!(ask(b"{\"events\": 3}".to_vec(), "").await.problem(), "invalid-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_speak_of_the_same_at_first_speak_of_one() {
    let server = Server::new();
    let sent = (0..40).map(|number| {
        let event = json!({
            "event": "task_started", "run_id": format!("r{}", number % 4), "flow": "crowd",
            "node": format!("n:{number}"),
        });
        report_once(&server, event)
    });
    for answer in join_all(sent).await {
        assert_eq!(answer["accepted"], 1, "{answer}");
    }
    let runs = server.get("/api/v1/runs").await.body;
    assert_eq!(runs["items"].as_array().unwrap().len(), 4);
    for run in runs["items"].as_array().unwrap() {
        assert_eq!(run["steps_total"], 10, "{run}");
    }
    assert_eq!(server.get("/api/v1/flows").await.body["items"].as_array().unwrap().len(), 1);
}

async fn report_once(server: &Server, event: Value) -> Value {
    report(server, event.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_outlives_the_server() {
    let server = Server::new();
    let mut events = nightly("kept");
    let last = events.split_off(5);
    report(&server, Value::from(events).to_string()).await;
    let server = server.restarted().await;
    assert_eq!(run_of(&server, "kept").await["status"], "running");
    // The rest need not say again which flow it is.
    let mut last = last;
    for event in &mut last {
        event.as_object_mut().unwrap().retain(|name, _| !name.starts_with("flow"));
    }
    let answer = report(&server, Value::from(last).to_string()).await;
    assert_eq!(answer["accepted"], 3, "{answer}");
    assert_eq!(run_of(&server, "kept").await["status"], "failed");
}

/// Lists show many runs, so of a long one only the ends are looked at.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_long_run_was_given_and_has_come_to_is_found_at_its_ends() {
    let server = Server::new();
    let event = |name: &str, more: Value| {
        let mut event = json!({ "event": name, "run_id": "long", "flow": "long" });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let mut events = vec![event("flow_started", json!({ "params": { "day": 7 }, "tags": ["x"] }))];
    for task in 0..400 {
        let node = json!({ "node": format!("t:{task}"), "ts": "2026-11-22T10:00:00Z" });
        events.push(event("task_started", node.clone()));
        events.push(event("task_ok", node));
    }
    events.push(event("flow_completed", json!({ "status": "SUCCEEDED", "result": [1, 2] })));
    assert_eq!(report(&server, Value::from(events).to_string()).await["accepted"], 802);
    let run = server.get("/api/v1/runs").await.body["items"][0].clone();
    assert_eq!((&run["status"], &run["steps_total"]), (&"succeeded".into(), &400.into()));
    assert_eq!((&run["input"], &run["output"]), (&json!({ "day": 7 }), &json!([1, 2])));
    assert_eq!(run["observed"]["tags"], json!(["x"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_here_drives_another_program_s_run() {
    let server = Server::new();
    report(&server, nightly("r")[0].to_string()).await;
    for act in ["cancel", "terminate", "pause", "resume", "rerun"] {
        let answer = server.post(&format!("/api/v1/runs/r/{act}"), json!({})).await;
        assert_eq!(answer.problem(), "only-watched", "{act}: {}", answer.body);
    }
    let execute = "/api/v1/workflows/shop.jobs%3Anightly/execute";
    assert_eq!(server.post(execute, json!({})).await.problem(), "only-watched");
    // And nobody elsewhere speaks of what is driven here.
    server.deploy(ADD).await;
    let mut of_ours = nightly("s")[0].clone();
    of_ours["flow_key"] = "add".into();
    let answer = report(&server, of_ours.to_string()).await;
    assert_eq!(answer["rejected"][0]["code"], "not-a-flow", "{answer}");
    assert_eq!(answer["ok"], false);
    let body = json!({ "input": { "n": 1 }, "external_id": "ours" });
    let answer = server.post("/api/v1/workflows/add/execute", body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let id = answer.body["id"].as_str().unwrap().to_owned();
    for name in ["ours", &id] {
        let answer = report(&server, nightly(name)[0].to_string()).await;
        assert_eq!(answer["rejected"][0]["code"], "not-watched", "{answer}");
        let flowless = json!({ "event": "task_ok", "run_id": name, "task": "x" });
        let answer = report(&server, flowless.to_string()).await;
        assert_eq!(answer["rejected"][0]["code"], "not-watched", "{answer}");
    }
    // The id that an observed run has here is as good a name as its own.
    let seen = server.get("/api/v1/runs/r").await.body["id"].as_str().unwrap().to_owned();
    report(&server, nightly(&seen)[7].to_string()).await;
    assert_eq!(server.get("/api/v1/runs/r").await.body["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_is_open_where_no_key_is_needed() {
    let server = Server::new();
    for door in ["/api/v1/events", "/api/events", "/api/v1/lineage", "/v1/traces"] {
        let body = if door == "/v1/traces" { json!({ "resourceSpans": [] }) } else { json!([]) };
        let answer = server.post(door, body).await;
        assert_eq!(answer.status, 200, "{door}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_a_time_counts_once_by_its_id() {
    let server = Server::new();
    let word = |event: &str, id: &str| {
        let (run, flow, node) = ("r", "f", "a:1");
        json!({ "event": event, "run_id": run, "flow": flow, "node": node, "event_id": id })
            .to_string()
    };
    for (event, id) in [("task_started", "1"), ("task_ok", "2"), ("task_started", "1")] {
        assert_eq!(report(&server, word(event, id)).await["accepted"], 1);
    }
    assert_eq!(steps_of(&server, "r").await[0]["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_began_when_it_began_however_late_that_is_said() {
    let server = Server::new();
    let mut events = nightly("r");
    events.reverse();
    for event in events {
        report(&server, event.to_string()).await;
    }
    for step in steps_of(&server, "r").await {
        assert_eq!(step["queued_at"], step["started_at"], "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_accepted_can_be_read_again() {
    let server = Server::new();
    let ended = |node: &str, ts: Value, millis: f64| {
        let (event, run, flow) = ("task_ok", "far", "f");
        json!({ "event": event, "run_id": run, "flow": flow, "node": node, "ts": ts,
                "duration_ms": millis })
    };
    let ten_years = 10.0 * 365.0 * 86_400_000.0;
    let events = [
        ended("a", json!("2026-11-22T10:00:00Z"), ten_years),
        ended("b", json!(0), ten_years),
        ended("c", json!(0.000_001), 1e-9),
        json!({ "event": "task_err", "run_id": "far", "node": "d", "ts": 1, "error": null }),
        json!({ "event": "task_started", "run_id": "far", "node": "e", "attempt": u32::MAX }),
        json!({ "event": "task_retry", "run_id": "far", "node": "f", "attempt": u32::MAX }),
        json!({ "event": "task_started", "run_id": "far", "node": "g", "priority": i64::MIN }),
    ];
    let answer = report(&server, Value::from(events.to_vec()).to_string()).await;
    assert_eq!(answer["rejected"], json!([]));
    let span = |id: &str, parent: &str, begin: &str| {
        json!({ "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": id, "name": "s",
                "parentSpanId": parent, "startTimeUnixNano": begin,
                "endTimeUnixNano": "1763805600000000000" })
    };
    let spans =
        [span("b7ad6b7169203331", "", "1"), span("00f067aa0ba902b7", "b7ad6b7169203331", "0")];
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    assert_eq!(server.post("/v1/traces", body).await.status, 200);
    let server = server.restarted().await;
    for run in ["far", "0af7651916cd43dd8448eb211c80319c"] {
        for part in ["", "/steps", "/events", "/tasks", "/why", "/export"] {
            let answer = server.get(&format!("/api/v1/runs/{run}{part}")).await;
            assert_eq!(answer.status, 200, "{run}{part}: {}", answer.body);
        }
        assert_eq!(server.page(&format!("/runs/{run}")).await.status, 200);
    }
    assert_eq!(server.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_why_an_attempt_has_failed_and_where() {
    let server = Server::new();
    let mut events = nightly("r");
    let trace = format!("Traceback\n{}  File \"a.py\", line 7, in load", "  a\n".repeat(9_000));
    events[2]["error"] = json!({ "type": "OSError", "message": "not yet", "traceback": trace });
    events[6]["error"] = json!({ "message": "Boom('no')", "stackTrace": "at save:3" });
    report(&server, Value::from(events).to_string()).await;
    let items = server.get("/api/v1/runs/r/events").await.body["items"].clone();
    let retried = items.as_array().unwrap().iter().find(|it| it["type"] == "task_retried").unwrap();
    assert_eq!(retried["error"]["message"], "not yet");
    let kept = retried["error"]["details"]["traceback"].as_str().unwrap();
    assert!(kept.starts_with("…\n  a\n") && kept.ends_with("line 7, in load"), "{kept}");
    assert!(kept.len() <= 16 * 1024 + 8, "the end is what people look at first");
    let steps = steps_of(&server, "r").await;
    assert_eq!(steps[1]["error"]["details"], json!({ "traceback": "at save:3" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_since_when_an_attempt_goes_on() {
    let server = Server::new();
    let mut events = nightly("r");
    events.truncate(3);
    let mut again = events[1].clone();
    (again["ts"], again["attempt"]) = ("2026-11-22T10:00:09Z".into(), 2.into());
    events.push(again);
    report(&server, Value::from(events).to_string()).await;
    let why = server.get("/api/v1/runs/r/why").await.body;
    let because = why["steps"][0].to_string();
    assert!(because.contains("attempt 2") && because.contains("10:00:09"), "{why}");
}

/// Nobody has described the flow: its program says the words with each run.
#[tokio::test(flavor = "multi_thread")]
async fn tags_of_its_newest_run_find_a_flow() {
    let server = Server::new();
    let started = |flow: &str, run: &str, tags: &[&str]| json!({ "event": "flow_started", "flow": flow, "run_id": run, "tags": tags });
    for (flow, run, tags) in [
        ("loads", "1", &["old"][..]),
        ("loads", "2", &["etl", "nightly"]),
        ("sells", "3", &["shop"]),
    ] {
        report(&server, started(flow, run, tags).to_string()).await;
    }
    let described = json!({ "flow_key": "loads", "tags": ["owned"] });
    assert_eq!(server.post("/api/v1/flows", described).await.status, 201);
    let listed = server.get("/api/v1/flows").await.body;
    assert_eq!(listed["items"][0]["tags"], json!(["etl", "nightly", "owned"]));
    assert_eq!(listed["items"][0]["last_run"]["run_id"], "2");
    assert_eq!(listed["items"][1]["tags"], json!(["shop"]));
    let one = server.get("/api/v1/flows/loads").await.body;
    assert_eq!(one["tags"], json!(["etl", "nightly", "owned"]));
    for (query, is_loads_shown, is_sells_shown) in [
        ("", true, true),
        ("tag=etl", true, false),
        ("q=ETL", true, false),
        ("q=shop&origin=elsewhere", false, true),
        ("tag=old", false, false),
        ("tag=etl&origin=here", false, false),
    ] {
        let page = server.page(&format!("/flows?{query}")).await.body;
        let page = page.as_str().unwrap();
        let shown = |name: &str| page.contains(&format!("&#x2f;workflows&#x2f;{name}\""));
        assert_eq!((shown("loads"), shown("sells")), (is_loads_shown, is_sells_shown), "{query}");
    }
    let page = server.page("/workflows/loads").await.body;
    assert!(page.as_str().unwrap().contains("/flows?tag=etl"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_knows_flows_before_and_after_their_first_run() {
    let server = Server::new();
    let described = json!({
        "flow_key": "shop/jobs:nightly", "flow": "nightly", "owner": "data", "tags": ["etl"],
        "description": "Loads the day.", "count": 2, "dynamic_count": 1,
        "nodes": [
            { "id": "load:1", "task": "load", "upstream": [], "retries": 2 },
            { "id": "save:1", "task": "save", "upstream": ["load:1", "fanout:1"] },
        ],
        "dynamic_fanouts": [
            { "id": "fanout:1", "type": "dynamic_fanout", "task": "sq", "source": "load:1",
              "consumers": ["save:1"] },
        ],
    });
    let made = server.post("/api/v1/flows", described.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(server.post("/api/v1/flows", described).await.status, 200);
    let place = made.header("location").to_owned();
    let flow = server.get(&place).await.body;
    assert_eq!((&flow["name"], &flow["owner"]), (&"nightly".into(), &"data".into()));
    assert_eq!(flow["nodes"][0]["retries"], 2);
    assert_eq!(flow["last_run"], Value::Null);
    let mut events = nightly("r");
    for event in &mut events {
        event["flow_key"] = "shop/jobs:nightly".into();
    }
    report(&server, Value::from(events).to_string()).await;
    let flow = server.get(&place).await.body;
    assert_eq!(flow["runs"][0]["status"], "failed");
    assert_eq!(flow["runs"][0]["run_id"], "r");
    assert_eq!(flow["version"], 1, "an event changes no description");
    let listed = server.get("/api/v1/flows").await.body;
    assert_eq!(listed["items"][0]["last_run"]["tasks_by_status"]["failed"], 1);
    let page = server.page("/workflows/shop%2Fjobs%3Anightly").await.body;
    let page = page.as_str().unwrap();
    assert!(page.contains("<svg") && page.contains("fanout:1"), "its graph is drawn");
    for (wrong, code) in [
        (json!({ "name": "x" }), "invalid-definition"),
        (json!({ "flow_key": 3 }), "invalid-definition"),
        (json!([]), "invalid-definition"),
        (json!({ "flow_key": "" }), "invalid-definition"),
        (json!({ "flow_key": "x", "nodes": [{ "task": "no id" }] }), "invalid-definition"),
        (json!({ "flow_key": "x", "colour": "red" }), "invalid-definition"),
    ] {
        let answer = server.post("/api/v1/flows", wrong.clone()).await;
        assert_eq!(answer.problem(), code, "{wrong}");
    }
    assert_eq!(server.get("/api/v1/flows/nobody").await.problem(), "workflow-not-found");
    server.deploy(ADD).await;
    assert_eq!(server.get("/api/v1/flows/add").await.problem(), "workflow-not-found");
    let taken = server.post("/api/v1/flows", json!({ "flow_key": "add" })).await;
    assert_eq!(taken.body["errors"][0]["code"], "other-sort", "{}", taken.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_reporting_reports_and_nothing_else() {
    let server = Server::closed();
    let ingest = server.key(json!({ "name": "flows", "role": "ingest" })).await;
    let viewer = server.key(json!({ "name": "eyes", "role": "viewer" })).await;
    let (ingest, viewer) = (ingest["key"].as_str().unwrap(), viewer["key"].as_str().unwrap());
    let event = nightly("r")[0].to_string();
    let send = async |key: &str| server.ask_as(key, Method::POST, EVENTS, event.clone()).await;
    assert_eq!(send("wl_wrong").await.problem(), "unauthenticated");
    assert_eq!(send(viewer).await.problem(), "forbidden");
    assert_eq!(send(ingest).await.body["accepted"], 1);
    assert_eq!(server.get_as(ingest, "/api/v1/runs").await.problem(), "forbidden");
    assert_eq!(server.get_as(viewer, "/api/v1/runs/r").await.status, 200);
}
