use serde_json::json;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_in_all_its_ways() {
    let server = Server::new();
    assert_eq!(server.get("/livez").await.body, "ok");
    assert_eq!(server.get("/readyz").await.body, "ok");
    assert_eq!(server.get("/ping").await.body, "pong");
    let health = server.get("/health").await;
    assert_eq!((health.status.as_u16(), &health.body["status"]), (200, &json!("healthy")));
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
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let page = answer.body.as_str().unwrap();
    for line in [
        "windlass_runs_created_total 2",
        "windlass_runs_total{workflow=\"add\",status=\"succeeded\"} 2",
        "windlass_steps_total{status=\"succeeded\"} 2",
        "windlass_can_write 1",
        "windlass_http_requests_total{route=\"/api/v1/workflows/{workflow}/execute\",method=\"POST\",status=\"200\"} 2",
    ] {
        assert!(page.lines().any(|found| found == line), "`{line}` is missing from\n{page}");
    }
    assert!(page.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_is_documented() {
    let server = Server::new();
    let answer = server.get("/openapi.json").await;
    assert!(answer.body["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut lines = Vec::new();
    for (path, item) in answer.body["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<&str> =
                operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            lines.push(format!("{} {path}: {}", method.to_uppercase(), statuses.join(" ")));
        }
    }
    insta::assert_snapshot!("endpoints", lines.join("\n"));
    assert_eq!(server.get("/docs/").await.status, 200);
}

#[test]
fn every_code_has_a_page() {
    for code in windlass_server::http::problem::CODES {
        let path = format!("{}/../../docs/problems/{}.md", env!("CARGO_MANIFEST_DIR"), code.code);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{path} is missing"));
        assert!(text.starts_with(&format!("# {}\n", code.title)), "{path}");
        for part in ["**What.**", "**Why.**", "**What to do.**", "**Example.**"] {
            assert!(text.contains(part), "{path} has no {part}");
        }
    }
}
