//! Requests that are nearly right: the routes of the OpenAPI document and the pages, with names that
//! exist or nearly do, and bodies that were good ones once.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::mutate;
use crate::server::Server;

const ADD: &str = "name: add\ninput: {type: object, properties: {n: {type: number}}, required: [n]}\n\
    nodes:\n  - {id: sum, type: noop, config: {output: '{{ input.n + 1 }}'}}\n";
const WAIT: &str = "name: wait\nnodes:\n  - {id: nap, type: delay, config: {duration: 1h}}\n";

/// Steps that touch the world are left out: nobody knows what a changed script would do.
const DEFINITIONS: [&str; 4] = [
    ADD,
    WAIT,
    include_str!("../../../../examples/book-trip.yaml"),
    include_str!("../../../../examples/triage-order.json"),
];

const PAGES: [(&str, &str); 9] = [
    ("GET", "/runs"),
    ("GET", "/runs/{run}"),
    ("POST", "/runs/{run}/cancel"),
    ("POST", "/runs/{run}/mark"),
    ("POST", "/runs/{run}/rerun"),
    ("GET", "/workflows"),
    ("GET", "/workflows/{workflow}"),
    ("POST", "/workflows/{workflow}/run"),
    ("GET", "/problems/{code}"),
];

const WORDS: [&str; 38] = [
    "input",
    "labels",
    "external_id",
    "idempotency_key",
    "runs",
    "n",
    "definition",
    "status",
    "output",
    "reason",
    "skipped",
    "succeeded",
    "from",
    "path",
    "name",
    "nodes",
    "limit",
    "cursor",
    "after",
    "before",
    "workflow",
    "label",
    "step",
    "source",
    "format",
    "yaml",
    "priority",
    "deadline",
    "a",
    "",
    "queued,failed",
    "-1",
    "0",
    "1000",
    "99999999999999999999",
    "%00",
    "%ff",
    "true",
];

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

const HEADERS: [(&str, &[&str]); 9] = [
    (
        "content-type",
        &[
            "application/json",
            "application/yaml",
            "text/plain",
            "application/x-www-form-urlencoded",
            "x",
            "application/json; charset=latin1",
        ],
    ),
    ("accept", &["application/json", "text/html", "*/*;q=0", "text/event-stream", "image/png"]),
    ("prefer", &["wait=0", "wait=x", "wait=-1", "wait=99999999999", "respond-async, wait=0", ";"]),
    (
        "idempotency-key",
        &["k1", "k2", "", "\t", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"],
    ),
    ("if-match", &["*", "\"1\"", "\"2\"", "W/\"1\"", "1", "\"", "\"1\", \"2\""]),
    ("last-event-id", &["0", "1", "-1", "x", "99999999999999999999"]),
    ("origin", &["http://localhost:8000", "http://evil.example", "null", "x"]),
    ("host", &["localhost:8000", "evil.example", "127.0.0.1", "[::1]:8000", ""]),
    ("x-request-id", &["abc", "", "a b", "\"{}"]),
];

pub(crate) struct Requests {
    routes: Vec<(String, String)>,
    /// Ids of runs, one over and one waiting.
    runs: Vec<String>,
}

/// Deploys the definitions; the same text again changes nothing.
pub(crate) fn deploy(server: &Server) {
    for definition in DEFINITIONS {
        let kind = if definition.starts_with('{') { "json" } else { "yaml" };
        let head = format!("POST /api/v1/workflows\ncontent-type: application/{kind}\n\n");
        server.expect(&format!("{head}{definition}"));
    }
}

impl Requests {
    pub(crate) fn of(server: &Server) -> Requests {
        deploy(server);
        let run = |workflow: &str, input: Value| {
            let body = json!({ "input": input, "external_id": format!("the-{workflow}") });
            let path = format!("/api/v1/workflows/{workflow}/execute");
            let run = server.expect(&format!("POST {path}\nprefer: wait=1\n\n{body}"));
            run["id"].as_str().unwrap().to_owned()
        };
        let runs = vec![run("add", json!({ "n": 1 })), run("wait", json!({}))];
        let document = server.expect("GET /openapi.json\n\n");
        let pages = PAGES.map(|(method, path)| (method.to_owned(), path.to_owned()));
        let mut routes = Vec::from(pages);
        for (path, methods) in document["paths"].as_object().unwrap() {
            let methods = methods.as_object().unwrap().keys();
            routes.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
        }
        Requests { routes, runs }
    }

    pub(crate) fn make(&self, rng: &mut Rng) -> String {
        let (method, path) = &self.routes[rng.usize(0..self.routes.len())];
        let mut path = self.filled(rng, path);
        let mut method = method.clone();
        match rng.u8(0..12) {
            0 => method = METHODS[rng.usize(0..METHODS.len())].to_owned(),
            1 => path = mutate::text(rng, &path, &[], &WORDS),
            _ => {}
        }
        for index in 0..rng.usize(0..3) {
            let name = WORDS[rng.usize(0..WORDS.len())];
            let value = WORDS[rng.usize(0..WORDS.len())];
            path.push_str(&format!("{}{name}={value}", if index == 0 { '?' } else { '&' }));
        }
        let mut text = format!("{method} {path}\n");
        for _ in 0..rng.usize(0..3) {
            let (name, values) = HEADERS[rng.usize(0..HEADERS.len())];
            let value = values[rng.usize(0..values.len())];
            text.push_str(&format!("{name}: {value}\n"));
        }
        text.push('\n');
        if method != "GET" && method != "HEAD" {
            text.push_str(&self.body(rng, &path));
        }
        text
    }

    /// A path with something in each of its places.
    fn filled(&self, rng: &mut Rng, path: &str) -> String {
        let mut filled = String::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').unwrap_or((after, ""));
            filled.push_str(before);
            filled.push_str(&self.name(rng, name));
            rest = behind;
        }
        filled + rest
    }

    fn name(&self, rng: &mut Rng, of: &str) -> String {
        let known: &[&str] = match of {
            "run" | "run_id" => &["the-wait", "the-add", "nobody"],
            "workflow" => &["add", "wait", "Book%20a%20trip", "nobody"],
            "step" => &["sum", "nap", "trip.flight", "trip%5B0%5D.flight", "each[0]"],
            "kind" => &["noop", "map", "shell", "nothing"],
            "code" => &["bad-json", "nothing"],
            _ => &["1", "2", "x"],
        };
        match rng.u8(0..8) {
            0 => WORDS[rng.usize(0..WORDS.len())].to_owned(),
            1 => "%F0%9F%98%80%00%2F".to_owned(),
            2 | 3 if of == "run" => self.runs[rng.usize(0..self.runs.len())].clone(),
            _ => known[rng.usize(0..known.len())].to_owned(),
        }
    }

    fn body(&self, rng: &mut Rng, path: &str) -> String {
        let good = good_body(rng, path);
        match rng.u8(0..10) {
            0 => String::new(),
            1 => mutate::deep(rng, "[", "]"),
            2 => mutate::deep(rng, "{\"input\":", "}"),
            3 => mutate::any(rng, &WORDS, 4).to_string(),
            4 => format!("{good}\u{e0ff}\u{e0fe}"),
            5 => good,
            6 | 7 => mutate::text(rng, &good, &[], &WORDS),
            _ => match serde_json::from_str::<Value>(&good) {
                Ok(mut value) => {
                    mutate::value(rng, &mut value, &WORDS);
                    value.to_string()
                }
                Err(_) => mutate::text(rng, &good, &[], &WORDS),
            },
        }
    }
}

/// What the endpoint at a path would take.
fn good_body(rng: &mut Rng, path: &str) -> String {
    let n = rng.i32(..);
    if path.starts_with("/runs") || path.starts_with("/workflows") {
        return format!(
            "input.n={n}&n={n}&step=nap&path=nap&status=succeeded&output=1&reason=a%20b"
        );
    }
    if path.contains("execute-batch") {
        let run = json!({ "input": { "n": n }, "labels": { "a": "b" }, "idempotency_key": "k" });
        return json!({ "runs": [run, run, {}] }).to_string();
    }
    if path.contains("execute") {
        return json!({ "input": { "n": n }, "labels": { "a": "b" }, "external_id": "x" })
            .to_string();
    }
    if path.contains("mark") {
        return json!({ "status": "succeeded", "output": n, "reason": "why not" }).to_string();
    }
    if path.contains("rerun") {
        return json!({ "from": "sum", "input": { "n": n } }).to_string();
    }
    if path.contains("/api/v1/runs") {
        return json!({ "reason": "because", "filter": { "status": "failed" } }).to_string();
    }
    DEFINITIONS[rng.usize(0..DEFINITIONS.len())].to_owned()
}
