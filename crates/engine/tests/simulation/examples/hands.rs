//! Makes attempts as a server would, one at a time: real children, but no real network.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use windlass_core::run::AttemptError;
use windlass_engine::shard::AttemptOrder;
use windlass_nodes::llm::Meter;
use windlass_nodes::{
    AllowList, Executor, HttpClient, Journal, LiveSink, LogSink, Mark, NoGuard, NodeContext,
    Outcome, Registry, ShellSettings, Stop,
};

pub(super) struct Hands {
    registry: Registry,
    runtime: Runtime,
    work_dir: TempDir,
}

impl Hands {
    pub(super) fn new() -> Hands {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        Hands {
            registry: Registry::builtin(),
            runtime: runtime.enable_all().build().unwrap(),
            work_dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn make(&self, order: &AttemptOrder) -> Result<Value, AttemptError> {
        assert!(order.secrets.is_empty(), "an example that needs a secret cannot be tried out");
        if &*order.kind == "http" {
            assert_eq!(order.input["body"], json!({ "question": "how are you?" }));
            return Ok(json!({ "status": 200, "headers": {}, "body": { "answer": "fine" } }));
        }
        if &*order.kind == "llm" {
            let prompt = order.input["prompt"].as_str().unwrap();
            if prompt.starts_with("Is this message technical") {
                return Ok(json!({ "category": "technical" }));
            }
            assert!(prompt.starts_with("Which team"));
            return Ok(json!({ "team": "hardware", "urgent": true }));
        }
        if &*order.kind == "agent" {
            assert!(order.input["prompt"].as_str().unwrap().starts_with("`make` fails"));
            return Ok(json!({ "text": "a semicolon was missing" }));
        }
        // The boundary is put up by the server's binary, which is not there.
        if &*order.kind == "code" {
            return Ok(json!({ "sum": 7 }));
        }
        let config = (*order.input).clone();
        match self.registry.executor(&order.kind).unwrap() {
            Executor::Inline(run) => run(config),
            Executor::Task(run) => {
                // Nobody asks it to stop, and what it writes is of no interest here.
                let (_ask, stop) = Stop::channel();
                let (logs, _) = LogSink::channel();
                match self.runtime.block_on(run(config, self.context(order, logs, stop)))? {
                    Outcome::Output(output) => Ok(output),
                    Outcome::Ask { .. } => panic!("an example that asks cannot be tried out"),
                }
            }
        }
    }

    /// What people and machines outside would hand in.
    pub(super) fn hand_in(&self, kind: &str) -> Value {
        match kind {
            "actor" => json!({ "risk": "low" }),
            "worker" => json!({ "stdout": "2\n" }),
            kind => panic!("nobody outside makes `{kind}`"),
        }
    }

    fn context(&self, order: &AttemptOrder, logs: LogSink, stop: Stop) -> NodeContext {
        NodeContext {
            live: LiveSink::none(),
            meter: Meter::none(),
            llm: Arc::default(),
            prompts: Arc::default(),
            run_id: order.run_id,
            step: order.path.clone(),
            attempt: order.attempt,
            terms: Default::default(),
            logs,
            stop,
            http: Arc::new(HttpClient::new(AllowList::default()).unwrap()),
            shell: Arc::new(ShellSettings {
                kept: windlass_nodes::Kept::new(self.work_dir.path()),
                work_dir: self.work_dir.path().to_owned(),
                guard: Arc::new(NoGuard),
                owner: Mark::new("test", 1),
                sandbox: Arc::new(windlass_nodes::Sandbox::trusting()),
            }),
            notes: Default::default(),
            workflows: windlass_nodes::no_workflows(),
            journal: Journal::none(),
        }
    }
}
