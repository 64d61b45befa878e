//! The page of each kind, `docs/nodes/*.md`: that there is one, that it has every field, and that its
//! example does what the page says.
//!
//! Of the section "Example" the test reads: blocks in YAML, which are deployed, the last one is run;
//! `Run with INPUT, it ends as STATUS`, with the output as a block in JSON, or the code of its error;
//! `While it waits, send REQUEST with BODY`; `While it waits, take it with POLL and complete it with
//! OUTPUT`; `Say the model answers THIS, then THAT`.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::*;
use crate::model::{self, Says};

/// The address that pages call somebody else's.
const ELSEWHERE: &str = "http://127.0.0.1:9000";

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/nodes")
}

/// A page's example.
struct Example {
    definitions: Vec<String>,
    input: Value,
    status: String,
    code: Option<String>,
    output: Option<Value>,
    /// Path and body of what is sent while it waits.
    sent: Option<(String, String)>,
    /// What a worker polls with, and what it hands in.
    taken: Option<(Value, Value)>,
    model: Vec<Says>,
}

/// What stands between backticks in a line. Those of a definition are in blocks, not in lines.
fn quoted(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

impl Example {
    fn read(page: &str) -> Example {
        let section = page.split("\n## Example\n").nth(1).expect("it has an example");
        assert!(!section.contains("\n## "), "the example comes last");
        let blocks = |language: &str| {
            let fence = format!("```{language}\n");
            let parts = section.split(&fence).skip(1);
            parts.map(|part| part.split("\n```").next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let line = |begin: &str| section.lines().find(|line| line.starts_with(begin));
        let run = quoted(line("Run with ").expect("it says how it ends"));
        let answers = line("Say the model answers ").map(quoted).unwrap_or_default();
        let sent = line("While it waits, send ").map(quoted);
        let taken = line("While it waits, take it ").map(quoted);
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let output = blocks("json");
        Example {
            definitions: blocks("yaml"),
            input: serde_json::from_str(run[0]).unwrap(),
            status: run[1].to_owned(),
            code: run.get(2).map(|code| (*code).to_owned()),
            output: output.first().map(|output| serde_json::from_str(output).unwrap()),
            sent: sent.map(|sent| (sent[0].strip_prefix("POST ").unwrap().into(), sent[1].into())),
            taken: taken.map(|taken| (json(taken[0]), json(taken[1]))),
            model: answers.into_iter().map(said).collect(),
        }
    }
}

/// `TOOL {…}` is the use of a tool, anything else a text.
fn said(answer: &str) -> Says {
    if let Some((tool, arguments)) = answer.split_once(' ')
        && let Ok(arguments @ Value::Object(_)) = serde_json::from_str(arguments)
    {
        return Says::Tool(tool.to_owned(), arguments);
    }
    Says::Text(answer.to_owned())
}

/// Answers with what it was sent.
async fn elsewhere() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let echo = async |body: axum::Json<Value>| axum::Json(json!({ "received": body.0 }));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await });
    address
}

/// A server whose language models, whoever provides them, are one of the tests.
async fn server(answers: Vec<Says>) -> Server {
    let address = model::start(answers).await;
    Server::with(|config| {
        for (name, api) in [("openai", "openai"), ("anthropic", "openai")] {
            let provider = json!({ "api": api, "base_url": address, "api_key": "none" });
            config.llm.providers.insert(name.into(), serde_json::from_value(provider).unwrap());
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_every_kind_does_what_its_page_says() {
    let elsewhere = elsewhere().await;
    let kinds = Server::new().get("/api/v1/nodes").await.body;
    let mut tried = 0;
    for kind in kinds["items"].as_array().unwrap() {
        let kind = kind["kind"].as_str().unwrap();
        let page = std::fs::read_to_string(pages().join(format!("{kind}.md")))
            .unwrap_or_else(|error| panic!("docs/nodes/{kind}.md: {error}"));
        let example = Example::read(&page.replace(ELSEWHERE, &elsewhere));
        let asks_model = ["llm", "agent"].contains(&kind);
        assert_eq!(asks_model, !example.model.is_empty(), "{kind}: what the model answers");
        let server = server(example.model.clone()).await;
        let mut workflow = Value::Null;
        for definition in &example.definitions {
            workflow = server.deploy(definition).await;
        }
        let last = example.definitions.last().unwrap();
        let is_used = last.contains(&format!("type: {kind}\n"))
            || last.contains(&format!("type: {kind},"))
            || last.contains(&format!("type: {kind} "));
        assert!(is_used, "{kind}: its example does not use it");

        let path = format!("/api/v1/workflows/{}/execute", workflow["id"].as_str().unwrap());
        let run = server.post(&path, json!({ "input": example.input })).await;
        assert_eq!(run.status, 202, "{kind}: {}", run.body);
        let id = run.body["id"].as_str().unwrap();
        let run = format!("/api/v1/runs/{id}");
        if let Some((path, body)) = &example.sent {
            at(&server, &run, &["waiting"]).await;
            let path = path.replace("{run}", id);
            let sent = server.ask(Method::POST, &path, body.clone()).await;
            assert!(sent.status.is_success(), "{kind}: {path}: {}", sent.body);
        }
        if let Some((poll, output)) = &example.taken {
            let mut poll = poll.clone();
            poll["wait"] = json!("20s");
            let polled = server.post("/api/v1/tasks/poll", poll.clone()).await;
            assert_eq!(polled.status, 200, "{kind}: {}", polled.body);
            let task = &polled.body["tasks"][0];
            let body =
                json!({ "worker": poll["worker"], "fence": task["fence"], "output": output });
            let path = format!("/api/v1/tasks/{}/complete", task["id"].as_str().unwrap());
            let told = server.post(&path, body).await;
            assert_eq!(told.status, 204, "{kind}: {}", told.body);
        }
        let ended = at(&server, &run, &["succeeded", "failed", "cancelled"]).await;
        assert_eq!(ended["status"], example.status, "{kind}: {ended}");
        match (&example.output, &example.code) {
            (Some(output), _) => assert_eq!(&ended["output"], output, "{kind}"),
            (None, Some(code)) => assert_eq!(ended["error"]["code"], *code, "{kind}"),
            (None, None) => panic!("{kind}: the page says neither an output nor an error"),
        }
        tried += 1;
    }
    assert!(tried >= 20, "{tried} kinds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_all_that_there_is_to_say_of_its_kind() {
    let server = Server::new();
    let kinds = server.get("/api/v1/nodes").await.body;
    let mut wanted = Vec::new();
    let table = std::fs::read_to_string(pages().join("../definitions.md")).unwrap();
    for kind in kinds["items"].as_array().unwrap() {
        let kind = kind["kind"].as_str().unwrap();
        wanted.push(format!("{kind}.md"));
        assert!(table.contains(&format!("(nodes/{kind}.md)")), "{kind} is not in the table");
        let page = std::fs::read_to_string(pages().join(format!("{kind}.md"))).unwrap();
        assert!(page.starts_with(&format!("# {kind}\n\n")), "{kind}");
        let order = ["\n## Fields\n", "\n## Output\n", "\n## Errors\n", "\n## Example\n"];
        let places = order.map(|head| page.find(head).unwrap_or_else(|| panic!("{kind}: {head}")));
        assert!(places.is_sorted(), "{kind}: {places:?}");
        let schema = server.get(&format!("/api/v1/nodes/{kind}")).await.body;
        let fields = schema["config_schema"]["properties"].as_object();
        for field in fields.into_iter().flatten().map(|(name, _)| name) {
            let is_there = page[places[0]..places[1]].contains(&format!("`{field}`"));
            assert!(is_there, "{kind}: the page has no `{field}`");
        }
    }
    let there = std::fs::read_dir(pages()).unwrap();
    let mut there: Vec<String> =
        there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    assert_eq!(there, wanted, "a page of every kind, and no other");
}
