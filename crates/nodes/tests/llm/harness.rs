//! One attempt of a node, and everything that it told on the way.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;
use windlass_core::run::AttemptError;
use windlass_nodes::llm::{LlmSettings, Meter, Tally, Usage};
use windlass_nodes::{
    AllowList, Executor, HttpClient, Journal, LiveEvent, LiveSink, LogSink, Mark, NoGuard,
    NodeContext, Notes, Outcome, PromptSettings, Registry, Sandbox, ShellSettings, Stop,
    StopReason,
};

use crate::span::TOLD;

/// What became of an attempt.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: Result<Value, AttemptError>,
    pub(crate) live: Vec<LiveEvent>,
    pub(crate) usage: Vec<Usage>,
    pub(crate) logs: Vec<String>,
}

impl Ended {
    #[track_caller]
    pub(crate) fn output(&self) -> &Value {
        match &self.result {
            Ok(output) => output,
            Err(error) => panic!("{error:?}, after {:?}", self.logs),
        }
    }

    /// Code, and whether it is final.
    #[track_caller]
    pub(crate) fn error(&self) -> (&str, bool) {
        match &self.result {
            Ok(output) => panic!("it has an output: {output}"),
            Err(error) => (&error.failure.code, error.is_final),
        }
    }

    pub(crate) fn message(&self) -> String {
        self.result.as_ref().unwrap_err().failure.message.clone()
    }

    /// The text of one turn, put together from its pieces, which have to follow one another.
    pub(crate) fn streamed(&self, turn: u64) -> String {
        let mut text = String::new();
        for event in self.live.iter().filter(|event| event.data["turn"] == turn) {
            assert_eq!(event.kind, "llm_token");
            assert_eq!(event.data["offset"], text.len());
            text.push_str(event.data["text"].as_str().unwrap());
        }
        text
    }
}

/// An attempt to be made.
pub(crate) struct Attempt {
    settings: LlmSettings,
    prompts: PathBuf,
    allowed: AllowList,
}

impl Attempt {
    /// With these settings of the server.
    pub(crate) fn with(settings: Value) -> Attempt {
        LazyLock::force(&TOLD);
        let settings: LlmSettings = serde_json::from_value(settings).unwrap();
        assert_eq!(settings.check(), []);
        Attempt { settings, prompts: PathBuf::from("/nonexistent"), allowed: AllowList::default() }
    }

    /// Where every provider is at one address and has the same key.
    pub(crate) fn at(address: &str, key: &str) -> Attempt {
        let provider = json!({ "base_url": address, "api_key": key });
        Attempt::with(json!({
            "providers": { "openai": provider, "anthropic": provider, "gemini": provider },
            "prices": { "*": { "input": 10.0, "output": 100.0, "cached": 1.0 } },
        }))
    }

    pub(crate) fn prompts(mut self, dir: PathBuf) -> Attempt {
        self.prompts = dir;
        self
    }

    /// With this machine itself allowed to nodes.
    pub(crate) fn loopback(mut self) -> Attempt {
        self.allowed = self.allowed.with_loopback();
        self
    }

    pub(crate) async fn run(self, config: Value) -> Ended {
        let (_ask, stop) = Stop::channel();
        self.run_until(config, stop).await
    }

    /// Begins it; it ends when it is asked to.
    pub(crate) fn start(
        self,
        config: Value,
    ) -> (watch::Sender<Option<StopReason>>, tokio::task::JoinHandle<Ended>) {
        let (ask, stop) = Stop::channel();
        (ask, tokio::spawn(self.run_until(config, stop)))
    }

    async fn run_until(self, config: Value, stop: Stop) -> Ended {
        let registry = Registry::builtin();
        registry.kinds().get("llm").unwrap().check(&config).unwrap();
        let (logs, mut log_lines) = LogSink::channel();
        let (live, mut live_events) = LiveSink::channel();
        let book = Arc::new(Tally::default());
        let context = NodeContext {
            run_id: Uuid::nil(),
            step: "ask".into(),
            attempt: 1,
            terms: Default::default(),
            logs,
            live,
            meter: Meter::new(book.clone()),
            stop,
            http: Arc::new(HttpClient::new(self.allowed).unwrap()),
            shell: Arc::new(ShellSettings {
                kept: windlass_nodes::Kept::new(&std::env::temp_dir()),
                work_dir: std::env::temp_dir(),
                guard: Arc::new(NoGuard),
                owner: Mark::new("test", 1),
                sandbox: Arc::new(Sandbox::trusting()),
            }),
            notes: Notes::default(),
            workflows: windlass_nodes::no_workflows(),
            journal: Journal::none(),
            llm: Arc::new(self.settings),
            prompts: Arc::new(PromptSettings { dir: Some(self.prompts) }),
        };
        let Some(Executor::Task(run)) = registry.executor("llm") else { panic!() };
        let result = run(config, context).await.map(|outcome| match outcome {
            Outcome::Output(output) => output,
            Outcome::Ask { question, .. } => panic!("nothing here asks: {question}"),
        });
        let mut ended = Ended { result, live: vec![], usage: vec![], logs: vec![] };
        while let Some(event) = live_events.recv().await {
            ended.live.push(event);
        }
        ended.usage = book.take();
        while let Some(line) = log_lines.recv().await {
            ended.logs.push(line.text);
        }
        ended
    }
}
