//! What runs against the LiteLLM proxy.

use serde_json::{Value, json};

use crate::harness::{Attempt, Ended};
use crate::proxy;

async fn ask(config: Value) -> Ended {
    Attempt::at(&proxy::address(), proxy::KEY).run(config).await
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "title": { "type": "string" },
            "kind": { "enum": ["major", "minor", "patch"] },
            "count": { "type": "integer" },
            "note": { "type": "string" },
        },
        "required": ["title", "kind", "count"],
        "additionalProperties": false,
    })
}

#[tokio::test]
async fn an_answer_is_streamed_and_accounted_for() {
    // The same in three formats. The proxy does not count in Gemini's.
    for (model, input, output) in
        [("openai/plain", 9, 5), ("anthropic/claude-plain", 9, 5), ("gemini/plain", 0, 0)]
    {
        let config =
            json!({ "model": model, "prompt": "hi there", "temperature": 0.5, "max_tokens": 50 });
        let ended = ask(config).await;
        let answer = ended.output();
        assert_eq!(answer["text"], "Good morning, harbour.", "{model}");
        assert_eq!((&answer["json"], &answer["finish"]), (&Value::Null, &json!("stop")), "{model}");
        assert_eq!(ended.streamed(1), "Good morning, harbour.", "{model}");
        assert!(ended.live.len() > 3, "{model}: it came in pieces");
        let [usage] = ended.usage.as_slice() else { panic!("{model}: {:?}", ended.usage) };
        assert_eq!((usage.input_tokens, usage.output_tokens), (input, output), "{model}");
        assert_eq!(usage.cost_micros, Some(input * 10 + output * 100), "{model}");
        assert_eq!(answer["usage"], json!(usage), "{model}");
        assert_eq!(usage.provider, model.split('/').next().unwrap());
        assert!(usage.model.ends_with("plain"), "{model}: {usage:?}");
    }
}

#[tokio::test]
async fn an_answer_in_json_is_the_output() {
    for model in ["openai/json", "openai/fenced", "anthropic/claude-json", "gemini/json"] {
        let config = json!({ "model": model, "prompt": "hi", "output_schema": schema() });
        let ended = ask(config).await;
        let output = ended.output();
        assert_eq!((&output["title"], &output["count"]), (&json!("Nightly"), &json!(3)), "{model}");
        assert_eq!(output["json"]["kind"], "minor", "{model}");
        assert_eq!(ended.usage.len(), 1, "{model}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_for_again() {
    let config =
        json!({ "model": "openai/plain", "prompt": "hi", "output_schema": schema(), "re_asks": 1 });
    let ended = ask(config).await;
    assert_eq!(ended.error(), ("bad_output", false));
    assert_eq!(ended.message(), "the answer is not JSON (asked 2 times)");
    assert_eq!(ended.usage.len(), 2, "both answers are accounted for");
    let details = ended.result.as_ref().unwrap_err().failure.details.as_ref().unwrap();
    assert_eq!(details["text"], "Good morning, harbour.");
    assert!(ended.logs[0].contains("asked again"), "{:?}", ended.logs);
}

#[tokio::test]
async fn errors_have_the_codes_of_http() {
    let table = [
        ("openai/busy", "http_429", false),
        ("anthropic/busy", "http_429", false),
        ("gemini/busy", "http_429", false),
        ("openai/broken", "http_500", false),
        ("openai/long", "context_too_long", true),
        ("anthropic/long", "context_too_long", true),
        ("openai/nobody", "unknown_model", true),
    ];
    for (model, code, is_final) in table {
        let ended = ask(json!({ "model": model, "prompt": "hi" })).await;
        assert_eq!(ended.error(), (code, is_final), "{model}: {}", ended.message());
        assert_eq!(ended.usage, [], "{model}");
    }
    let attempt = Attempt::at(&proxy::address(), "sk-wrong");
    let ended = attempt.run(json!({ "model": "openai/plain", "prompt": "hi" })).await;
    assert!(matches!(ended.error(), ("http_400" | "http_401", true)), "{:?}", ended.error());
    assert!(!ended.message().contains("sk-wrong"), "{}", ended.message());
}

#[tokio::test]
async fn a_model_that_fails_is_followed_by_the_next() {
    let config = json!({
        "model": "openai/busy",
        "fallback": ["openai/long", "anthropic/claude-json", "openai/plain"],
        "prompt": "hi",
        "output_schema": schema(),
    });
    let ended = ask(config).await;
    assert_eq!(ended.output()["title"], "Nightly");
    assert_eq!(ended.logs.len(), 2, "{:?}", ended.logs);
    assert_eq!(ended.usage[0].provider, "anthropic");
    let config = json!({ "model": "openai/busy", "fallback": ["openai/long"], "prompt": "hi" });
    let ended = ask(config).await;
    assert_eq!(ended.error(), ("http_429", false), "what may pass is worth another attempt");
    let details = ended.result.as_ref().unwrap_err().failure.details.as_ref().unwrap();
    assert_eq!(details["models"][1]["code"], "context_too_long");
}

#[tokio::test]
async fn a_conversation_is_sent_whole() {
    let config = json!({
        "model": "openai/plain",
        "system": "Be brief.",
        "messages": [
            { "role": "user", "content": "hi" },
            { "role": "assistant", "content": "yes?", "tool_calls": [
                { "id": "c1", "name": "lookup", "arguments": { "berth": 7 } }
            ] },
            { "role": "tool", "tool_call_id": "c1", "content": { "ship": "Aurora" } },
            { "role": "user", "content": ["and", "now?"] },
        ],
        "tools": [{ "name": "lookup", "description": "Looks up a berth", "parameters": { "type": "object" } }],
    });
    for model in ["openai/plain", "anthropic/claude-plain", "gemini/plain"] {
        let mut config = config.clone();
        config["model"] = json!(model);
        assert_eq!(ask(config).await.output()["text"], "Good morning, harbour.", "{model}");
    }
}

#[tokio::test]
async fn a_prompt_file_says_what_whom_and_into_which_shape() {
    let dir = tempfile::tempdir().unwrap();
    let file = "---\nname: Changelog\nclient: openai/json\ninputs: {since: string}\noutput: {title: string, kind: major | minor | patch, count: integer}\n---\nSince {{ since }}.\n{{ output_schema }}\n";
    std::fs::write(dir.path().join("c.prompt.md"), file).unwrap();
    let attempt = || Attempt::at(&proxy::address(), proxy::KEY).prompts(dir.path().to_owned());
    let config = json!({ "prompt_file": "c.prompt.md", "inputs": { "since": "v1" } });
    assert_eq!(attempt().run(config.clone()).await.output()["kind"], "minor");
    let mut other = config;
    other["model"] = json!("openai/plain");
    other["re_asks"] = json!(0);
    assert_eq!(attempt().run(other).await.error(), ("bad_output", false), "the node's model wins");
    for (config, code) in [
        (json!({ "prompt_file": "c.prompt.md" }), "bad_inputs"),
        (json!({ "prompt_file": "../c.prompt.md" }), "prompt_not_found"),
    ] {
        assert_eq!(attempt().run(config).await.error(), (code, true));
    }
}

#[tokio::test]
async fn a_node_has_its_own_address_and_key_within_the_rules() {
    let config = json!({
        "model": "plain", "prompt": "hi", "base_url": proxy::address(), "api_key": proxy::KEY,
    });
    let nothing = || Attempt::with(json!({}));
    assert_eq!(nothing().run(config.clone()).await.error(), ("blocked_address", true));
    let ended = nothing().loopback().run(config.clone()).await;
    assert_eq!(ended.output()["text"], "Good morning, harbour.");
    assert_eq!(ended.usage[0].cost_micros, None, "nobody knows what it costs");
    // The operator's key stays at home.
    let mut without_key = config;
    without_key["api_key"] = Value::Null;
    let attempt = Attempt::at("http://127.0.0.1:9", proxy::KEY).loopback();
    assert!(matches!(attempt.run(without_key).await.error(), ("http_400" | "http_401", true)));
}
