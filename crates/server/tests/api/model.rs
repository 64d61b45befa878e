//! A language model for the tests, in OpenAI's format: it says what it was told to, one answer after
//! the other in each conversation.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

/// What a model says in its turn.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// A text.
    Text(String),
    /// The name of a tool and its arguments.
    Tool(String, Value),
}

/// Starts a model. Its address.
pub(crate) async fn start(answers: Vec<Says>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(answers);
    let router = Router::new().fallback(move |request: Request| {
        let answers = answers.clone();
        async move {
            let body = axum::body::to_bytes(request.into_body(), 10_000_000).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let messages = body["messages"].as_array().unwrap().iter();
            let turn = messages.filter(|message| message["role"] == "assistant").count();
            let mut response = Response::new(Body::from(stream(&answers[turn])));
            let kind = "text/event-stream".parse().unwrap();
            response.headers_mut().insert("content-type", kind);
            response
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// An answer as it is sent, for 15 tokens.
pub(crate) fn stream(says: &Says) -> String {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "model": "m",
            "choices": choices, "usage": usage });
        format!("data: {chunk}\n\n")
    };
    let (delta, finish) = match says {
        Says::Text(text) => (json!({ "role": "assistant", "content": text }), "stop"),
        Says::Tool(name, arguments) => {
            let function = json!({ "name": name, "arguments": arguments.to_string() });
            let call =
                json!({ "index": 0, "id": "call", "type": "function", "function": function });
            (json!({ "role": "assistant", "tool_calls": [call] }), "tool_calls")
        }
    };
    let usage = json!({ "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 });
    [
        chunk(json!([{ "index": 0, "delta": delta, "finish_reason": null }]), Value::Null),
        chunk(json!([{ "index": 0, "delta": {}, "finish_reason": finish }]), Value::Null),
        chunk(json!([]), usage),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat()
}
