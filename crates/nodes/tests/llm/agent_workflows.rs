//! Workflows as tools: what is begun, found again, waited for and cancelled. The engine's own side is
//! tested in the engine.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use uuid::Uuid;
use windlass_core::run::AttemptError;
use windlass_nodes::{KnownWorkflow, Stop, StopReason, WantedRun, Workflows, fail};

use crate::world::{Attempt, Says, World};

/// Workflows that note what is asked of them. `Slow` never ends.
#[derive(Debug, Default)]
struct Noted(Mutex<Vec<String>>, tokio::sync::Notify);

impl Noted {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
        self.1.notify_one();
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Workflows for Noted {
    async fn describe(&self, name: &str, _: Option<u32>) -> Result<KnownWorkflow, AttemptError> {
        let input = match name {
            "Dock it" => Some(json!({ "type": "object", "properties": { "n": {} } })),
            "Slow" => None,
            _ => return Err(fail("workflow_not_found", "there is none")),
        };
        Ok(KnownWorkflow { name: name.into(), description: Some("Docks.".into()), input })
    }

    async fn start(&self, wanted: WantedRun) -> Result<Uuid, AttemptError> {
        self.note(format!("start {} {} {}", wanted.workflow, wanted.key, wanted.input));
        Ok(Uuid::from_u128(if wanted.workflow == "Slow" { 2 } else { 1 }))
    }

    async fn wait(&self, run_id: Uuid) -> Result<Value, AttemptError> {
        self.note(format!("wait {}", run_id.as_u128()));
        match run_id.as_u128() {
            1 => Ok(json!({ "berth": 7 })),
            _ => std::future::pending().await,
        }
    }

    async fn cancel(&self, run_id: Uuid) {
        self.note(format!("cancel {}", run_id.as_u128()));
    }
}

fn config(workflow: &str) -> Value {
    json!({ "model": "openai/m", "prompt": "go", "tools": [{ "workflow": workflow }] })
}

#[tokio::test]
async fn a_workflow_is_a_tool_with_its_schema_and_its_output() {
    let world = World::follows(vec![Says::Use("Dock_it".into(), json!({ "n": 1 }))]).await;
    let noted = Arc::new(Noted::default());
    let attempt = || Attempt { workflows: noted.clone(), ..Attempt::default() };
    let killed = Attempt { dies_at: Some("tool-1-0"), ..attempt() };
    let killed = killed.make(&world, config("Dock it")).await;
    let again = Attempt { earlier: killed.records, ..attempt() };
    again.make(&world, config("Dock it")).await.output();
    let begun = "start Dock it tool-1-0 {\"n\":1}";
    assert_eq!(noted.all(), [begun, "wait 1", "wait 1"], "it is begun once");
    assert_eq!(world.told(), ["{\"berth\":7}"]);
    let tool = world.asked.lock().unwrap()[0]["tools"][0]["function"].clone();
    assert_eq!((&tool["name"], &tool["description"]), (&json!("Dock_it"), &json!("Docks.")));
    assert_eq!(tool["parameters"]["properties"], json!({ "n": {} }));
    assert_eq!(attempt().make(&world, config("Lost")).await.code(), "workflow_not_found");
}

#[tokio::test]
async fn who_is_stopped_cancels_what_it_waits_for_unless_the_server_goes_down() {
    for (reason, is_cancelled) in [
        (StopReason::Cancelled, true),
        (StopReason::TimedOut, true),
        (StopReason::ShuttingDown, false),
    ] {
        let world = World::follows(vec![Says::Use("Slow".into(), json!({ "input": [1] }))]).await;
        let noted = Arc::new(Noted::default());
        let (ask, stop) = Stop::channel();
        let attempt = Attempt { workflows: noted.clone(), stop, ..Attempt::default() };
        let made = tokio::spawn(async move { attempt.make(&world, config("Slow")).await });
        while !noted.all().contains(&"wait 2".to_owned()) {
            noted.1.notified().await;
        }
        ask.send_replace(Some(reason));
        assert!(made.await.unwrap().result.unwrap().is_err());
        assert_eq!(noted.all()[0], "start Slow tool-1-0 [1]", "what is no object is in `input`");
        assert_eq!(noted.all().contains(&"cancel 2".to_owned()), is_cancelled, "{reason:?}");
    }
}
