//! The live feed, read as a browser reads it.

use axum::body::{Body, BodyDataStream};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_stream::StreamExt;
use tower::ServiceExt;

use crate::harness::*;

/// A frame: its id, event and data.
#[derive(Clone, Debug, PartialEq)]
struct Frame {
    id: Option<u64>,
    event: String,
    data: Value,
}

struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Stream {
    async fn open(server: &Server, path: &str) -> Stream {
        let request = request(Method::GET, path).body(Body::empty()).unwrap();
        let response = server.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next frame; `None` at the end.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let prefix = format!("{name}: ");
                    frame.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
                };
                let found = field("data").map(|data| Frame {
                    id: field("id").map(|id| id.parse().unwrap()),
                    event: field("event").unwrap_or_default(),
                    data: serde_json::from_str(&data).unwrap(),
                });
                self.text = rest.to_owned();
                match found {
                    Some(frame) => return Some(frame),
                    // A comment that only says that the stream is alive.
                    None => continue,
                }
            }
            let bytes = self.body.next().await?.unwrap();
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    async fn rest(mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}

fn seqs(frames: &[Frame]) -> Vec<u64> {
    frames.iter().filter_map(|frame| frame.id).collect()
}

const SLOW: &str = "name: slow\nnodes:\n  - {id: a, type: shell, config: {script: 'echo one; \
    sleep 0.2; echo two'}}\n  - {id: b, type: delay, needs: [a], config: {duration: 100ms}}\n  \
    - {id: c, type: noop, needs: [b]}\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_a_snapshot_and_goes_on_without_gap() {
    let server = Server::new();
    server.deploy(SLOW).await;
    let run = server.post("/api/v1/workflows/slow/execute", json!({})).await.body;
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    let mut stream = Stream::open(&server, &format!("{path}/stream")).await;
    let snapshot = stream.next().await.unwrap();
    assert_eq!(snapshot.event, "snapshot");
    assert_eq!(snapshot.id, snapshot.data["seq"].as_u64());
    assert_eq!(snapshot.data["run"]["id"], run["id"]);
    assert_eq!(snapshot.data["steps"].as_array().unwrap().len(), 3);
    let frames = stream.rest().await;
    let first = snapshot.id.unwrap() + 1;
    let last = first + u64::try_from(seqs(&frames).len()).unwrap();
    assert_eq!(seqs(&frames), (first..last).collect::<Vec<u64>>());
    assert_eq!(frames.last().unwrap().event, "run_succeeded");
    let lines: Vec<&Value> = frames
        .iter()
        .filter(|frame| frame.event == "log")
        .map(|frame| &frame.data["text"])
        .collect();
    assert!(lines.ends_with(&[&json!("two")]), "{lines:?}");
    // What was said is what the journal says.
    let events = server.get(&format!("{path}/events?limit=1000&after={}", first - 1)).await.body;
    let said: Vec<Value> =
        frames.iter().filter(|frame| frame.id.is_some()).map(|frame| frame.data.clone()).collect();
    assert_eq!(Value::from(said), events["items"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_stream_has_no_snapshot_no_gap_and_no_double() {
    let server = Server::new();
    server.deploy(ADD).await;
    let run = server.run("add", json!({ "n": 1 })).await;
    let path = format!("/api/v1/runs/{}/stream", run["id"].as_str().unwrap());
    let all = Stream::open(&server, &format!("{path}?after=0")).await.rest().await;
    assert_eq!(all[0].event, "run_created");
    let last = u64::try_from(all.len()).unwrap();
    assert_eq!(seqs(&all), (1..=last).collect::<Vec<u64>>());
    for after in 1..last {
        let rest = Stream::open(&server, &format!("{path}?after={after}")).await.rest().await;
        assert_eq!(rest, all[usize::try_from(after).unwrap()..]);
    }
    // `Last-Event-ID` says the same, and wins.
    let request = request(Method::GET, &format!("{path}?after=0"))
        .header("last-event-id", last.to_string())
        .body(Body::empty());
    assert_eq!(server.send(request.unwrap()).await.status, 204);
    // A snapshot of what is over ends at once.
    let whole = Stream::open(&server, &path).await.rest().await;
    assert_eq!((whole.len(), whole[0].id), (1, Some(last)));
    assert_eq!(server.get(&format!("{path}?after=x")).await.problem(), "bad-parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Server::with(|config| config.store.data = data.clone());
    server.deploy(SLOW).await;
    let run = server.post("/api/v1/workflows/slow/execute", json!({})).await.body;
    let path = format!("/api/v1/runs/{}/stream", run["id"].as_str().unwrap());
    let mut stream = Stream::open(&server, &format!("{path}?after=0")).await;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.extend(stream.next().await.unwrap().id);
    }
    server.house.go_down.send_replace(true);
    seen.extend(seqs(&stream.rest().await));
    server.house.app.engine.shut_down(std::time::Duration::ZERO).await;
    drop(server);

    let server = Server::with(|config| config.store.data = data);
    let after = seen.last().unwrap();
    let rest = Stream::open(&server, &format!("{path}?after={after}")).await.rest().await;
    assert_eq!(rest.last().unwrap().event, "run_succeeded");
    seen.extend(seqs(&rest));
    let last = u64::try_from(seen.len()).unwrap();
    assert_eq!(seen, (1..=last).collect::<Vec<u64>>());
}
