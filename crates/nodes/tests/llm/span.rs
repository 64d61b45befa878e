//! What an exchange tells OpenTelemetry.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::{Value, json};
use tracing_subscriber::fmt::format::FmtSpan;

use crate::harness::Attempt;
use crate::proxy;

/// What all tests have written. It listens before the first exchange, since what was once asked for
/// while nobody listened may stay silent.
pub(crate) static TOLD: LazyLock<Lines> = LazyLock::new(|| {
    let lines = Lines::default();
    let writer = lines.clone();
    tracing_subscriber::fmt()
        .json()
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .init();
    lines
});

#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The spans of exchanges with this temperature, and all that was written.
fn spans(temperature: f64) -> (Vec<Value>, String) {
    let text = String::from_utf8(TOLD.0.lock().unwrap().clone()).unwrap();
    let spans = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|line| line["span"].clone())
        .filter(|span| span["gen_ai.request.temperature"] == temperature)
        .collect();
    (spans, text)
}

#[tokio::test]
async fn an_exchange_is_a_span_in_the_words_of_the_conventions() {
    let attempt = || Attempt::at(&proxy::address(), proxy::KEY);
    let prompt = "a secret harbour";
    let config =
        json!({ "model": "openai/plain", "prompt": prompt, "temperature": 0.625, "max_tokens": 9 });
    attempt().run(config).await.output();
    let config = json!({ "model": "anthropic/busy", "prompt": prompt, "temperature": 0.625 });
    attempt().run(config).await.error();
    let (spans, text) = spans(0.625);
    let [first, second] = spans.as_slice() else { panic!("{spans:?}") };
    for (name, value) in [
        ("name", json!("llm.chat")),
        ("otel.name", json!("chat plain")),
        ("otel.kind", json!("client")),
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("openai")),
        ("gen_ai.request.model", json!("plain")),
        ("gen_ai.request.max_tokens", json!(9)),
        ("gen_ai.request.stream", json!(true)),
        ("gen_ai.response.model", json!("plain")),
        ("gen_ai.response.finish_reasons", json!("stop")),
        ("gen_ai.output.type", json!("text")),
        ("server.address", json!("127.0.0.1")),
    ] {
        assert_eq!(first[name], value, "{name} in {first}");
    }
    for name in [
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.response.time_to_first_chunk",
    ] {
        assert!(first[name].as_f64().unwrap() > 0.0, "{name} in {first}");
    }
    let status = (&second["error.type"], &second["otel.status_code"]);
    assert_eq!(status, (&json!("http_429"), &json!("error")));
    for unwanted in [prompt, "Good morning", "mock rate limit", "sk-"] {
        assert!(!text.contains(unwanted), "`{unwanted}` is nobody's business");
    }
}
