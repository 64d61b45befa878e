//! The kind `agent` against a model that uses a tool in each turn: what is journaled is neither asked
//! for nor done again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;
use windlass_core::run::AttemptError;
use windlass_nodes::llm::LlmSettings;
use windlass_nodes::{
    AllowList, Executor, HttpClient, Journal, Keeper, LiveEvent, LiveSink, LogSink, Mark, NoGuard,
    NodeContext, Notes, Outcome, PromptSettings, Registry, Sandbox, ShellSettings, Stop, UsageSink,
};

/// How many turns use a tool before the model is done.
const TURNS: usize = 8;

/// A model and a tool at one address, and how often each of their parts was asked.
struct World {
    address: String,
    counts: Arc<Mutex<BTreeMap<String, u32>>>,
}

fn count(counts: &Mutex<BTreeMap<String, u32>>, what: String) {
    *counts.lock().unwrap().entry(what).or_default() += 1;
}

/// What the model says when it has been told the outcomes of so many tools.
fn said(told: usize, tool: &Value) -> String {
    let chunk = |delta: Value, finish: Value| {
        json!({ "id": "c", "object": "chat.completion.chunk", "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
    };
    let chunks = if told < TURNS {
        let arguments = tool.to_string().replace("TURN", &(told + 1).to_string());
        let name = tool["name"].as_str().unwrap_or("http");
        let function = json!({ "name": name, "arguments": arguments });
        let call = json!({ "index": 0, "id": format!("call{told}"), "type": "function",
            "function": function });
        vec![
            chunk(json!({ "role": "assistant", "tool_calls": [call] }), Value::Null),
            chunk(json!({}), json!("tool_calls")),
        ]
    } else {
        vec![
            chunk(json!({ "role": "assistant", "content": "done" }), Value::Null),
            chunk(json!({}), json!("stop")),
        ]
    };
    let usage = json!({ "id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [],
        "usage": { "prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11 } });
    let lines = chunks.iter().chain([&usage]).map(|chunk| format!("data: {chunk}\n\n"));
    lines.collect::<String>() + "data: [DONE]\n\n"
}

impl World {
    async fn start() -> World {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let counts: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
        let (counted, own) = (counts.clone(), address.clone());
        let router = Router::new().fallback(move |request: Request| {
            let (counts, own) = (counted.clone(), own.clone());
            async move {
                let (parts, body) = request.into_parts();
                if parts.uri.path().starts_with("/tool/") {
                    count(&counts, parts.uri.path().to_owned());
                    return Response::new(Body::from("{\"found\": true}"));
                }
                let body = axum::body::to_bytes(body, 1_000_000).await.unwrap();
                let body: Value = serde_json::from_slice(&body).unwrap();
                let messages = body["messages"].as_array().unwrap();
                let told = messages.iter().filter(|message| message["role"] == "tool").count();
                count(&counts, format!("model {}", told + 1));
                let tool = json!({ "url": format!("{own}/tool/TURN") });
                let mut response = Response::new(Body::from(said(told, &tool)));
                let kind = "text/event-stream".parse().unwrap();
                response.headers_mut().insert("content-type", kind);
                response
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        World { address, counts }
    }

    fn count(&self, what: &str) -> u32 {
        self.counts.lock().unwrap().get(what).copied().unwrap_or(0)
    }
}

/// Keeps records as an engine does, and is killed before it keeps the one of this key.
struct Kept {
    records: Mutex<Vec<(String, Arc<Value>)>>,
    dies_at: Option<&'static str>,
    is_dead: watch::Sender<bool>,
}

#[async_trait]
impl Keeper for Kept {
    async fn keep(&self, key: String, value: Value) -> Result<(), AttemptError> {
        if self.dies_at == Some(&*key) {
            self.is_dead.send_replace(true);
            std::future::pending::<()>().await;
        }
        self.records.lock().unwrap().push((key, Arc::new(value)));
        Ok(())
    }
}

struct Made {
    result: Option<Result<Outcome, AttemptError>>,
    records: Vec<(String, Arc<Value>)>,
    live: Vec<LiveEvent>,
}

/// Makes an attempt that knows what earlier ones have recorded.
async fn attempt(
    world: &World,
    config: Value,
    earlier: Vec<(String, Arc<Value>)>,
    dies_at: Option<&'static str>,
) -> Made {
    let provider = json!({ "base_url": world.address, "api_key": "sk" });
    let llm: LlmSettings =
        serde_json::from_value(json!({ "providers": { "openai": provider } })).unwrap();
    let kept = Arc::new(Kept {
        records: Mutex::new(earlier.clone()),
        dies_at,
        is_dead: watch::channel(false).0,
    });
    let (_ask, stop) = Stop::channel();
    let (logs, mut lines) = LogSink::channel();
    let (live, mut events) = LiveSink::channel();
    tokio::spawn(async move { while lines.recv().await.is_some() {} });
    let context = NodeContext {
        run_id: Uuid::nil(),
        step: "agent".into(),
        attempt: 1,
        terms: Default::default(),
        logs,
        live,
        usage: UsageSink::none(),
        stop,
        http: Arc::new(HttpClient::new(AllowList::default().with_loopback()).unwrap()),
        shell: Arc::new(ShellSettings {
            work_dir: std::env::temp_dir(),
            guard: Arc::new(NoGuard),
            owner: Mark::new("test", 1),
            sandbox: Arc::new(Sandbox::trusting()),
        }),
        notes: Notes::default(),
        journal: Journal::new(earlier, kept.clone()),
        llm: Arc::new(llm),
        prompts: Arc::new(PromptSettings::default()),
    };
    let registry = Registry::builtin();
    registry.kinds().get("agent").unwrap().check(&config).unwrap();
    let Some(Executor::Task(run)) = registry.executor("agent") else { panic!() };
    let mut is_dead = kept.is_dead.subscribe();
    let result = tokio::select! {
        result = run(config, context) => Some(result),
        _ = is_dead.wait_for(|is_dead| *is_dead) => None,
    };
    let mut live = Vec::new();
    while let Ok(event) = events.try_recv() {
        live.push(event);
    }
    let records = kept.records.lock().unwrap().clone();
    Made { result, records, live }
}

fn agent(tool: Value) -> Value {
    json!({ "model": "openai/m", "prompt": "go", "tools": [tool], "max_turns": 20 })
}

fn output(made: &Made) -> &Value {
    match made.result.as_ref() {
        Some(Ok(Outcome::Output(output))) => output,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_is_killed_in_turn_seven_goes_on_in_turn_seven() {
    for (dies_at, seventh) in [("tool-7-0", 2), ("turn-7", 1), ("turn-8", 1)] {
        let world = World::start().await;
        let config = agent(json!("http"));
        let killed = attempt(&world, config.clone(), Vec::new(), Some(dies_at)).await;
        assert!(killed.result.is_none());
        let made = attempt(&world, config, killed.records, None).await;
        assert_eq!((&output(&made)["text"], &output(&made)["turns"]), (&json!("done"), &json!(9)));
        assert_eq!(output(&made)["usage"]["input_tokens"], 90, "of all turns, each once");
        for turn in 1..=TURNS {
            // What was under way when it was killed is done again, and nothing else.
            let expected = if turn == 7 { seventh } else { 1 };
            assert_eq!(world.count(&format!("/tool/{turn}")), expected, "{dies_at}: tool {turn}");
            let asked = if dies_at == format!("turn-{turn}") { 2 } else { 1 };
            assert_eq!(world.count(&format!("model {turn}")), asked, "{dies_at}: turn {turn}");
        }
        let kinds: Vec<&str> = made.live.iter().map(|event| event.kind.as_str()).collect();
        for kind in ["agent_turn", "tool_start", "tool_end", "llm_token"] {
            assert!(kinds.contains(&kind), "{kind}");
        }
    }
}

#[tokio::test]
async fn a_tool_that_has_to_be_approved_waits_for_it() {
    let world = World::start().await;
    let config = agent(json!({ "name": "http", "approve": true }));
    let asked = attempt(&world, config.clone(), Vec::new(), None).await;
    let Some(Ok(Outcome::Ask { key, question })) = asked.result else { panic!() };
    assert_eq!((key.as_str(), world.count("/tool/1")), ("approval-1-0", 0));
    assert!(question["subject"]["arguments"]["url"].as_str().unwrap().ends_with("/tool/1"));
    let answered = |approved: bool| {
        let mut records = asked.records.clone();
        let answer = json!({ "approved": approved, "comment": "no" });
        records.push((key.clone(), Arc::new(answer)));
        records
    };
    let made = attempt(&world, config.clone(), answered(false), None).await;
    assert!(matches!(made.result, Some(Ok(Outcome::Ask { .. }))), "of the next turn");
    assert_eq!(world.count("/tool/1"), 0, "nobody has approved it");
    let refused = made.records.iter().find(|(key, _)| key == "tool-1-0").unwrap();
    assert!(refused.1.as_str().unwrap().contains("refused"));
    attempt(&world, config, answered(true), None).await;
    assert_eq!(world.count("/tool/1"), 1);
}

#[tokio::test]
async fn who_may_not_ask_elsewhere_is_told_so_and_goes_on() {
    let world = World::start().await;
    let allow = [format!("{}/other/", world.address), "http://127.0.0.1:1/tool/".to_owned()];
    let made =
        attempt(&world, agent(json!({ "name": "http", "allow": allow })), vec![], None).await;
    assert_eq!(output(&made)["text"], "done");
    assert_eq!(world.count("/tool/1"), 0);
    let config = json!({ "max_turns": 3, "model": "openai/m", "prompt": "go", "tools": ["http"] });
    let made = attempt(&world, config, vec![], None).await;
    assert_eq!(made.result.unwrap().unwrap_err().failure.code, "max_turns");
}
