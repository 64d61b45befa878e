//! What a model says, as it says it: in pieces, whole for whoever comes late, and without secrets.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::harness::*;

const SECRET: &str = "s3cret-of-the-house";

/// A model that says a text piece by piece. Behind each piece it waits until it may go on.
async fn model(text: &'static str, piece: usize, may_go_on: Arc<Semaphore>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(move |_: Request| {
        let may_go_on = may_go_on.clone();
        async move {
            let (chunks, out) = mpsc::channel(1);
            tokio::spawn(async move {
                let chunk = |delta: Value, finish: Value| {
                    let choices = json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
                    let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "model": "m",
                        "choices": choices });
                    format!("data: {chunk}\n\n")
                };
                for piece in text.as_bytes().chunks(piece) {
                    let text = std::str::from_utf8(piece).unwrap();
                    chunks.send(chunk(json!({ "content": text }), Value::Null)).await.unwrap();
                    may_go_on.acquire().await.unwrap().forget();
                }
                chunks.send(chunk(json!({}), json!("stop"))).await.unwrap();
                chunks.send("data: [DONE]\n\n".to_owned()).await.unwrap();
            });
            let frames =
                ReceiverStream::new(out).map(|chunk| Ok::<_, std::io::Error>(Bytes::from(chunk)));
            let mut response = Response::new(Body::from_stream(frames));
            response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
            response
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// The words in a stream, put where they belong.
fn words(frames: &str) -> String {
    let mut said = String::new();
    for frame in frames.split("\n\n").filter(|frame| frame.contains("event: llm_token")) {
        let data = frame.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&data["path"], &data["attempt"]), (&json!("ask"), &json!(1)), "{data}");
        let offset = usize::try_from(data["offset"].as_u64().unwrap()).unwrap();
        said = said.chars().take(offset).collect();
        said.push_str(data["text"].as_str().unwrap());
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_a_model_come_in_pieces_and_no_secret_is_among_them() {
    let may_go_on = Arc::new(Semaphore::new(6));
    let text = "The key is s3cret-of-the-house, and s3cret-of-the-ho is not one.";
    let address = model(text, 3, may_go_on.clone()).await;
    let server = Server::with(|config| {
        config.llm = serde_json::from_value(json!({ "providers": { "openai": {
            "base_url": address, "api_key": "sk" } } }))
        .unwrap();
    });
    let put = json!({ "value": SECRET }).to_string();
    let put = server.ask(axum::http::Method::PUT, "/api/v1/secrets/house", put).await;
    assert!(put.status.is_success(), "{}", put.body);
    server
        .deploy(
            "name: tell\nnodes:\n  - { id: ask, type: llm, config: { model: gpt-x, prompt: hi, \
             api_key: '{{ secrets.house }}' } }\n",
        )
        .await;
    let run = server.post("/api/v1/workflows/tell/execute", json!({})).await.body;
    let run_id = run["id"].as_str().unwrap().parse().unwrap();
    let app = &server.house.app;
    // It has begun to speak before anybody listens.
    while app.engine.live().said(run_id, "ask").is_none_or(|said| said.text.len() < 11) {
        tokio::task::yield_now().await;
    }
    let path = format!("/api/v1/runs/{run_id}/stream?after=0");
    let listening = server.get(&path);
    let speaking = async {
        while app.engine.feed().watcher_count() == 0 {
            tokio::task::yield_now().await;
        }
        let said = app.engine.live().said(run_id, "ask").unwrap();
        assert!(
            !said.text.contains("s3c"),
            "the beginning of a secret is held back: {}",
            said.text
        );
        let page = server.get(&format!("/runs/{run_id}?step=ask")).await.body;
        let page = page.as_str().unwrap();
        assert!(page.contains("The key is") && page.contains("model · now"), "{page}");
        may_go_on.add_permits(1_000);
    };
    let (answer, ()) = tokio::join!(listening, speaking);
    let frames = answer.body.as_str().unwrap();
    let wanted = "The key is ***, and s3cret-of-the-ho is not one.";
    assert_eq!(words(frames), wanted);
    assert!(!frames.contains(SECRET));
    assert_eq!(app.engine.live().said(run_id, "ask"), None, "the journal has it now");
    let ended = at(&server, &format!("/api/v1/runs/{run_id}"), &["succeeded"]).await;
    assert_eq!(ended["output"]["text"], wanted, "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drawer_of_an_agent_shows_what_was_said() {
    use crate::model::{Says, start};
    let tool = json!({ "method": "GET", "url": "http://127.0.0.1:9/nobody" });
    let answers =
        vec![Says::Tool("http".into(), tool), Says::Text("Nobody <b>is</b> there.".into())];
    let address = start(answers).await;
    let server = Server::with(|config| {
        let provider = json!({ "base_url": address, "api_key": "sk" });
        config.llm.providers.insert("openai".into(), serde_json::from_value(provider).unwrap());
    });
    server
        .deploy(
            "name: look\nnodes:\n  - { id: clerk, type: agent, config: { model: gpt-x, system: Be brief., \
             prompt: Who is there?, tools: [http] } }\n",
        )
        .await;
    let run = server.run("look", Value::Null).await;
    let id = run["id"].as_str().unwrap();
    let page = server.get(&format!("/runs/{id}?step=clerk")).await.body;
    let page = page.as_str().unwrap();
    for said in [
        "Conversation",
        "Be brief.",
        "Who is there?",
        "turn 1",
        "<code>http</code>",
        "tool · http",
        "Nobody &lt;b&gt;is&lt;&#x2f;b&gt; there.",
        "10 tokens in, 5 out",
    ] {
        assert!(page.contains(said), "{said} is not in {page}");
    }
    assert!(!page.contains("model · now"));
    assert!(page.contains("2 calls, 20 tokens in, 10 out"), "what the run took");
}

/// What says something of a run of another program, a line of JSON each.
async fn tell(server: &Server, run: &str, events: impl Iterator<Item = Value>) {
    let lines: String = events
        .map(|mut event| {
            let about = json!({ "run_id": run, "flow": "many", "flow_key": "many", "node": "a:1",
                "task": "a", "ts": "2026-11-22T10:00:00Z" });
            event.as_object_mut().unwrap().extend(about.as_object().unwrap().clone());
            format!("{event}\n")
        })
        .collect();
    let answer = server.ask(axum::http::Method::POST, "/api/v1/events", lines).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Where the page asks for what comes.
fn live_of(page: &str) -> String {
    let (_, live) = page.split_once("data-live=\"").unwrap();
    live.split_once('"').unwrap().0.replace("&amp;", "&").replace("&#x2f;", "/")
}

/// Log lines of numbers, every other one with another word.
fn written(numbers: std::ops::Range<u32>) -> impl Iterator<Item = Value> {
    numbers.map(|number| {
        let word = if number % 2 == 0 { "even" } else { "odd" };
        json!({ "event": "task_log", "message": format!("{word} line {number}.") })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_that_is_written_comes_into_the_page() {
    for (query, wanted) in [("", 2_000), ("?q=odd", 1_000)] {
        let server = Server::new();
        let start = ["flow_started", "task_started"].map(|event| json!({ "event": event }));
        tell(&server, "r1", start.into_iter()).await;
        let page = server.page(&format!("/runs/r1{query}")).await.body;
        let live = live_of(page.as_str().unwrap());
        let speaking = async {
            while server.house.app.engine.feed().watcher_count() == 0 {
                tokio::task::yield_now().await;
            }
            tell(&server, "r1", written(0..1_000)).await;
            tell(&server, "r1", written(1_000..2_000)).await;
            tell(&server, "r1", [json!({ "event": "flow_completed" })].into_iter()).await;
        };
        let (answer, ()) = tokio::join!(server.get(&live), speaking);
        let frames = answer.body.as_str().unwrap();
        let ids: Vec<u64> = frames
            .split("\"id\":\"line-")
            .skip(1)
            .map(|rest| rest.split_once('"').unwrap().0.parse().unwrap())
            .collect();
        assert_eq!(ids.len(), wanted, "{query}");
        assert!(ids.is_sorted(), "{ids:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_comes_behind_a_window_of_older_ones() {
    let server = Server::new();
    let start = ["flow_started", "task_started"].map(|event| json!({ "event": event }));
    tell(&server, "r1", start.into_iter()).await;
    tell(&server, "r1", written(0..500)).await;
    for (query, has_lines) in
        [("", true), ("?logs=0", false), ("?logs=400", true), ("?q=odd", false), ("?q=42", true)]
    {
        let page = server.page(&format!("/runs/r1{query}")).await.body;
        let page = page.as_str().unwrap();
        assert_eq!(live_of(page).contains("logs="), has_lines, "{query}");
        assert_eq!(page.contains(">Later lines<"), !has_lines, "{query}");
    }
}
