use axum::body::Body;
use axum::http::Method;

use crate::harness::*;

const SITE: &str = "https://app.example.com";

async fn ask(server: &Server, method: Method, origin: &str) -> Answer {
    let path = "/api/v1/workflows";
    let preflight = method == Method::OPTIONS;
    let mut request = request(method, path).header("origin", origin);
    if preflight {
        request = request
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,idempotency-key");
    }
    server.send(request.body(Body::from(if preflight { "" } else { ADD })).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_site_may_ask_by_itself() {
    let server = Server::new();
    for method in [Method::GET, Method::OPTIONS, Method::POST] {
        let answer = ask(&server, method, SITE).await;
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    assert_eq!(ask(&server, Method::POST, SITE).await.problem(), "origin-not-allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_that_are_named_may_ask_without_cookies() {
    let server = Server::with(|config| config.server.cors_allowed_origins = vec![SITE.to_owned()]);
    let preflight = ask(&server, Method::OPTIONS, SITE).await;
    assert_eq!(preflight.header("access-control-allow-origin"), SITE);
    assert!(preflight.header("access-control-allow-headers").contains("authorization"));
    assert_eq!(preflight.header("access-control-allow-credentials"), "");
    let posted = ask(&server, Method::POST, SITE).await;
    assert_eq!(posted.status, 201, "{}", posted.body);
    assert_eq!(posted.header("access-control-allow-origin"), SITE);
    for other in ["https://app.example.com.evil.example", "http://app.example.com", "null"] {
        let answer = ask(&server, Method::OPTIONS, other).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{other}");
        assert_eq!(ask(&server, Method::POST, other).await.problem(), "origin-not-allowed");
    }
}
