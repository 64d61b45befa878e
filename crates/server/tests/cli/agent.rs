//! An agent whose server is killed in the middle of its seventh turn.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::Notify;
use windlass_server::client::{Client, Question};

use crate::model::{Says, stream};
use crate::{Stopped, command, ready, stop};

const TURNS: usize = 9;

/// A model that uses a tool in every turn but the last, and the other end of that tool.
#[derive(Default)]
struct World {
    /// How often each turn was asked for.
    turns: Mutex<BTreeMap<usize, usize>>,
    /// How often each use of the tool came.
    uses: Mutex<BTreeMap<u64, usize>>,
    /// Told when the turn comes in which the server dies. It gets no answer the first time.
    is_in_turn_7: Notify,
}

impl World {
    async fn answer(self: Arc<World>, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let body = axum::body::to_bytes(request.into_body(), 10_000_000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        if path == "/count" {
            *self.uses.lock().unwrap().entry(body["n"].as_u64().unwrap()).or_default() += 1;
            return Response::new(Body::from("{}"));
        }
        let messages = body["messages"].as_array().unwrap().iter();
        let turn = 1 + messages.filter(|message| message["role"] == "assistant").count();
        let times = {
            let mut turns = self.turns.lock().unwrap();
            let times = turns.entry(turn).or_default();
            *times += 1;
            *times
        };
        if turn == 7 && times == 1 {
            self.is_in_turn_7.notify_one();
            return std::future::pending().await;
        }
        let says = match turn {
            TURNS => Says::Text("All is counted.".to_owned()),
            _ => Says::Tool("http".to_owned(), json!({ "body": { "n": turn } })),
        };
        let mut response = Response::new(Body::from(stream(&says)));
        response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
        response
    }
}

fn serve(directory: &std::path::Path, model: &str) -> (Stopped, Client) {
    let mut server = command(directory, &["serve", "--data", "d", "--listen", "127.0.0.1:0"]);
    server.env("OPENAI_BASE_URL", model).env("OPENAI_API_KEY", "sk");
    server.env("WINDLASS_HTTP__ALLOW_LOOPBACK", "true").stderr(Stdio::piped());
    let (server, url) = ready(server.spawn().unwrap());
    (server, Client::remote(&url).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_goes_on_in_the_turn_in_which_its_server_was_killed() {
    let world = Arc::new(World::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = world.clone();
    let router = Router::new().fallback(move |request| asked.clone().answer(request));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let directory = tempfile::tempdir().unwrap();
    let (server, client) = serve(directory.path(), &address);
    let definition = format!(
        "name: count
nodes:
  - id: clerk
    type: agent
    config:
      model: gpt-5-mini
      prompt: Count.
      tools: [{{ name: http, with: {{ method: POST, url: '{address}/count' }} }}]
"
    );
    let body = Some(("application/yaml", definition.into_bytes()));
    let deploy = Question { body, ..Question::post("/api/v1/workflows", &Value::Null) };
    client.expect(deploy).await.unwrap();
    let execute = Question::post("/api/v1/workflows/count/execute", &json!({}));
    let run = client.expect(execute).await.unwrap();
    world.is_in_turn_7.notified().await;
    // SIGKILL.
    stop(server);

    let (server, client) = serve(directory.path(), &address);
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    let run = loop {
        let run = client.expect(Question::get(&path)).await.unwrap();
        if run["status"] != "running" && run["status"] != "waiting" {
            break run;
        }
    };
    assert_eq!(run["status"], "succeeded", "{run}");
    let turns = world.turns.lock().unwrap().clone();
    let wanted = (1..=TURNS).map(|turn| (turn, if turn == 7 { 2 } else { 1 })).collect();
    assert_eq!(turns, wanted, "no answer that is journaled is asked for again");
    let uses = world.uses.lock().unwrap().clone();
    let wanted = (1..TURNS as u64).map(|turn| (turn, 1)).collect();
    assert_eq!(uses, wanted, "no tool whose outcome is journaled is used again");
    let step = client.expect(Question::get(&format!("{path}/steps"))).await.unwrap();
    let output = &step["items"][0]["output"];
    assert_eq!((&output["turns"], &output["text"]), (&json!(TURNS), &json!("All is counted.")));
    stop(server);
}
