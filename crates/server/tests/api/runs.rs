use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::*;

fn names(list: &Answer) -> Vec<String> {
    let items = list.body["items"].as_array().unwrap();
    items.iter().map(|item| item["workflow"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_filtered_and_paged() {
    let server = Server::new();
    server.deploy(ADD).await;
    server.deploy(WAIT).await;
    server.deploy("name: bad\nnodes:\n  - {id: f, type: fail, config: {message: no way}}\n").await;
    server.run("add", json!({ "n": 1 })).await;
    server.run("bad", json!({})).await;
    let body = json!({ "labels": { "team": "a", "tier": "1" } });
    server.post("/api/v1/workflows/wait/execute", body).await;
    let list = async |query: &str| server.get(&format!("/api/v1/runs?{query}")).await;
    assert_eq!(names(&list("").await), ["wait", "bad", "add"]);
    assert_eq!(names(&list("status=failed").await), ["bad"]);
    assert_eq!(names(&list("status=failed,succeeded").await), ["bad", "add"]);
    assert_eq!(names(&list("workflow=add").await), ["add"]);
    assert_eq!(names(&list("workflow=unknown").await), Vec::<String>::new());
    assert_eq!(names(&list("label=team%3Da,tier%3D1").await), ["wait"]);
    assert_eq!(names(&list("label=team%3Db").await), Vec::<String>::new());
    assert_eq!(names(&list("text=NO%20WAY").await), ["bad"]);
    assert_eq!(names(&list("created_before=2020-01-01T00:00:00Z").await), Vec::<String>::new());
    assert_eq!(names(&list("created_after=2020-01-01T00:00:00Z").await).len(), 3);
    let page = list("limit=2&status=").await;
    assert_eq!(names(&page), ["wait", "bad"]);
    let link = page.header("link").to_owned();
    assert!(link.ends_with("rel=\"next\""), "{link}");
    let next = link.trim_start_matches('<').split('>').next().unwrap();
    assert!(next.contains("limit=2"));
    let page = server.get(next).await;
    assert_eq!((names(&page), &page.body["next_cursor"]), (vec!["add".to_owned()], &json!(null)));
    for query in [
        "status=done",
        "label=x",
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=!",
        "created_after=now",
    ] {
        let answer = list(query).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem().as_str()),
            (400, "bad-parameter"),
            "{query}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_id_that_pages_show_finds_its_run() {
    let server = Server::new();
    server.deploy(ADD).await;
    let run = server.run("add", json!({ "n": 1 })).await;
    let id = run["id"].as_str().unwrap();
    let (_, end) = id.rsplit_once('-').unwrap();
    for path in ["", "/steps", "/events", "/logs", "/usage"] {
        let answer = server.get(&format!("/api/v1/runs/{end}{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    assert_eq!(server.get(&format!("/api/v1/runs/{end}")).await.body["id"], id);
    assert_eq!(server.page(&format!("/runs/{end}")).await.status, 200);
    let again = server.post(&format!("/api/v1/runs/{end}/rerun"), json!({})).await;
    assert_eq!(again.body["rerun_of"], id, "{}", again.body);
    for other in [&end[1..], "000000000000", &id[id.len() - 13..]] {
        let answer = server.get(&format!("/api/v1/runs/{other}")).await;
        assert_eq!(answer.problem(), "run-not-found", "{other}");
    }
    let body = json!({ "external_id": end, "input": { "n": 2 } });
    let called = server.post("/api/v1/workflows/add/execute", body).await.body;
    let found = server.get(&format!("/api/v1/runs/{end}")).await.body;
    assert_eq!(found["id"], called["id"], "what a caller calls a run comes first");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_events_and_lines_tell_the_story() {
    let server = Server::new();
    let text = "name: story\nnodes:\n  - id: try\n    type: shell\n    retry: {max_attempts: 3, \
                delay: 10ms, jitter: 0}\n    config:\n      script: |\n        echo attempt \
                $WINDLASS_ATTEMPT\n        test $WINDLASS_ATTEMPT -gt 1 || exit 3\n        echo \
                '{\"ok\": true}' > $WINDLASS_OUTPUT\n  - {id: after, type: transform, needs: [try], \
                config: {output: '{{ try.output.result.ok }}'}}\n  - {id: never, type: noop, \
                needs: [after], when: 'not after.output'}\n";
    server.deploy(text).await;
    let run = server.run("story", json!({})).await;
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    let steps = server.get(&format!("{path}/steps")).await;
    insta::assert_snapshot!("steps", redacted(&steps.body));
    let events = server.get(&format!("{path}/events?limit=1000")).await;
    insta::assert_snapshot!("events", without_times(&events.body));
    let lines = server.get(&format!("{path}/logs")).await;
    insta::assert_snapshot!("lines", redacted(&lines.body));
    let later = server.get(&format!("{path}/logs?after=1&path=try")).await;
    assert_eq!(later.body["items"][0]["text"], "attempt 2");
    // Page by page, it is the same story.
    let (mut paged, mut next) = (Vec::new(), format!("{path}/events?limit=2"));
    loop {
        let page = server.get(&next).await;
        paged.extend(page.body["items"].as_array().unwrap().clone());
        match page.body["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}/events?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(Value::from(paged), events.body["items"]);
    for part in ["steps", "events", "logs", "stream"] {
        let answer = server.get(&format!("/api/v1/runs/nobody/{part}")).await;
        assert_eq!(answer.problem(), "run-not-found", "{part}");
    }
}

/// Times inside of events, too. That an attempt has started is left out of the journal when its end
/// is in the same batch, and which it is depends on the disk.
fn without_times(events: &Value) -> String {
    let mut events = events.clone();
    let items = events["items"].as_array_mut().unwrap();
    items.retain(|event| event["type"] != "attempt_started");
    for (event, seq) in items.iter_mut().zip(1..) {
        event["seq"] = seq.into();
        for field in ["retry_at", "started_at"] {
            if event.get(field).is_some() {
                event[field] = "[time]".into();
            }
        }
    }
    redacted(&events)
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_whose_turn_has_not_come_are_listed_last() {
    let server = Server::new();
    let text = "name: queue\nnodes:\n  - {id: last, type: noop, needs: [nap]}\n  - {id: nap, type: \
                delay, needs: [first], config: {duration: 1h}}\n  - {id: first, type: noop}\n";
    server.deploy(text).await;
    let request =
        request(Method::POST, "/api/v1/workflows/queue/execute").header("prefer", "wait=1");
    let run = server.send(request.body("".into()).unwrap()).await.body;
    assert_eq!(run["steps_by_status"], json!({ "succeeded": 1, "waiting": 1, "pending": 1 }));
    let path = format!("/api/v1/runs/{}/steps", run["id"].as_str().unwrap());
    let mut seen = Vec::new();
    let mut next = format!("{path}?limit=1");
    loop {
        let page = server.get(&next).await;
        for step in page.body["items"].as_array().unwrap() {
            seen.push((step["node"].clone(), step["status"].clone(), step["attempt"].clone()));
        }
        match page.body["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}?limit=1&cursor={cursor}"),
            None => break,
        }
    }
    let row = |node: &str, status: &str, attempt: u32| (json!(node), json!(status), json!(attempt));
    assert_eq!(
        seen,
        [row("first", "succeeded", 1), row("nap", "waiting", 1), row("last", "pending", 0)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_once() {
    let server = Server::new();
    server.deploy(WAIT).await;
    let run = server.post("/api/v1/workflows/wait/execute", json!({})).await.body;
    let path = format!("/api/v1/runs/{}/cancel", run["id"].as_str().unwrap());
    let request = request(Method::POST, &path).header("prefer", "wait=10");
    let body = json!({ "reason": "not needed" }).to_string();
    let answer = server.send(request.body(body.into()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &json!("cancelled")));
    assert_eq!(answer.body["reason"], "not needed");
    let again = server.post(&path, json!({})).await;
    assert_eq!((again.status.as_u16(), again.problem().as_str()), (409, "wrong-state"));
    let unknown = server.post("/api/v1/runs/nobody/cancel", json!({})).await;
    assert_eq!(unknown.problem(), "run-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rerun_is_a_new_run() {
    let server = Server::new();
    server.deploy(ADD).await;
    let run = server.run("add", json!({ "n": 1 })).await;
    server.deploy(&ADD.replace("+ 1", "+ 10")).await;
    let path = format!("/api/v1/runs/{}/rerun", run["id"].as_str().unwrap());
    let rerun = async |body: Value| {
        let request = request(Method::POST, &path).header("prefer", "wait=10");
        server.send(request.body(body.to_string().into()).unwrap()).await
    };
    let same = rerun(json!({})).await.body;
    assert_eq!((&same["version"], &same["output"]), (&json!(1), &json!(2)));
    assert_eq!(same["rerun_of"], run["id"]);
    let newest = rerun(json!({ "newest": true, "input": { "n": 5 } })).await.body;
    assert_eq!((&newest["version"], &newest["output"]), (&json!(2), &json!(15)));
    assert_eq!(rerun(json!({ "input": {} })).await.problem(), "invalid-input");
    assert_eq!(rerun(json!({ "inputs": {} })).await.problem(), "invalid-request");
}

const GUARDED: &str = "
name: guarded
nodes:
  - id: guard
    type: try
    config:
      body: { nodes: [{ id: nap, type: delay, config: { duration: 1h } }] }
      finally: { nodes: [{ id: clean, type: delay, config: { duration: 1h } }] }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_cleans_up_and_a_terminated_one_does_not() {
    let server = Server::new();
    server.deploy(GUARDED).await;
    let run = server.post("/api/v1/workflows/guarded/execute", json!({})).await.body;
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    let cancelled = server.post(&format!("{path}/cancel"), json!({ "reason": "enough" })).await;
    assert_eq!(cancelled.status, 202, "{}", cancelled.body);
    let again = server.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!(again.problem(), "wrong-state");
    let steps = server.get(&format!("{path}/steps")).await.body;
    let clean = steps["items"].as_array().unwrap().iter().find(|step| step["node"] == "clean");
    assert_eq!(clean.unwrap()["status"], "waiting", "{steps}");
    let ended = server.post(&format!("{path}/terminate"), json!({ "reason": "now" })).await;
    assert_eq!(ended.status, 202, "{}", ended.body);
    let run = server.get(&path).await.body;
    assert_eq!((&run["status"], &run["reason"]), (&json!("cancelled"), &json!("now")));
    let over = server.post(&format!("{path}/terminate"), json!({})).await;
    assert_eq!((over.status.as_u16(), over.problem().as_str()), (409, "wrong-state"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_settled_by_hand_and_the_run_goes_on() {
    let server = Server::new();
    server
        .deploy(
            "name: hands\nnodes:\n  - {id: nap, type: delay, config: {duration: 1h}}\n  - {id: other, \
             type: delay, config: {duration: 1h}}\n  - {id: after, type: transform, needs: [nap], \
             config: {output: '{{ nap.output.n + 1 }}'}}\noutput: '{{ after.output }}'\n",
        )
        .await;
    let run = server.post("/api/v1/workflows/hands/execute", json!({})).await.body;
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    let mark =
        async |step: &str, body| server.post(&format!("{path}/steps/{step}/mark"), body).await;
    let answer =
        mark("nap", json!({ "status": "succeeded", "output": { "n": 4 }, "reason": "seen" })).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let twice = mark("nap", json!({ "status": "skipped" })).await;
    assert_eq!((twice.status.as_u16(), twice.problem().as_str()), (409, "wrong-state"));
    let unknown = mark("npa", json!({ "status": "skipped" })).await;
    assert_eq!((unknown.status.as_u16(), unknown.problem().as_str()), (404, "step-not-found"));
    let odd = mark("other", json!({ "status": "done" })).await;
    assert_eq!((odd.status.as_u16(), odd.problem().as_str()), (422, "invalid-request"));
    assert_eq!(mark("other", json!({ "status": "skipped" })).await.status, 202);
    let run = server.get(&path).await.body;
    assert_eq!((&run["status"], &run["output"]), (&json!("succeeded"), &json!(5)));
    let steps = server.get(&format!("{path}/steps")).await.body;
    assert_eq!(steps["items"][0]["reason"], "marked", "{steps}");
    let events = server.get(&format!("{path}/events")).await.body;
    let marked =
        events["items"].as_array().unwrap().iter().find(|one| one["type"] == "step_marked");
    assert_eq!(
        (&marked.unwrap()["by"], &marked.unwrap()["reason"]),
        (&json!("local"), &json!("seen"))
    );
}
