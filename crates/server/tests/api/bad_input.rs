use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_definition_is_told_with_its_place() {
    let server = Server::new();
    let deploy =
        async |text: &'static str| server.ask(Method::POST, "/api/v1/workflows", text).await;
    let yaml = deploy("name: x\nnodes: [\n  {id: a").await;
    assert_eq!((yaml.status.as_u16(), yaml.problem().as_str()), (400, "bad-document"));
    assert!(yaml.body["errors"][0]["line"].as_u64().unwrap() >= 2, "{}", yaml.body);
    assert!(yaml.body["errors"][0]["column"].is_u64());
    let json = deploy("{\"name\": \"x\",\n \"nodes\": [}").await;
    assert_eq!(json.problem(), "bad-document");
    assert_eq!(json.body["errors"][0]["line"], 2);
    assert_eq!(deploy("").await.status.as_u16() / 100, 4);
    let shape = deploy("name: x\nnode: []\nnodes:\n  - {id: a, type: noop}\n").await;
    assert_eq!((shape.status.as_u16(), shape.problem().as_str()), (422, "invalid-definition"));
    insta::assert_snapshot!("unknown_field", redacted(&shape.body));
    let bytes = server.ask(Method::POST, "/api/v1/workflows", vec![b'n', 0xff, 0xfe]).await;
    assert_eq!(bytes.problem(), "bad-document");
    assert_eq!(server.get("/api/v1/workflows").await.body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_fit_is_told_with_its_place() {
    let server = Server::new();
    server.deploy(ADD).await;
    let path = "/api/v1/workflows/add/execute";
    let send = async |body: &'static str| server.ask(Method::POST, path, body).await;
    let cut = send("{\"input\": {\"n\": 1}").await;
    assert_eq!((cut.status.as_u16(), cut.problem().as_str()), (400, "bad-json"));
    assert!(cut.body["detail"].as_str().unwrap().starts_with("line 1, column 18"), "{}", cut.body);
    let unknown = send("{\"inputs\": {\"n\": 1}}").await;
    assert_eq!((unknown.status.as_u16(), unknown.problem().as_str()), (422, "invalid-request"));
    assert_eq!(unknown.body["errors"][0]["hint"], "did you mean `input`?");
    let wrong = send("{\"input\": {\"n\": 1}, \"labels\": {\"a\": 1}}").await;
    assert_eq!(wrong.body["errors"][0]["path"], "/labels/a", "{}", wrong.body);
    assert_eq!(send("[]").await.problem(), "invalid-request");
    assert_eq!(send("3").await.problem(), "invalid-request");
    let input = send("{\"input\": {\"n\": \"one\"}}").await;
    assert_eq!((input.status.as_u16(), input.problem().as_str()), (422, "invalid-input"));
    insta::assert_snapshot!("invalid_input", redacted(&input.body));
    let deep =
        format!("{{\"input\": {{\"n\": 1, \"x\": {}1{}}}}}", "[".repeat(110), "]".repeat(110));
    let deep = server.ask(Method::POST, path, deep).await;
    assert_eq!(deep.problem(), "invalid-input");
    let deeper = format!("{{\"input\": {}1{}}}", "[".repeat(9_000), "]".repeat(9_000));
    assert_eq!(server.ask(Method::POST, path, deeper).await.problem(), "bad-json");
    let labels = send("{\"input\": {\"n\": 1}, \"labels\": {\"\": \"x\"}}").await;
    assert_eq!(labels.problem(), "bad-parameter");
    assert_eq!(server.get("/api/v1/runs").await.body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_413() {
    let server = Server::new();
    server.deploy("name: any\nnodes:\n  - {id: a, type: noop}\n").await;
    let path = "/api/v1/workflows/any/execute";
    let input = json!({ "input": { "x": "y".repeat(16 * 1024 * 1024) } });
    let answer = server.post(path, input).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (413, "input-too-large"));
    let definition = format!("name: big\ndescription: {}\n", "x".repeat(3 * 1024 * 1024));
    let answer = server.ask(Method::POST, "/api/v1/workflows", definition).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (413, "body-too-large"));
    let body = vec![b' '; 21 * 1024 * 1024];
    let answer = server.ask(Method::POST, path, body).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (413, "body-too-large"));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_problems() {
    let server = Server::new();
    let path = server.get("/api/v1/run").await;
    assert_eq!((path.status.as_u16(), path.problem().as_str()), (404, "no-such-route"));
    for (method, path) in [
        (Method::PATCH, "/api/v1/workflows"),
        (Method::GET, "/api/v1/runs/x/cancel"),
        (Method::POST, "/livez"),
        (Method::DELETE, "/runs"),
    ] {
        let answer = server.ask(method, path, "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.problem(), "method-not-allowed");
        assert!(!answer.header("allow").is_empty(), "{path}");
    }
    // A browser is shown a page.
    let mistyped = request(Method::GET, "/rnus").header("accept", "text/html,*/*;q=0.8");
    let page = server.send(mistyped.body("".into()).unwrap()).await;
    assert_eq!(
        (page.status.as_u16(), page.header("content-type")),
        (404, "text/html; charset=utf-8")
    );
    let odd = server.get("/api/v1/runs/%ff").await;
    assert_eq!(odd.status.as_u16(), 400, "{}", odd.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_words_find_nothing_and_break_nothing() {
    let server = Server::new();
    for word in
        ["%00", "'%20OR%201=1", "..%2F..", "%F0%9F%8C%8A", &"x".repeat(5_000), "%25", "a%2Fb"]
    {
        for path in [format!("/api/v1/runs/{word}"), format!("/api/v1/workflows/{word}")] {
            let answer = server.get(&path).await;
            assert_eq!(answer.status, 404, "{path:.80}: {}", answer.body);
            answer.problem();
        }
        for path in ["/api/v1/runs?text=", "/api/v1/runs?workflow=", "/api/v1/runs?label=a="] {
            let answer = server.get(&format!("{path}{word}")).await;
            assert!(answer.status.as_u16() < 500, "{path}{word:.80}: {}", answer.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_told_in_plain_words() {
    let server = Server::new();
    server.deploy(ADD).await;
    let run = server.run("add", json!({ "n": 1 })).await;
    let run = run["id"].as_str().unwrap();
    for (path, detail) in [
        ("/api/v1/audit?after=", "`after`: a whole number is expected"),
        ("/api/v1/runs?text=a&text=b", "`text`: is given twice"),
        ("/api/v1/audit?after=soon", "`after`: a whole number is expected"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.problem(), "bad-parameter", "{path}");
        assert_eq!(answer.body["detail"], detail, "{path}");
    }
    // Who looks at pages is answered with one.
    let page = server.get(&format!("/runs/{run}?at=now")).await;
    assert_eq!(page.status, 400);
    assert!(page.header("content-type").starts_with("text/html"), "{}", page.body);
    assert!(page.body.as_str().unwrap().contains("a whole number is expected"), "{}", page.body);
    let part = server.get(&format!("/runs/{run}/drawer?at=now")).await;
    assert_eq!(part.problem(), "bad-parameter");
}
