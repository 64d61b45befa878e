use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get};
use serde_json::{Value, json};
use uuid::Uuid;
use windlass_core::run::AttemptError;

use super::{AllowList, Http, HttpClient};
use crate::context::{LogSink, NodeContext, Stop, StopReason};
use crate::kinds::shell::{Mark, NoGuard, ShellSettings};
use crate::llm::Meter;
use crate::node::Node;
use crate::reports::LiveSink;

/// A real server on loopback that answers by saying what it was asked.
async fn server() -> String {
    async fn echo(request: Request) -> impl IntoResponse {
        let (parts, body) = request.into_parts();
        let bytes = axum::body::to_bytes(body, 1_000_000).await.unwrap();
        let header = |name: &str| {
            parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        axum::Json(json!({
            "method": parts.method.as_str(),
            "uri": parts.uri.to_string(),
            "type": header("content-type"),
            "key": header("idempotency-key"),
            "authorization": header("authorization"),
            "body": String::from_utf8_lossy(&bytes),
        }))
    }
    async fn status(Path(code): Path<u16>) -> impl IntoResponse {
        (StatusCode::from_u16(code).unwrap(), "so it goes")
    }
    async fn redirect(headers: HeaderMap) -> impl IntoResponse {
        let to = headers.get("x-to").unwrap().to_str().unwrap().to_owned();
        Redirect::temporary(&to)
    }
    async fn slow() {
        std::future::pending::<()>().await;
    }
    async fn large() -> impl IntoResponse {
        ([(header::CONTENT_TYPE, "text/plain")], "x".repeat(17_000_000))
    }
    let router = Router::new()
        .route("/echo", any(echo))
        .route("/status/{code}", get(status))
        .route("/redirect", any(redirect))
        .route(
            "/busy",
            get(|| async { (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "40")]) }),
        )
        .route("/slow", get(slow))
        .route("/large", get(large))
        .route("/bad-json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], "{") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

fn context(allowed: AllowList) -> (tokio::sync::watch::Sender<Option<StopReason>>, NodeContext) {
    let (ask, stop) = Stop::channel();
    let shell = ShellSettings {
        kept: crate::kept::Kept::new(&std::env::temp_dir()),
        work_dir: std::env::temp_dir(),
        guard: Arc::new(NoGuard),
        owner: Mark::default(),
        sandbox: Arc::new(crate::Sandbox::trusting()),
    };
    let context = NodeContext {
        run_id: Uuid::nil(),
        step: "ask".into(),
        attempt: 1,
        terms: Default::default(),
        logs: LogSink::channel().0,
        stop,
        http: Arc::new(HttpClient::new(allowed).unwrap()),
        shell: Arc::new(shell),
        notes: Default::default(),
        workflows: crate::workflows::no_workflows(),
        journal: crate::journal::Journal::none(),
        live: LiveSink::none(),
        meter: Meter::none(),
        llm: Arc::default(),
        prompts: Arc::default(),
    };
    (ask, context)
}

async fn send(config: Value) -> Result<Value, AttemptError> {
    let (_ask, context) = context(AllowList::default().with_loopback());
    serde_json::from_value::<Http>(config).unwrap().run(context).await
}

#[tokio::test]
async fn the_request_is_what_the_config_says() {
    let base = server().await;
    let config = json!({
        "method": "PUT", "url": format!("{base}/echo?a=1"), "query": { "b": "x y", "c": [1, "é"] },
        "headers": { "Authorization": "Bearer t" }, "body": { "n": [1] },
    });
    let output = send(config).await.unwrap();
    assert_eq!(output["status"], 200);
    assert_eq!(output["headers"]["content-type"], "application/json");
    assert_eq!(
        output["body"],
        json!({
            "method": "PUT", "uri": "/echo?a=1&b=x+y&c=1&c=%C3%A9", "type": "application/json",
            "key": "00000000-0000-0000-0000-000000000000/ask", "authorization": "Bearer t",
            "body": "{\"n\":[1]}",
        })
    );
}

#[tokio::test]
async fn bodies_are_text_form_or_json() {
    let base = server().await;
    let form = "application/x-www-form-urlencoded";
    let table = [
        (json!("plain"), None, "plain", "text/plain; charset=utf-8"),
        (json!("<a/>"), Some("text/xml"), "<a/>", "text/xml"),
        (json!({ "a": "x y", "b": 2 }), Some(form), "a=x+y&b=2", form),
        (json!([1, null]), None, "[1,null]", "application/json"),
    ];
    for (body, content_type, sent, sent_type) in table {
        let headers = content_type.map_or(json!({}), |of| json!({ "content-type": of }));
        let url = format!("{base}/echo");
        let config = json!({ "method": "POST", "url": url, "headers": headers, "body": body });
        let output = send(config).await.unwrap();
        assert_eq!(
            (&output["body"]["body"], &output["body"]["type"]),
            (&json!(sent), &json!(sent_type))
        );
    }
}

#[tokio::test]
async fn statuses_are_errors_of_two_sorts() {
    let base = server().await;
    for (status, is_final) in [(404, true), (400, true), (429, false), (408, false), (503, false)] {
        let error = send(json!({ "url": format!("{base}/status/{status}") })).await.unwrap_err();
        assert_eq!(
            (error.failure.code.clone(), error.is_final),
            (format!("http_{status}"), is_final)
        );
        assert_eq!(error.failure.details.unwrap()["body"], "so it goes");
        assert_eq!(error.retry_after, None);
    }
    let error = send(json!({ "url": format!("{base}/busy") })).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(40)), "as it asks for");
    let config = json!({ "url": format!("{base}/status/404"), "accept_status": [404] });
    assert_eq!(send(config).await.unwrap()["status"], 404);
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_time() {
    let base = server().await;
    let error = send(json!({ "url": format!("{base}/large") })).await.unwrap_err();
    assert_eq!((error.failure.code.as_str(), error.is_final), ("response_too_large", true));
    let error =
        send(json!({ "url": format!("{base}/slow"), "timeout": "50ms" })).await.unwrap_err();
    assert_eq!((error.failure.code.as_str(), error.is_final), ("timeout", false));
    let output = send(json!({ "url": format!("{base}/bad-json") })).await.unwrap();
    assert_eq!(output["body"], "{", "what is no JSON after all is a text");
    let error = send(json!({ "url": "http://127.0.0.1:9/" })).await.unwrap_err();
    assert_eq!((error.failure.code.as_str(), error.is_final), ("connect", false));
}

#[tokio::test]
async fn a_stop_ends_the_exchange() {
    let base = server().await;
    let (ask, context) = context(AllowList::default().with_loopback());
    let config = json!({ "url": format!("{base}/slow") });
    let attempt = tokio::spawn(serde_json::from_value::<Http>(config).unwrap().run(context));
    ask.send(Some(StopReason::Cancelled)).unwrap();
    assert_eq!(attempt.await.unwrap().unwrap_err().failure.code, "cancelled");
}

#[tokio::test]
async fn forbidden_addresses_are_refused_however_they_are_written() {
    let base = server().await;
    let port = base.rsplit(':').next().unwrap();
    let (_ask, context) = context(AllowList::default());
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "169.254.169.254",
        "10.0.0.1",
        "[64:ff9b::7f00:1]",
    ] {
        let config = json!({ "url": format!("http://{host}:{port}/echo") });
        let http: Http = serde_json::from_value(config).unwrap();
        let error = http.run(context.clone()).await.unwrap_err();
        assert_eq!(error.failure.code, "blocked_address", "{host}");
    }
    for url in ["file:///etc/passwd", "gopher://x/", "ftp://x/", "x", "http://"] {
        let http: Http = serde_json::from_value(json!({ "url": url })).unwrap();
        assert_eq!(
            http.run(context.clone()).await.unwrap_err().failure.code,
            "bad_config",
            "{url}"
        );
    }
}

#[tokio::test]
async fn redirects_are_followed_where_they_may_lead() {
    let base = server().await;
    let redirect = |to: &str| {
        let headers = json!({ "X-To": to, "Authorization": "Bearer t" });
        json!({ "url": format!("{base}/redirect"), "headers": headers })
    };
    let output = send(redirect("/echo")).await.unwrap();
    assert_eq!(output["body"]["uri"], "/echo");
    let error = send(redirect("http://169.254.169.254/latest/meta-data")).await.unwrap_err();
    assert_eq!(error.failure.code, "blocked_address");
    let output = send(redirect("file:///etc/passwd")).await.unwrap();
    assert_eq!(output["status"], 307, "it is shown, and not followed");
    let error = send(redirect("/redirect")).await.unwrap_err();
    assert_eq!(error.failure.code, "redirect", "a loop of redirects ends");
    let elsewhere = server().await;
    let output = send(redirect(&format!("{elsewhere}/echo"))).await.unwrap();
    assert_eq!(output["body"]["authorization"], Value::Null, "credentials stay at home");
}
