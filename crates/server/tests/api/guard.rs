use axum::body::Body;
use axum::http::{Method, Request};

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn only_names_of_this_machine_are_answered() {
    let server = Server::with(|config| config.server.hosts.push("windlass.internal".into()));
    let ask = async |host: &str| {
        let request = Request::builder().uri("/livez").header("host", host);
        server.send(request.body(Body::empty()).unwrap()).await
    };
    for host in ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "WINDLASS.internal"] {
        assert_eq!(ask(host).await.status, 200, "{host}");
    }
    for host in ["example.org", "127.0.0.1.example.org", "10.0.0.1", "localhost.example.org"] {
        let answer = ask(host).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (421, "host-not-allowed"));
    }
    let without = Request::builder().uri("/livez").body(Body::empty()).unwrap();
    assert_eq!(server.send(without).await.problem(), "bad-parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_change_nothing() {
    let server = Server::new();
    let post = async |name: &str, value: &str| {
        let request = request(Method::POST, "/api/v1/workflows").header(name, value);
        server.send(request.body(ADD.into()).unwrap()).await
    };
    for (name, value) in [
        ("origin", "https://example.org"),
        ("origin", "null"),
        ("origin", "http://localhost:9999"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = post(name, value).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem().as_str()),
            (403, "origin-not-allowed")
        );
    }
    assert_eq!(post("origin", "http://localhost:8000").await.status, 201);
    assert_eq!(post("sec-fetch-site", "same-origin").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_run_no_script_but_their_own() {
    let server = Server::new();
    let page = server.get("/runs").await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
    assert!(!policy.contains("unsafe"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("x-frame-options"), "DENY");
}
