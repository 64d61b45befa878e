use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_in_all_its_ways() {
    let server = Server::new();
    assert_eq!(server.get("/livez").await.body, "ok");
    assert_eq!(server.get("/readyz").await.body, "ok");
    assert_eq!(server.get("/startupz").await.body, "ok");
    assert_eq!(server.get("/ping").await.body, "pong");
    assert_eq!(server.get("/version").await.body["version"], env!("CARGO_PKG_VERSION"));
    for path in ["/health", "/api/health"] {
        let health = server.get(path).await;
        assert_eq!((health.status.as_u16(), &health.body["status"]), (200, &json!("healthy")));
        assert_eq!(health.body["ok"], true);
        assert!(health.body["timestamp"].as_str().unwrap().ends_with('Z'));
    }
    server.house.go_down.send_replace(true);
    let readyz = server.get("/readyz").await;
    assert_eq!((readyz.status.as_u16(), readyz.problem().as_str()), (503, "unavailable"));
    assert_eq!(server.get("/health").await.status, 503);
    assert_eq!(server.get("/livez").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted() {
    let server = Server::new();
    server.deploy(ADD).await;
    server.run("add", json!({ "n": 1 })).await;
    server.run("add", json!({ "n": 2 })).await;
    let answer = server.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let page = answer.body.as_str().unwrap();
    for line in [
        "windlass_runs_begun_total 2",
        "windlass_runs_total{workflow=\"add\",status=\"succeeded\"} 2",
        "windlass_steps_total{status=\"succeeded\"} 2",
        "windlass_can_write 1",
        "windlass_http_requests_total{route=\"/api/v1/workflows/{workflow}/execute\",method=\"POST\",status=\"200\"} 2",
    ] {
        assert!(page.lines().any(|found| found == line), "`{line}` is missing from\n{page}");
    }
    assert!(page.contains("\n# TYPE windlass_runs_total counter\n"));
    let open = request(Method::GET, "/metrics").header("accept", "application/openmetrics-text");
    let open = server.send(open.body("".into()).unwrap()).await;
    assert!(open.header("content-type").starts_with("application/openmetrics-text"));
    assert!(open.body.as_str().unwrap().ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_is_documented() {
    let server = Server::new();
    let answer = server.get("/openapi.json").await;
    assert!(answer.body["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut lines = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in answer.body["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<&str> =
                operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            // What is generated from the document has a function of that name.
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{method} {path}: `{id}` is another operation's id");
            lines.push(format!("{} {path}: {}", method.to_uppercase(), statuses.join(" ")));
        }
    }
    insta::assert_snapshot!("endpoints", lines.join("\n"));
    assert_eq!(server.get("/docs/").await.status, 200);
}

#[test]
fn every_code_has_a_page() {
    let of_events = windlass_server::observe::CODES;
    for code in windlass_server::http::problem::CODES.iter().chain(of_events) {
        let path = format!("{}/../../docs/problems/{}.md", env!("CARGO_MANIFEST_DIR"), code.code);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{path} is missing"));
        assert!(text.starts_with(&format!("# {}\n", code.title)), "{path}");
        for part in ["**What.**", "**Why.**", "**What to do.**", "**Example.**"] {
            assert!(text.contains(part), "{path} has no {part}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_can_be_read_as_a_page() {
    let server = Server::new();
    let answer = server.get("/redoc").await;
    assert_eq!(answer.status, 200);
    let html = answer.body.as_str().unwrap();
    let document = server.get("/openapi.json").await.body;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let line = format!("{} {}", method.to_uppercase(), path.replace('/', "&#x2f;"));
            assert!(html.contains(&line), "{line} is missing");
        }
    }
    assert!(!html.contains("<style") && !html.contains(" style="), "the policy forbids it");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_the_id_of_its_request() {
    let server = Server::new();
    let ask = async |id: &str| {
        let request = request(Method::GET, "/livez").header("x-request-id", id);
        server.send(request.body(Body::empty()).unwrap()).await.header("x-request-id").to_owned()
    };
    for id in ["7f3a", "trace/span:1", &"a".repeat(128)] {
        assert_eq!(ask(id).await, id);
    }
    // What could break a log line, or fill it, is replaced.
    for id in ["", "a b", "\"x\"", "a\tb", &"a".repeat(129)] {
        assert_eq!(ask(id).await.len(), 36, "{id:?}");
    }
    let (one, other) = (server.get("/livez").await, server.get("/nope").await);
    assert_eq!(one.header("x-request-id").len(), 36);
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
}
