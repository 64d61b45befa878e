//! A run as one file, and as it was at every event.

use axum::http::Method;
use serde_json::{Value, json};
use windlass_server::run_file::RunFile;

use crate::harness::*;

/// Fails once, repeats, opens items, and leaves a node out.
const STORY: &str = "name: story\ndescription: What happened.\nnodes:\n  - id: try\n    type: \
    shell\n    retry: {max_attempts: 3, delay: 10ms, jitter: 0}\n    config:\n      script: |\n        echo attempt $WINDLASS_ATTEMPT\n        test \
    $WINDLASS_ATTEMPT -gt 1 || exit 3\n  - id: each\n    type: map\n    needs: [try]\n    config: \
    {items: [1, 2, 3], body: {nodes: [{id: say, type: noop, config: {output: '{{ item }}'}}]}}\n  \
    - {id: never, type: noop, needs: [each], when: 'len(each.output) > 3'}\noutput: '{{ \
    each.output }}'\n";

async fn story() -> (Server, String) {
    let server = Server::new();
    // A second version, so that its number is one that a fresh store would not give.
    server.deploy("name: story\nnodes: [{id: a, type: noop}]\n").await;
    server.deploy(STORY).await;
    let run = server.run("story", json!({ "word": "<b>" })).await;
    (server, run["id"].as_str().unwrap().to_owned())
}

async fn exported(server: &Server, run: &str) -> Answer {
    let answer = server.get(&format!("/api/v1/runs/{run}/export")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

fn opened(file: &Value) -> Server {
    let file = RunFile::parse(file.to_string().as_bytes()).unwrap();
    Server::of_file(file.into_store().unwrap().0)
}

/// A page, from the run's head on.
async fn page(server: &Server, path: &str) -> String {
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let html = answer.body.as_str().unwrap();
    let html = &html[html.find("<div id=\"head\">").unwrap()..];
    // Links to steps lead to the page they are on, so they name the event if its address does.
    let mut parts = html.split("?at=");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |html, part| match part.split_once("&amp;step=") {
        Some((at, rest)) if at.bytes().all(|byte| byte.is_ascii_digit()) => html + "?step=" + rest,
        _ => html + "?at=" + part,
    })
}

fn graph(page: &str) -> &str {
    let from = page.find("<svg class=\"graph\"").unwrap();
    &page[from..from + page[from..].find("</svg>").unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_all_that_is_known_of_a_run() {
    let (server, run) = story().await;
    let answer = exported(&server, &run).await;
    assert_eq!(answer.header("content-type"), "application/vnd.windlass.run+json");
    let disposition = format!("attachment; filename=\"{run}.wfrun\"");
    assert_eq!(answer.header("content-disposition"), disposition);
    let file = &answer.body;
    assert_eq!((&file["format"], &file["format_version"]), (&"windlass.run".into(), &1.into()));
    assert_eq!(file["definition"]["source"], STORY);
    // The file says of itself what the rows of the store say, although it is made from the journal.
    assert_eq!(file["run"], server.get(&format!("/api/v1/runs/{run}")).await.body);
    let steps = server.get(&format!("/api/v1/runs/{run}/steps?limit=1000")).await.body;
    assert_eq!(file["steps"], steps["items"]);
    let lines = server.get(&format!("/api/v1/runs/{run}/logs?limit=1000")).await.body;
    assert_eq!(file["logs"], lines["items"]);
    assert_eq!(lines["items"].as_array().unwrap().len(), 2, "{lines}");
    let events = server.get(&format!("/api/v1/runs/{run}/events?limit=1000")).await.body;
    assert_eq!(file["events"].as_array().unwrap().len(), events["items"].as_array().unwrap().len());
    let missing = server.get("/api/v1/runs/nobody/export").await;
    assert_eq!(missing.problem(), "run-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_shows_the_same_page_elsewhere_and_changes_nothing() {
    let (server, run) = story().await;
    let file = exported(&server, &run).await.body;
    let copy = opened(&file);
    let last = file["events"].as_array().unwrap().len();
    for at in [1, last / 2, last] {
        let path = format!("/runs/{run}?at={at}");
        assert_eq!(page(&copy, &path).await, page(&server, &path).await, "{path}");
    }
    // It needs no event to be named, and its neighbours lead somewhere.
    let path = format!("/runs/{run}");
    let shown = page(&copy, &path).await;
    assert_eq!(shown, page(&copy, &format!("{path}?at={last}")).await);
    assert!(shown.contains("attempt 1") && shown.contains("/workflows/story"), "{shown}");
    let workflow = copy.get("/api/v1/workflows/story").await;
    assert_eq!((&workflow.body["version"], workflow.status.as_u16()), (&2.into(), 200));
    for (method, path) in [
        (Method::POST, format!("/api/v1/runs/{run}/rerun")),
        (Method::POST, "/api/v1/workflows/story/execute".to_owned()),
        (Method::DELETE, "/api/v1/workflows/story".to_owned()),
    ] {
        assert_eq!(copy.ask(method, &path, "{}").await.problem(), "forbidden", "{path}");
    }
    // What was taken out can be taken out again.
    let again = exported(&copy, &run).await.body;
    for field in ["definition", "run", "steps", "events", "logs"] {
        assert_eq!(again[field], file[field], "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_is_a_file_too_and_goes_on_no_further_there() {
    let server = Server::new();
    server.deploy(WAIT).await;
    let run = server.post("/api/v1/workflows/wait/execute", json!({})).await.body;
    let run = run["id"].as_str().unwrap();
    let until = async || server.get(&format!("/api/v1/runs/{run}")).await.body["status"].clone();
    while until().await != "waiting" {
        tokio::task::yield_now().await;
    }
    let copy = opened(&exported(&server, run).await.body);
    let shown = page(&copy, &format!("/runs/{run}")).await;
    assert!(shown.contains("is-waiting") && !shown.contains("data-live"), "{shown}");
    let before = copy.get(&format!("/api/v1/runs/{run}/events")).await.body;
    assert_eq!(copy.get(&format!("/api/v1/runs/{run}/why")).await.status, 200);
    assert_eq!(copy.get(&format!("/api/v1/runs/{run}/events")).await.body, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_seen_as_it_was_at_every_event() {
    let (server, run) = story().await;
    let events = server.get(&format!("/api/v1/runs/{run}/events?limit=1000")).await.body;
    let events = events["items"].as_array().unwrap();
    let mut ends = 0;
    for (at, event) in (1..).zip(events) {
        let answer = server.get(&format!("/runs/{run}?at={at}")).await;
        let html = answer.body.as_str().unwrap();
        let name = event["type"].as_str().unwrap();
        assert!(html.contains(&format!("Event {at} of {}: <strong>{name}", events.len())));
        let link = |rel: &str, to: i32| format!("rel=\"{rel}\" href=\"/runs/{run}?at={to}\"");
        assert_eq!(html.contains(&link("prev", at - 1)), at > 1);
        assert_eq!(html.contains(&link("next", at + 1)), at < events.len() as i32);
        assert!(!html.contains("action=\"/runs/"), "what was cannot be changed");
        // Each step stands as it did then, and not before.
        let ended = |html: &str| {
            html.matches("<li id=\"step-").count() >= 1
                && html.contains("class=\"step is-succeeded\"")
        };
        if name == "step_succeeded" && ends == 0 {
            let before = server.get(&format!("/runs/{run}?at={}", at - 1)).await.body;
            assert!(ended(html) && !ended(before.as_str().unwrap()), "{at}");
            ends += 1;
        }
    }
    assert_eq!(ends, 1);
    // The first try's line is there from its failure on, the second one's not yet.
    let failed = events.iter().find(|event| event["type"] == "attempt_failed").unwrap();
    let shown = page(&server, &format!("/runs/{run}?at={}", failed["seq"])).await;
    assert!(shown.contains("attempt 1<") && !shown.contains("attempt 2<"), "{shown}");
    // The last event is the run as it is now, in the same picture.
    let now = page(&server, &format!("/runs/{run}")).await;
    let end = page(&server, &format!("/runs/{run}?at={}", events.len())).await;
    assert_eq!(graph(&now), graph(&end));
    for at in ["0", "1000", "x", "-1"] {
        let answer = server.get(&format!("/runs/{run}?at={at}")).await;
        assert_eq!(answer.status, 400, "{at}: {}", answer.body);
    }
    let whole = server.get(&format!("/runs/{run}")).await;
    assert!(whole.body.as_str().unwrap().contains(&format!("href=\"/runs/{run}?at=1\"")));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_none_are_refused_in_words() {
    let (server, run) = story().await;
    let file = exported(&server, &run).await.body;
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut changed = file.clone();
        change(&mut changed);
        let read = RunFile::parse(changed.to_string().as_bytes()).and_then(RunFile::into_store);
        read.map(|_| ()).unwrap_err().to_string()
    };
    let message = refused(&|file| file["format_version"] = 2.into());
    assert!(message.contains("a newer one reads it"), "{message}");
    let message = refused(&|file| file["format"] = "other".into());
    assert!(message.contains("`other`"), "{message}");
    let message = refused(&|file| *file = json!([]));
    assert!(message.contains("windlass runs export"), "{message}");
    let message = refused(&|file| file["events"] = json!([]));
    assert!(message.contains("creation"), "{message}");
    let message = refused(&|file| file["events"][0]["is"] = json!({ "nothing": 1 }));
    assert!(message.contains("damaged"), "{message}");
    let message = refused(&|file| file["logs"][0]["at"] = "noon".into());
    assert!(message.contains("`noon` is no time"), "{message}");
}
