//! A world for agents: a model that follows a script, a tool at the same address, and a journal that
//! may be cut short.

use std::collections::BTreeMap;
use std::path::PathBuf;
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
    AllowList, ChildGuard, Executor, HttpClient, Journal, Keeper, LiveEvent, LiveSink, LogSink,
    Mark, NoGuard, NodeContext, Notes, Outcome, PromptSettings, Registry, Sandbox, ShellSettings,
    Stop, Workflows,
};

/// What the model says next.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// It wants a tool to be used.
    Use(String, Value),
    /// It has an answer.
    Text(String),
    /// It fails with a status.
    Fails(u16),
}

/// A model at an address, and how often each part of the world was asked.
pub(crate) struct World {
    pub(crate) address: String,
    counts: Arc<Mutex<BTreeMap<String, u32>>>,
    /// What the model was asked.
    pub(crate) asked: Arc<Mutex<Vec<Value>>>,
}

fn count(counts: &Mutex<BTreeMap<String, u32>>, what: String) {
    *counts.lock().unwrap().entry(what).or_default() += 1;
}

fn said(number: usize, says: &Says) -> String {
    let chunk = |delta: Value, finish: Value| {
        json!({ "id": "c", "object": "chat.completion.chunk", "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
    };
    let chunks = match says {
        Says::Use(name, arguments) => {
            let function = json!({ "name": name, "arguments": arguments.to_string() });
            let call = json!({ "index": 0, "id": format!("call{number}"), "type": "function",
                "function": function });
            vec![
                chunk(json!({ "role": "assistant", "tool_calls": [call] }), Value::Null),
                chunk(json!({}), json!("tool_calls")),
            ]
        }
        Says::Text(text) => vec![
            chunk(json!({ "role": "assistant", "content": text }), Value::Null),
            chunk(json!({}), json!("stop")),
        ],
        Says::Fails(_) => Vec::new(),
    };
    let usage = json!({ "id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [],
        "usage": { "prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11 } });
    let lines = chunks.iter().chain([&usage]).map(|chunk| format!("data: {chunk}\n\n"));
    lines.collect::<String>() + "data: [DONE]\n\n"
}

impl World {
    /// A model that says what `script` has for so many outcomes of tools that it was told, and for
    /// its own name. A use of `http` without a URL is one of the world's own tool.
    pub(crate) async fn start(
        script: impl Fn(usize, &str) -> Says + Send + Sync + 'static,
    ) -> World {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let counts: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
        let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (counted, own, heard) = (counts.clone(), address.clone(), asked.clone());
        let script = Arc::new(script);
        let router = Router::new().fallback(move |request: Request| {
            let (counts, own, heard) = (counted.clone(), own.clone(), heard.clone());
            let script = script.clone();
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
                let model = body["model"].as_str().unwrap().to_owned();
                count(&counts, format!("{model} {}", told + 1));
                heard.lock().unwrap().push(body);
                let mut says = script(told, &model);
                if let Says::Use(name, arguments) = &mut says
                    && name == "http"
                    && arguments.get("url").is_none()
                {
                    *arguments = json!({ "url": format!("{own}/tool/{}", told + 1) });
                }
                let mut response = Response::new(Body::from(said(told, &says)));
                if let Says::Fails(status) = says {
                    *response.status_mut() = status.try_into().unwrap();
                }
                let kind = "text/event-stream".parse().unwrap();
                response.headers_mut().insert("content-type", kind);
                response
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        World { address, counts, asked }
    }

    /// One that follows a list, and then says that it is done.
    pub(crate) async fn follows(script: Vec<Says>) -> World {
        let done = || Says::Text("done".to_owned());
        World::start(move |told, _| script.get(told).cloned().unwrap_or_else(done)).await
    }

    pub(crate) fn count(&self, what: &str) -> u32 {
        self.counts.lock().unwrap().get(what).copied().unwrap_or(0)
    }

    /// What the model was told of its uses of tools.
    pub(crate) fn told(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let messages = asked.last().unwrap()["messages"].as_array().unwrap();
        let told = messages.iter().filter(|message| message["role"] == "tool");
        told.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
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

pub(crate) struct Made {
    pub(crate) result: Option<Result<Outcome, AttemptError>>,
    pub(crate) records: Vec<(String, Arc<Value>)>,
    pub(crate) live: Vec<LiveEvent>,
    pub(crate) logs: Vec<String>,
}

impl Made {
    #[track_caller]
    pub(crate) fn output(&self) -> &Value {
        match self.result.as_ref() {
            Some(Ok(Outcome::Output(output))) => output,
            other => panic!("{other:?}, after {:?}", self.logs),
        }
    }

    #[track_caller]
    pub(crate) fn code(&self) -> &str {
        match self.result.as_ref() {
            Some(Err(error)) => &error.failure.code,
            other => panic!("{other:?}"),
        }
    }
}

/// An attempt to be made.
pub(crate) struct Attempt {
    pub(crate) earlier: Vec<(String, Arc<Value>)>,
    pub(crate) dies_at: Option<&'static str>,
    pub(crate) workflows: Arc<dyn Workflows>,
    pub(crate) prompts: Option<PathBuf>,
    pub(crate) work_dir: PathBuf,
    pub(crate) stop: Stop,
    pub(crate) guard: Arc<dyn ChildGuard>,
}

impl Default for Attempt {
    fn default() -> Attempt {
        let (ask, stop) = Stop::channel();
        // Nobody asks; whoever wants to brings a channel along.
        std::mem::forget(ask);
        Attempt {
            earlier: Vec::new(),
            dies_at: None,
            workflows: windlass_nodes::no_workflows(),
            prompts: None,
            work_dir: std::env::temp_dir(),
            stop,
            guard: Arc::new(NoGuard),
        }
    }
}

impl Attempt {
    pub(crate) async fn make(self, world: &World, config: Value) -> Made {
        let provider = json!({ "base_url": world.address, "api_key": "sk" });
        let llm: LlmSettings =
            serde_json::from_value(json!({ "providers": { "openai": provider } })).unwrap();
        let kept = Arc::new(Kept {
            records: Mutex::new(self.earlier.clone()),
            dies_at: self.dies_at,
            is_dead: watch::channel(false).0,
        });
        let (logs, mut lines) = LogSink::channel();
        let (live, mut events) = LiveSink::channel();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let hears = heard.clone();
        let listener = tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                hears.lock().unwrap().push(line.text);
            }
        });
        let context = NodeContext {
            run_id: Uuid::nil(),
            step: "agent".into(),
            attempt: 1,
            terms: Default::default(),
            logs,
            live,
            meter: windlass_nodes::llm::Meter::none(),
            stop: self.stop,
            http: Arc::new(HttpClient::new(AllowList::default().with_loopback()).unwrap()),
            shell: Arc::new(ShellSettings {
                kept: windlass_nodes::Kept::new(&self.work_dir),
                work_dir: self.work_dir,
                guard: self.guard,
                owner: Mark::new("test", 1),
                sandbox: Arc::new(Sandbox::trusting()),
            }),
            notes: Notes::default(),
            workflows: self.workflows,
            journal: Journal::new(self.earlier, kept.clone()),
            llm: Arc::new(llm),
            prompts: Arc::new(PromptSettings { dir: self.prompts }),
        };
        let registry = Registry::builtin();
        registry.kinds().get("agent").unwrap().check(&config).unwrap();
        let Some(Executor::Task(run)) = registry.executor("agent") else { panic!() };
        let mut is_dead = kept.is_dead.subscribe();
        let result = tokio::select! {
            result = run(config, context) => Some(result),
            _ = is_dead.wait_for(|is_dead| *is_dead) => None,
        };
        listener.await.unwrap();
        let mut live = Vec::new();
        while let Ok(event) = events.try_recv() {
            live.push(event);
        }
        let records = kept.records.lock().unwrap().clone();
        let logs = heard.lock().unwrap().clone();
        Made { result, records, live, logs }
    }
}
