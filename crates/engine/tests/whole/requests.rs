//! Requests to elsewhere: to a server on this machine that takes what it gets.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use windlass_core::run::RunStatus;
use windlass_nodes::{AllowList, HttpClient};

use crate::ground::Ground;
use crate::server::Secrets;

/// A request as it came: its headers in small letters, and its body.
struct Request {
    head: String,
    body: Value,
}

async fn take(stream: &mut TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).await.unwrap() > 0, "{head}");
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    reader.read_exact(&mut body).await.unwrap();
    Request { head, body: serde_json::from_slice(&body).unwrap() }
}

/// Answers each request with the next status, and says what it was asked.
async fn answer(listener: TcpListener, statuses: &[&str]) -> Vec<Request> {
    let mut requests = Vec::new();
    for status in statuses {
        let (mut stream, _) = listener.accept().await.unwrap();
        requests.push(take(&mut stream).await);
        let text = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\
             Connection: close\r\n\r\n{{\"ok\": true}}"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
    }
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_sent_whole_and_again_with_the_same_key_until_it_is_answered() {
    let ground = Ground::in_memory();
    let server = ground.serve_with(|config| {
        let allowed = AllowList::default().with_loopback();
        config.dispatch.http = Arc::new(HttpClient::new(allowed).unwrap());
        config.dispatch.secrets = Arc::new(Secrets(&[("token", "s3cret-t0ken")]));
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/orders", listener.local_addr().unwrap());
    let text = "
name: Ask
nodes:
  - id: ask
    type: http
    retry: { max_attempts: 3, delay: 1ms, on: [http_5xx] }
    config:
      method: POST
      url: \"{{ input.url }}\"
      query: { page: 2 }
      headers: { Authorization: \"Bearer {{ secrets.token }}\" }
      body: { question: \"how are {{ input.who }}?\", list: [1, \"{{ input.n }}\"] }
output: \"{{ ask.output.body.ok }}\"
";
    let input = json!({ "url": url, "who": "you", "n": 7 });
    let statuses = ["503 Service Unavailable", "200 OK"];
    let (run, requests) = tokio::join!(server.run(text, input), answer(listener, &statuses));
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.error);
    assert_eq!(run.output.as_deref(), Some(&json!(true)));
    for request in &requests {
        assert_eq!(request.body, json!({ "question": "how are you?", "list": [1, 7] }));
        assert!(request.head.starts_with("post /orders?page=2 "), "{}", request.head);
        assert!(request.head.contains("authorization: bearer s3cret-t0ken"), "{}", request.head);
        let key = format!("idempotency-key: {}/ask", run.run_id);
        assert!(request.head.contains(&key), "{}", request.head);
    }
    assert_eq!(server.step(run.run_id, "ask").attempt, 2);
    server.stop().await;
}
