//! A bridge between an AI agent's program, which speaks over standard input and output, and `/mcp`.
//! It passes messages on and knows as little of them as it can.

use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::sync::Arc;

use axum::http::{HeaderName, Method, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::{Connect, Exit, exit, output};
use crate::client::{Answer, Client, Question};

/// The longest message, in bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Requests that may be under way at once. The next one waits to be read.
const REQUEST_COUNT_MAX: usize = 64;
/// JSON-RPC's codes for what is no JSON, and for what the server says in its own way.
const PARSE_ERROR: i32 = -32_700;
const SERVER_ERROR: i32 = -32_000;

/// Serves AI agents on this machine: the Model Context Protocol on standard input and output.
#[derive(Debug, Args)]
pub(crate) struct Mcp {
    #[command(flatten)]
    connect: Connect,
}

impl Mcp {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let bridge = Arc::new(Bridge {
            client: self.connect.client().await?,
            version: Mutex::default(),
            under_way: Mutex::default(),
        });
        let mut lines = lines();
        let mut requests = JoinSet::new();
        while let Some(line) = lines.recv().await {
            while requests.try_join_next().is_some() {}
            if requests.len() >= REQUEST_COUNT_MAX {
                requests.join_next().await;
            }
            let message: Value = match serde_json::from_slice(&line) {
                Ok(message) => message,
                Err(error) => {
                    write(&failure(&Value::Null, PARSE_ERROR, &error.to_string(), Value::Null));
                    continue;
                }
            };
            if message["method"] == "notifications/cancelled" {
                // Whoever hangs up is waited for no longer; that is how HTTP says it.
                bridge.cancel(&message["params"]["requestId"]);
                continue;
            }
            let (id, passed_on) = (message["id"].clone(), bridge.clone());
            let request = requests.spawn(async move { passed_on.pass_on(message, line).await });
            bridge.begin(&id, request);
        }
        // What was asked before the end of the input is still answered.
        while requests.join_next().await.is_some() {}
        Ok(Exit::Ok)
    }
}

struct Bridge {
    client: Client,
    /// The version of the protocol that was agreed on; every further request has to name it.
    version: Mutex<Option<String>>,
    /// Requests that are not answered, by id as JSON.
    under_way: Mutex<HashMap<String, AbortHandle>>,
}

impl Bridge {
    fn begin(&self, id: &Value, request: AbortHandle) {
        let mut under_way = self.under_way.lock();
        under_way.retain(|_, request| !request.is_finished());
        if !id.is_null() {
            under_way.insert(id.to_string(), request);
        }
    }

    fn cancel(&self, id: &Value) {
        if let Some(request) = self.under_way.lock().remove(&id.to_string()) {
            request.abort();
        }
    }

    /// Passes a message on, and its answer back.
    async fn pass_on(&self, message: Value, line: Vec<u8>) {
        let question = Question {
            method: Method::POST,
            path: crate::mcp::PATH,
            body: Some(("application/json", line)),
            headers: headers(&message, self.version.lock().as_deref()),
        };
        let id = &message["id"];
        match self.client.ask(question).await {
            Ok(answer) => {
                if message["method"] == "initialize"
                    && let Some(agreed) = answer.body["result"]["protocolVersion"].as_str()
                {
                    *self.version.lock() = Some(agreed.to_owned());
                }
                told(id, answer);
            }
            Err(error) if id.is_null() => exit::message(&format!("error: {error:#}")),
            Err(error) => write(&failure(id, SERVER_ERROR, &format!("{error:#}"), Value::Null)),
        }
    }
}

/// Writes an answer, if there is any to the message.
fn told(id: &Value, answer: Answer) {
    if answer.body["jsonrpc"].is_string() {
        return write(&answer.body);
    }
    if answer.status.is_success() {
        return;
    }
    // The server itself refuses, such as a key that is not good.
    let detail = answer.body["detail"].as_str().or_else(|| answer.body.as_str());
    let message = format!("{}: {}", answer.status, detail.unwrap_or("the server has refused"));
    match id {
        Value::Null => exit::message(&format!("error: {message}")),
        id => write(&failure(id, SERVER_ERROR, &message, answer.body)),
    }
}

fn failure(id: &Value, code: i32, message: &str, data: Value) -> Value {
    let mut error = json!({ "code": code, "message": message });
    if data.is_object() {
        error["data"] = data;
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

fn write(message: &Value) {
    output::line(&message.to_string());
}

/// What the protocol asks of HTTP requests: the version, and the message's method and subject.
fn headers(message: &Value, agreed: Option<&str>) -> Vec<(HeaderName, String)> {
    let accept = "application/json, text/event-stream".to_owned();
    let mut headers = vec![(header::ACCEPT, accept)];
    let params = &message["params"];
    let own = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
    let method = message["method"].as_str();
    // Until it is agreed on there is none to name.
    let version = own.or_else(|| agreed.filter(|_| method != Some("initialize")));
    let mut add = |name, value: Option<&str>| {
        headers.extend(value.map(|value| (HeaderName::from_static(name), plain(value))));
    };
    add("mcp-protocol-version", version);
    add("mcp-method", method);
    let subject = ["name", "uri", "taskId"].iter().find_map(|key| params[*key].as_str());
    add("mcp-name", subject);
    headers
}

/// A text as a header can carry it.
fn plain(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.starts_with("=?");
    if is_plain { text.to_owned() } else { format!("=?base64?{}?=", BASE64_STANDARD.encode(text)) }
}

/// The lines of standard input, which a thread of its own waits for.
fn lines() -> mpsc::Receiver<Vec<u8>> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let read = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
            match read {
                Ok(0) | Err(_) => return,
                Ok(_) if line.len() as u64 == LINE_BYTES_MAX => {
                    return exit::message("error: a message is too long");
                }
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) if sender.blocking_send(line).is_err() => return,
                Ok(_) => {}
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(message: Value, agreed: Option<&str>) -> Vec<String> {
        let headers = headers(&message, agreed).into_iter().skip(1);
        headers.map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn a_message_says_what_it_is_in_headers_too() {
        let call = json!({ "method": "tools/call", "params": { "name": "run_é" } });
        assert_eq!(
            named(call, Some("2025-11-25")),
            [
                "mcp-protocol-version: 2025-11-25",
                "mcp-method: tools/call",
                "mcp-name: =?base64?cnVuX8Op?=",
            ]
        );
        let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
        let list = json!({ "method": "tools/list", "params": { "_meta": meta } });
        assert_eq!(
            named(list, Some("2025-11-25")),
            ["mcp-protocol-version: 2026-07-28", "mcp-method: tools/list"]
        );
        let again = json!({ "method": "initialize", "params": {} });
        assert_eq!(named(again, Some("2025-11-25")), ["mcp-method: initialize"]);
    }

    #[test]
    fn a_refusal_of_the_server_is_an_error_of_the_request() {
        let body = json!({ "detail": "a key is needed", "code": "unauthenticated" });
        let error = failure(&json!(3), SERVER_ERROR, "401", body.clone());
        assert_eq!(error["error"], json!({ "code": -32_000, "message": "401", "data": body }));
        assert_eq!(error["id"], 3);
    }
}
