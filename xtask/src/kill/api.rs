//! The public API as a client sees it. What its answers look like is known here and nowhere else.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ureq::Agent;

/// Longer than any answer takes; a killed server is noticed by its closed connection.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A client with its own keep-alive connections.
pub(super) struct Api {
    agent: Agent,
    base: String,
}

/// What came of a request to create something.
pub(super) enum Outcome<T> {
    /// It is durable.
    Acknowledged(T),
    /// It may have been done or not. The same request with the same key will tell.
    Unknown,
    /// The server understood, and will not do it.
    Refused(String),
}

pub(super) struct Run {
    pub(super) status: String,
    /// The key it was submitted with, which the input carries too.
    pub(super) key: String,
    pub(super) step_count: u64,
}

pub(super) struct Event {
    pub(super) seq: u64,
    pub(super) kind: String,
    /// The kind of the step's node, where the event tells it.
    pub(super) node_kind: Option<String>,
    pub(super) path: String,
    pub(super) attempt: u64,
}

impl Api {
    pub(super) fn new(base: String) -> Api {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
            .build();
        Api { agent: config.into(), base }
    }

    pub(super) fn is_ready(&self) -> bool {
        let answer = self.agent.get(format!("{}/readyz", self.base)).call();
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    pub(super) fn deploy(&self, yaml: &str) -> Result<()> {
        let request = self.agent.post(format!("{}/api/v1/workflows", self.base));
        let mut answer = request.content_type("application/yaml").send(yaml)?;
        if !answer.status().is_success() {
            let text = answer.body_mut().read_to_string().unwrap_or_default();
            bail!("a workflow is refused with {}: {text}", answer.status());
        }
        Ok(())
    }

    /// Asks for one run, and answers its id.
    pub(super) fn execute(&self, workflow: &str, key: &str, input: &Value) -> Outcome<String> {
        let path = format!("/api/v1/workflows/{workflow}/execute");
        self.create(&path, Some(key), &json!({ "input": input })).and_then(|run| id_of(&run))
    }

    /// Asks for several runs in one request, and answers their ids in the same order.
    pub(super) fn execute_batch(
        &self,
        workflow: &str,
        runs: &[(&str, Value)],
    ) -> Outcome<Vec<String>> {
        let path = format!("/api/v1/workflows/{workflow}/execute-batch");
        let runs: Vec<Value> = runs
            .iter()
            .map(|(key, input)| json!({ "input": input, "idempotency_key": key }))
            .collect();
        let outcome = self.create(&path, None, &json!({ "runs": runs }));
        let is_unknown = |answer: &Value| {
            let results = answer["results"].as_array().map_or(&[][..], Vec::as_slice);
            results.iter().any(|result| result["problem"]["status"] == 503)
        };
        // Some are durable and of others nobody knows: the keys will tell.
        if let Outcome::Acknowledged(answer) = &outcome
            && is_unknown(answer)
        {
            return Outcome::Unknown;
        }
        outcome.and_then(|answer| {
            let results = answer["results"].as_array().map_or(&[][..], Vec::as_slice);
            if results.len() != runs.len() {
                return Err(format!("{} runs were answered by {answer}", runs.len()));
            }
            results.iter().map(|result| id_of(&result["run"])).collect()
        })
    }

    fn create(&self, path: &str, key: Option<&str>, body: &Value) -> Outcome<Value> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let request = request.content_type("application/json");
        let Ok(mut answer) = request.send(body.to_string()) else { return Outcome::Unknown };
        let status = answer.status();
        // The status may have come and the body not: the server died in between.
        let Ok(text) = answer.body_mut().read_to_string() else { return Outcome::Unknown };
        match serde_json::from_str(&text) {
            Ok(value) if status.is_success() => Outcome::Acknowledged(value),
            _ if status == 503 => Outcome::Unknown,
            _ => Outcome::Refused(format!("{path} answered {status}: {text}")),
        }
    }

    /// A run, or `None` if the server does not know it.
    pub(super) fn run(&self, id: &str) -> Result<Option<Run>> {
        let url = format!("{}/api/v1/runs/{id}", self.base);
        let mut answer = self.agent.get(&url).call()?;
        if answer.status() == 404 {
            return Ok(None);
        }
        let run = json_of(&mut answer).context(url)?;
        Ok(Some(Run {
            status: text(&run["status"]),
            key: text(&run["input"]["key"]),
            step_count: run["steps_total"].as_u64().unwrap_or(0),
        }))
    }

    pub(super) fn run_ids(&self) -> Result<Vec<String>> {
        let runs = self.list("/api/v1/runs", &[])?;
        runs.iter().map(|run| id_of(run).map_err(anyhow::Error::msg)).collect()
    }

    pub(super) fn has_unfinished_runs(&self) -> Result<bool> {
        let query = [("status", "queued,running,waiting,paused"), ("limit", "1")];
        let page = self.page("/api/v1/runs", &query, None)?;
        Ok(page["items"].as_array().is_none_or(|items| !items.is_empty()))
    }

    /// A run's whole journal.
    pub(super) fn events(&self, id: &str) -> Result<Vec<Event>> {
        let events = self.list(&format!("/api/v1/runs/{id}/events"), &[("limit", "1000")])?;
        let event = |event: &Value| Event {
            seq: event["seq"].as_u64().unwrap_or(0),
            kind: text(&event["type"]),
            node_kind: event["kind"].as_str().map(str::to_owned),
            path: text(&event["path"]),
            attempt: event["attempt"].as_u64().unwrap_or(0),
        };
        Ok(events.iter().map(event).collect())
    }

    /// All pages of a list.
    fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>> {
        let (mut items, mut cursor) = (Vec::new(), None);
        loop {
            let mut page = self.page(path, query, cursor.as_deref())?;
            match page["items"].take() {
                Value::Array(more) => items.extend(more),
                _ => bail!("{path} answered {page}"),
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }

    fn page(&self, path: &str, query: &[(&str, &str)], cursor: Option<&str>) -> Result<Value> {
        let url = format!("{}{path}", self.base);
        let cursor = cursor.map(|cursor| ("cursor", cursor));
        let request = self.agent.get(&url).query_pairs(query.iter().copied().chain(cursor));
        json_of(&mut request.call()?).context(url)
    }
}

impl<T> Outcome<T> {
    pub(super) fn map<U>(self, read: impl FnOnce(T) -> U) -> Outcome<U> {
        self.and_then(|answer| Ok(read(answer)))
    }

    fn and_then<U>(self, read: impl FnOnce(T) -> Result<U, String>) -> Outcome<U> {
        match self {
            Outcome::Acknowledged(answer) => match read(answer) {
                Ok(answer) => Outcome::Acknowledged(answer),
                Err(reason) => Outcome::Refused(reason),
            },
            Outcome::Unknown => Outcome::Unknown,
            Outcome::Refused(reason) => Outcome::Refused(reason),
        }
    }
}

fn json_of(answer: &mut ureq::http::Response<ureq::Body>) -> Result<Value> {
    let text = answer.body_mut().read_to_string()?;
    serde_json::from_str(&text).with_context(|| format!("{}: {text}", answer.status()))
}

fn id_of(run: &Value) -> Result<String, String> {
    run["id"].as_str().map(str::to_owned).ok_or_else(|| format!("this is no run: {run}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
