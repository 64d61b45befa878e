//! Exchanges as providers document them, for what the proxy does not do.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use windlass_nodes::llm::{At, Call, Chat, LlmSettings, Message, Meter, Role, Tally, ask};
use windlass_nodes::{AllowList, HttpClient, StopReason};

use crate::harness::{Attempt, Ended};

/// One answer: its status, its headers, its body.
type Answer = (u16, Vec<(&'static str, &'static str)>, String);

/// A server that gives these answers one after the other, and what it was asked: path, headers of
/// interest, and body.
struct Recorded {
    address: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Recorded {
    async fn start(answers: Vec<Answer>) -> Recorded {
        let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (remember, answers) = (asked.clone(), Arc::new(Mutex::new(answers.into_iter())));
        let router = Router::new().fallback(move |request: Request| {
            let (remember, answers) = (remember.clone(), answers.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1_000_000).await.unwrap();
                let header = |name: &str| {
                    parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
                };
                let key =
                    ["authorization", "x-api-key", "x-goog-api-key"].into_iter().find_map(header);
                remember.lock().unwrap().push(json!({
                    "uri": parts.uri.to_string(),
                    "key": key,
                    "body": serde_json::from_slice::<Value>(&body).unwrap_or_default(),
                }));
                let (status, headers, body) =
                    answers.lock().unwrap().next().expect("no more answers");
                let mut response = Response::new(Body::from(body));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                for (name, value) in headers {
                    response.headers_mut().insert(name, value.parse().unwrap());
                }
                response
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Recorded { address, asked }
    }

    async fn run(&self, config: Value) -> Ended {
        Attempt::at(&self.address, "sk-1").run(config).await
    }

    fn asked(&self, number: usize) -> Value {
        self.asked.lock().unwrap()[number].clone()
    }
}

fn events(events: &[Value]) -> Answer {
    let named = |event: &Value| match event.get("type").and_then(Value::as_str) {
        Some(name) => format!("event: {name}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    };
    (200, vec![("content-type", "text/event-stream")], events.iter().map(named).collect())
}

/// An answer in OpenAI's format, as it documents it: the usage comes last, in a chunk of its own.
fn openai(text: &str, finish: &str, usage: Value) -> Answer {
    let chunk = |delta: Value, finish: Value| {
        json!({ "id": "c", "object": "chat.completion.chunk", "model": "gpt-5-mini-2026-08-07",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }], "usage": null })
    };
    let half = text.len() / 2;
    let (status, headers, mut body) = events(&[
        chunk(json!({ "role": "assistant", "content": text[..half] }), Value::Null),
        chunk(json!({ "content": text[half..] }), Value::Null),
        chunk(json!({}), json!(finish)),
        json!({ "id": "c", "object": "chat.completion.chunk", "model": "gpt-5-mini-2026-08-07", "choices": [], "usage": usage }),
    ]);
    body.push_str("data: [DONE]\n\n");
    (status, headers, body)
}

fn some_usage() -> Value {
    json!({ "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
        "prompt_tokens_details": { "cached_tokens": 80 } })
}

#[tokio::test]
async fn what_was_wrong_is_told_to_the_model() {
    let server = Recorded::start(vec![
        openai(r#"{"count": "three"}"#, "stop", some_usage()),
        openai(r#"{"count": 3, "note": null}"#, "stop", some_usage()),
    ])
    .await;
    let schema = json!({
        "type": "object",
        "properties": { "count": { "type": "integer" }, "note": { "type": "string" } },
        "required": ["count"],
    });
    let config =
        json!({ "model": "gpt-5-mini", "prompt": "hi", "output_schema": schema, "max_tokens": 9 });
    let ended = server.run(config).await;
    assert_eq!(ended.output()["json"], json!({ "count": 3 }), "a null that was forced is left out");
    assert_eq!((ended.streamed(1), ended.streamed(2).len()), (r#"{"count": "three"}"#.into(), 26));
    let [first, _] = ended.usage.as_slice() else { panic!("{:?}", ended.usage) };
    assert_eq!((first.input_tokens, first.output_tokens, first.cached_tokens), (100, 20, 80));
    assert_eq!(first.cost_micros, Some(20 * 10 + 80 + 20 * 100));
    assert_eq!(first.model, "gpt-5-mini-2026-08-07", "the model that really answered");
    let first = server.asked(0);
    assert_eq!(
        (&first["uri"], &first["key"]),
        (&json!("/v1/chat/completions"), &json!("Bearer sk-1"))
    );
    assert_eq!(first["body"]["response_format"]["json_schema"]["strict"], true);
    assert_eq!(first["body"]["stream_options"], json!({ "include_usage": true }));
    assert_eq!(first["body"]["max_completion_tokens"], 9);
    let again = &server.asked(1)["body"]["messages"];
    assert_eq!(again[1], json!({ "role": "assistant", "content": r#"{"count": "three"}"# }));
    let told = again[2]["content"].as_str().unwrap();
    assert!(told.contains("/count: expected integer, got string"), "{told}");
}

#[tokio::test]
async fn a_schema_can_be_told_in_words() {
    let server = Recorded::start(vec![openai("[1]", "stop", some_usage())]).await;
    let config = json!({
        "model": "openai/qwen-max", "prompt": { "a": 1 }, "system": "Be brief.", "temperature": 0,
        "output_schema": { "type": "array" }, "structured_output": false,
    });
    assert_eq!(server.run(config).await.output()["json"], json!([1]));
    let body = &server.asked(0)["body"];
    assert_eq!(body.get("response_format"), None);
    let system = body["messages"][0]["content"].as_str().unwrap();
    assert!(system.starts_with("Be brief.\n\nAnswer with nothing but JSON"), "{system}");
    assert_eq!(body["messages"][1]["content"], r#"{"a":1}"#);
    assert_eq!(body["model"], "qwen-max", "the name is sent as it is");
    assert_eq!(body.get("reasoning_effort"), None);
}

#[tokio::test]
async fn a_short_retry_after_is_waited_for() {
    let busy = |header: &'static str| (429, vec![("retry-after", header)], String::from("{}"));
    let server = Recorded::start(vec![busy("1"), openai("Hello", "stop", some_usage())]).await;
    let started_at = Instant::now();
    let ended = server.run(json!({ "model": "gpt-5", "prompt": "hi" })).await;
    assert_eq!(ended.output()["text"], "Hello");
    assert!(started_at.elapsed() >= Duration::from_secs(1));
    assert_eq!(ended.logs.len(), 1, "{:?}", ended.logs);
    let server = Recorded::start(vec![busy("600")]).await;
    let ended = server.run(json!({ "model": "gpt-5", "prompt": "hi" })).await;
    assert_eq!(ended.error(), ("http_429", false));
    let error = ended.result.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(600)), "the retry policy waits instead");
    let details = error.failure.details.unwrap();
    assert_eq!(details, json!({ "retry_after_ms": 600_000 }));
}

#[tokio::test]
async fn a_refusal_and_a_cut_are_told_apart() {
    let server = Recorded::start(vec![openai("I", "content_filter", some_usage())]).await;
    let ended = server.run(json!({ "model": "gpt-5", "prompt": "hi" })).await;
    assert_eq!(ended.error(), ("llm_refused", true));
    assert_eq!(ended.usage.len(), 1, "a refusal costs as well");
    let cut = || openai(r#"{"a": "#, "length", some_usage());
    let server = Recorded::start(vec![cut(), cut()]).await;
    let config = json!({ "model": "gpt-5", "prompt": "hi" });
    assert_eq!(server.run(config.clone()).await.output()["finish"], "length");
    let mut config = config;
    config["output_schema"] = json!({ "type": "object" });
    assert_eq!(server.run(config).await.error(), ("output_truncated", true));
}

#[tokio::test]
async fn an_answer_without_its_end_is_none() {
    let chunk = json!({ "model": "m", "choices": [{ "index": 0, "delta": { "content": "Hel" } }] });
    let gemini = json!({ "candidates": [{ "content": { "parts": [{ "text": "Hel" }], "role": "model" } }],
        "usageMetadata": { "promptTokenCount": 7, "candidatesTokenCount": 1 }, "modelVersion": "gemini-x" });
    let start = json!({ "type": "message_start", "message": { "model": "claude-x", "content": [],
        "usage": { "input_tokens": 7, "output_tokens": 1 } } });
    for (model, event, used) in
        [("gpt-5", chunk, None), ("gemini-x", gemini, Some(7)), ("claude-x", start, Some(7))]
    {
        let server = Recorded::start(vec![events(&[event])]).await;
        let ended = server.run(json!({ "model": model, "prompt": "hi" })).await;
        assert_eq!(ended.error(), ("exchange", false), "{model}");
        let input_tokens = ended.usage.first().map(|usage| usage.input_tokens);
        assert_eq!(input_tokens, used, "{model}: what it used until then counts");
    }
}

#[tokio::test]
async fn what_is_known_of_an_exchange_that_is_given_up_is_accounted_for() {
    let start = json!({ "type": "message_start", "message": { "model": "claude-x", "content": [],
        "usage": { "input_tokens": 7, "output_tokens": 1 } } });
    let text = json!({ "type": "content_block_delta", "index": 0,
        "delta": { "type": "text_delta", "text": "Hel" } });
    let router = Router::new().fallback(move || {
        let (_, _, first) = events(&[start.clone(), text.clone()]);
        async move {
            let first = futures_util::stream::once(async { Ok::<_, std::io::Error>(first) });
            let silence = futures_util::stream::pending();
            let body = futures_util::StreamExt::chain(first, silence);
            let mut response = Response::new(Body::from_stream(body));
            let kind = "text/event-stream".parse().unwrap();
            response.headers_mut().insert("content-type", kind);
            response
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let provider = json!({ "base_url": address, "api_key": "sk" });
    let settings: LlmSettings =
        serde_json::from_value(json!({ "providers": { "anthropic": provider } })).unwrap();
    let guarded = HttpClient::new(AllowList::default()).unwrap();
    let target = settings.target("claude-x", &At::default(), &guarded).unwrap();
    let messages = vec![Message::new(Role::User, "hi")];
    let chat = Chat { messages, ..Chat::default() };
    let tally = Arc::new(Tally::default());
    let meter = Meter::new(tally.clone());
    let call = Call { chat: &chat, limit: Duration::from_secs(600), meter: &meter };
    let begun = tokio::sync::Notify::new();
    tokio::select! {
        result = ask(&target, call, |_| begun.notify_one()) => panic!("{result:?}"),
        () = begun.notified() => {}
    }
    let known = tally.take();
    assert_eq!(known.first().map(|usage| usage.input_tokens), Some(7));
}

#[tokio::test]
async fn errors_in_the_middle_have_their_codes() {
    let anthropic = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let openai = json!({ "error": { "message": "slow down", "type": "x", "code": "429" } });
    for (model, event, code) in [("claude-x", anthropic, "http_529"), ("gpt-5", openai, "http_429")]
    {
        let server = Recorded::start(vec![events(&[event])]).await;
        let ended = server.run(json!({ "model": model, "prompt": "hi" })).await;
        assert_eq!(ended.error(), (code, false), "{model}: {}", ended.message());
    }
}

#[tokio::test]
async fn tools_that_a_model_wants_are_in_the_output() {
    let call = |arguments: &str, id: Option<&str>| {
        let mut call = json!({ "index": 0, "function": { "arguments": arguments } });
        if let Some(id) = id {
            call["id"] = json!(id);
            call["function"]["name"] = json!("lookup");
        }
        json!({ "model": "m", "choices": [{ "index": 0, "delta": { "tool_calls": [call] }, "finish_reason": null }] })
    };
    let (status, headers, mut body) = events(&[
        call("", Some("call_1")),
        call("{\"ber", None),
        call("th\": 7}", None),
        json!({ "model": "m", "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }] }),
    ]);
    body.push_str("data: [DONE]\n\n");
    let anthropic = events(&[
        json!({ "type": "message_start", "message": { "model": "claude-x", "content": [],
            "usage": { "input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 1 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "tool_use", "id": "call_1", "name": "lookup", "input": {} } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "input_json_delta", "partial_json": "{\"berth\": 7}" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": { "output_tokens": 20 } }),
        json!({ "type": "message_stop" }),
    ]);
    let gemini = events(&[json!({
        "candidates": [{ "content": { "role": "model", "parts": [
            { "functionCall": { "id": "call_1", "name": "lookup", "args": { "berth": 7 } } }
        ] }, "finishReason": "STOP" }],
        "usageMetadata": { "promptTokenCount": 100, "candidatesTokenCount": 20, "cachedContentTokenCount": 90 },
        "modelVersion": "gemini-x-001",
    })]);
    for (model, answer) in
        [("gpt-5", (status, headers, body)), ("claude-x", anthropic), ("gemini-x", gemini)]
    {
        let server = Recorded::start(vec![answer]).await;
        let config = json!({
            "model": model, "prompt": "hi", "tools": [{ "name": "lookup" }],
            "output_schema": { "type": "object", "required": ["never"] },
        });
        let ended = server.run(config).await;
        let output = ended.output();
        assert_eq!(output["finish"], "tool_calls", "{model}");
        assert_eq!(output["tool_calls"][0]["name"], "lookup", "{model}");
        assert_eq!(output["tool_calls"][0]["arguments"], json!({ "berth": 7 }), "{model}");
        let usage = ended.usage.first();
        if model != "gpt-5" {
            let counts = usage.map(|it| (it.input_tokens, it.cached_tokens, it.output_tokens));
            assert_eq!(counts, Some((100, 90, 20)), "{model}");
        }
        let asked = server.asked(0);
        assert_eq!(asked["key"].as_str().unwrap().trim_start_matches("Bearer "), "sk-1", "{model}");
    }
}

#[tokio::test]
async fn a_key_follows_no_redirect() {
    let elsewhere = Recorded::start(vec![openai("Hello", "stop", some_usage())]).await;
    let to: &'static str = Box::leak(format!("{}/v1/messages", elsewhere.address).into_boxed_str());
    let server = Recorded::start(vec![(307, vec![("location", to)], String::new())]).await;
    let ended = server.run(json!({ "model": "claude-x", "prompt": "hi" })).await;
    assert_eq!(ended.error(), ("http_307", true));
    assert!(elsewhere.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn it_ends_in_time_and_when_it_is_asked_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    let config = json!({ "model": "gpt-5", "prompt": "hi", "timeout": "50ms" });
    let ended = Attempt::at(&silent, "sk-1").run(config).await;
    assert_eq!(ended.error(), ("timeout", false));
    let config = json!({ "model": "gpt-5", "prompt": "hi" });
    let (ask, attempt) = Attempt::at(&silent, "sk-1").start(config.clone());
    ask.send(Some(StopReason::Cancelled)).unwrap();
    assert_eq!(attempt.await.unwrap().error(), ("cancelled", true));
    drop(listener);
    assert_eq!(Attempt::at(&silent, "sk-1").run(config).await.error(), ("connect", false));
}
