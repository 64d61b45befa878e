//! The template `Refund_Desk`, an instance of it, and its actors spoken by hand.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use windlass_core::HumanDuration;
use windlass_server::config::Config;

use crate::harness::*;

pub(crate) const TEMPLATE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/templates/refund_desk.yaml"));

pub(crate) struct Desk {
    pub(crate) server: Server,
    pub(crate) instance: String,
}

pub(crate) fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id: {value}")).to_owned()
}

impl Desk {
    pub(crate) async fn new() -> Desk {
        Desk::with(|_| {}, json!({})).await
    }

    /// What is lost is found soon.
    pub(crate) async fn with(change: impl FnOnce(&mut Config), settings: Value) -> Desk {
        let server = Server::with(|config| {
            config.sweeper.every = HumanDuration(Duration::from_millis(100));
            change(config);
        });
        let answer = server.ask(Method::POST, "/api/v1/templates", TEMPLATE).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let body = json!({ "template": "Refund_Desk", "name": "Desk", "settings": settings });
        let answer = server.post("/api/v1/instances", body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let instance = id(&answer.body);
        Desk { server, instance }
    }

    /// Adds a unit of work, and answers its id.
    pub(crate) async fn add(&self, request: Value) -> String {
        let path = format!("/api/v1/instances/{}/uows", self.instance);
        let answer = self.server.post(&path, request).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        id(&answer.body)
    }

    pub(crate) async fn poll(&self, worker: &str, role: &str, more: Value) -> Answer {
        let mut body = json!({
            "worker": worker, "units": [{ "instance": "Desk", "role": role }],
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.server.post("/api/v1/tasks/poll", body).await
    }

    /// The next unit for a role, waited for.
    pub(crate) async fn take(&self, worker: &str, role: &str) -> Value {
        self.take_for(worker, role, "5m").await
    }

    pub(crate) async fn take_for(&self, worker: &str, role: &str, lease: &str) -> Value {
        let answer = self.poll(worker, role, json!({ "wait": "20s", "lease": lease })).await;
        assert_eq!(answer.status, 200, "{role}: {}", answer.body);
        answer.body["tasks"][0].clone()
    }

    /// That a role finds nothing now.
    pub(crate) async fn finds_nothing(&self, role: &str) {
        let answer = self.poll("nobody", role, json!({})).await;
        assert_eq!(answer.status, 204, "{role}: {}", answer.body);
    }

    pub(crate) async fn say(&self, worker: &str, task: &Value, verb: &str, more: Value) -> Answer {
        let mut body = json!({ "worker": worker, "fence": task["fence"] });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.server.post(&format!("/api/v1/tasks/{}/{verb}", id(task)), body).await
    }

    pub(crate) async fn done(&self, worker: &str, task: &Value, more: Value) {
        let told = self.say(worker, task, "complete", more).await;
        assert_eq!(told.status, 204, "{}", told.body);
    }

    pub(crate) async fn uow(&self, id: &str) -> Value {
        let answer = self.server.get(&format!("/api/v1/uows/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// What a unit waits for, in words.
    pub(crate) async fn why(&self, id: &str) -> String {
        let answer = self.server.get(&format!("/api/v1/uows/{id}/why")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["steps"][0]["message"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn act(&self, id: &str, verb: &str, body: Value) -> Answer {
        self.server.post(&format!("/api/v1/uows/{id}/{verb}"), body).await
    }

    pub(crate) async fn of_instance(&self, verb: &str, body: Value) -> Answer {
        let path = format!("/api/v1/instances/{}/{verb}", self.instance);
        self.server.post(&path, body).await
    }

    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.server.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body["items"].as_array().unwrap().clone()
    }
}
