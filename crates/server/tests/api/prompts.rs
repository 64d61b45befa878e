//! Prompt files over HTTP: read, filled in, and tried out with models of the LiteLLM proxy.

use std::path::Path;

use serde_json::{Value, json};
use windlass_server::config::Config;

use crate::harness::*;
use crate::proxy;

const RELEASE: &str = "---
name: Release
description: Names a release
client: openai/json
inputs:
  since: string
  scope: string?
output: {title: string, kind: major | minor | patch, count: integer}
colour: blue
---
What is new since {{ since }}{% if scope %} in {{ scope }}{% endif %}?
";

/// A server with a directory of prompts, and models behind it.
fn server(prompts: &Path) -> Server {
    Server::with(|config| with_models(config, prompts))
}

fn with_models(config: &mut Config, prompts: &Path) {
    config.llm.prompts = Some(prompts.to_owned());
    let provider = json!({ "base_url": proxy::address(), "api_key": proxy::KEY });
    config.llm.providers.insert("openai".into(), serde_json::from_value(provider).unwrap());
    let price = json!({ "input": 10.0, "output": 100.0 });
    config.llm.prices.insert("*".into(), serde_json::from_value(price).unwrap());
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("release.prompt.md", RELEASE);
    write("base.prompt.md", "---\nname: Base\ninputs: {tone: string}\n---\nBe {{ tone }}.");
    write("deep/short.prompt.md", "---\nname: Short\nextends: base.prompt.md\n---\nNever read.");
    write("broken.prompt.md", "no head");
    directory
}

async fn post(server: &Server, verb: &str, body: Value) -> Answer {
    server.post(&format!("/api/prompts/{verb}"), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn prompt_files_are_listed_read_and_filled_in() {
    let directory = directory();
    let server = Server::with(|config| config.llm.prompts = Some(directory.path().to_owned()));
    let listed = server.get("/api/prompts").await.body;
    let paths = listed["items"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap());
    let wanted =
        ["base.prompt.md", "broken.prompt.md", "deep/short.prompt.md", "release.prompt.md"];
    assert_eq!(paths.collect::<Vec<_>>(), wanted);
    assert_eq!(listed["items"][3]["inputs"], json!(["since", "scope"]));
    let error = listed["items"][1]["error"].as_str().unwrap();
    assert!(error.contains("begins with a line of `---`"), "{error}");

    let parsed = post(&server, "parse", json!({ "source": RELEASE })).await;
    assert_eq!(parsed.status, 200, "{}", parsed.body);
    insta::assert_snapshot!("parsed_prompt", redacted(&parsed.body));
    let of_file = post(&server, "parse", json!({ "prompt_path": "release.prompt.md" })).await.body;
    assert_eq!(of_file, parsed.body);
    let short = post(&server, "parse", json!({ "prompt_path": "deep/short.prompt.md" })).await.body;
    assert_eq!(short["inputs_schema"]["required"], json!(["tone"]), "taken over: {short}");

    let inputs = json!({ "since": "May", "scope": "the pages" });
    let request = json!({ "prompt_path": "release.prompt.md", "inputs": inputs });
    let rendered = post(&server, "render", request).await.body;
    assert_eq!(rendered["rendered"], "What is new since May in the pages?");
    assert_eq!(rendered["client"], "openai/json");
    let request = json!({ "source": RELEASE, "inputs": { "since": "{{ scope }}" } });
    let rendered = post(&server, "render", request).await.body;
    assert_eq!(rendered["rendered"], "What is new since {{ scope }}?", "an input is no template");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_prompt_is_told_with_its_place() {
    let directory = directory();
    let server = Server::with(|config| config.llm.prompts = Some(directory.path().to_owned()));
    let source = |text: &str| json!({ "source": text });
    let file = |path: &str| json!({ "prompt_path": path });
    let filled = |inputs: Value| json!({ "source": RELEASE, "inputs": inputs });
    let large = format!("---\nname: x\n---\n{}", "x".repeat(300_000));
    for (verb, request, code) in [
        ("parse", json!({}), "invalid-request"),
        ("parse", json!({ "source": RELEASE, "prompt_path": "x" }), "invalid-request"),
        ("parse", json!({ "source": RELEASE, "inputs": {} }), "invalid-request"),
        ("parse", source("no head"), "bad-prompt"),
        ("parse", source("---\nclient: x/y\n---\n"), "bad-prompt"),
        ("parse", source(&large), "bad-prompt"),
        ("parse", file("none.prompt.md"), "prompt-not-found"),
        ("parse", file("../../etc/passwd"), "prompt-not-found"),
        ("render", file("broken.prompt.md"), "bad-prompt"),
        ("render", source("---\nname: x\nextends: none.prompt.md\n---\n"), "prompt-not-found"),
        ("render", filled(json!({})), "bad-inputs"),
        ("render", filled(json!({ "since": 3 })), "bad-inputs"),
        ("render", filled(json!({ "since": "May", "more": 1 })), "bad-inputs"),
        ("render", source("---\nname: x\n---\n{{ nobody }}"), "prompt-render"),
        ("render", source("---\nname: x\n---\n{% if %}"), "prompt-render"),
        ("test", filled(json!({})), "bad-inputs"),
        ("test", source("---\nname: x\ntype: agent\ntools: [nope]\n---\nHi"), "invalid-request"),
    ] {
        let answer = post(&server, verb, request.clone()).await;
        assert_eq!(answer.problem(), code, "{verb} {request:.200}: {}", answer.body);
    }
    let wrong = post(&server, "parse", source("---\nname: x\nmax_turns: many\n---\n")).await.body;
    let error = &wrong["errors"][0];
    assert_eq!((&error["path"], &error["line"]), (&json!("/max_turns"), &json!(3)), "{wrong}");
    let missing = post(&server, "render", filled(json!({}))).await.body;
    assert_eq!(missing["errors"][0]["message"], "the field `since` is missing", "{missing}");

    let without = Server::new();
    assert_eq!(without.get("/api/prompts").await.problem(), "prompt-not-found");
    let parsed = post(&without, "parse", source(RELEASE)).await;
    assert_eq!(parsed.status, 200, "a text needs no directory: {}", parsed.body);
    let extends = source("---\nname: x\nextends: base.prompt.md\n---\n");
    assert_eq!(post(&without, "parse", extends).await.problem(), "prompt-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_is_tried_out_with_a_model() {
    let directory = directory();
    let server = server(directory.path());
    let request = |model: Value| json!({ "prompt_path": "release.prompt.md", "inputs": { "since": "May" }, "model": model });
    let tested = post(&server, "test", request(Value::Null)).await;
    assert_eq!(tested.status, 200, "{}", tested.body);
    let tested = tested.body;
    assert_eq!(
        (&tested["status"], &tested["fits"], &tested["error"]),
        (&json!("succeeded"), &json!(true), &Value::Null),
        "{tested}"
    );
    assert_eq!(tested["output"], json!({ "title": "Nightly", "kind": "minor", "count": 3 }));
    assert_eq!(tested["rendered"], "What is new since May?");
    assert!(tested["reply"].as_str().unwrap().starts_with('{'), "{tested}");
    let [usage] = tested["usage"].as_array().unwrap().as_slice() else { panic!("{tested}") };
    assert!(usage["input_tokens"].as_u64().unwrap() > 0 && usage["cost_micros"].is_u64());

    // The model's answer is shown as it came, also if it is not what was asked for.
    let tested = post(&server, "test", request(json!("openai/plain"))).await.body;
    assert_eq!(
        (&tested["status"], &tested["fits"], &tested["error"]["code"]),
        (&json!("failed"), &json!(false), &json!("bad_output")),
        "{tested}"
    );
    assert_eq!(tested["reply"], "Good morning, harbour.");
    assert_eq!(tested["output"], json!({ "text": "Good morning, harbour." }));
    assert_eq!(tested["usage"].as_array().unwrap().len(), 1, "it was not asked again");

    let tested = post(&server, "test", request(json!("nobody-has-this"))).await.body;
    assert_eq!(tested["error"]["code"], "unknown_model", "{tested}");
    assert_eq!((&tested["reply"], &tested["fits"]), (&Value::Null, &Value::Null));
    let tested = post(&server, "test", request(json!("openai/broken"))).await.body;
    assert_eq!(tested["error"]["code"], "http_500", "{tested}");
    let free = json!({ "source": "---\nname: Hi\nclient: openai/plain\n---\nHello" });
    let tested = post(&server, "test", free).await.body;
    assert_eq!((&tested["status"], &tested["fits"]), (&json!("succeeded"), &Value::Null));
    let agent = json!({ "source": "---\nname: Hi\nclient: openai/plain\ntype: agent\n---\nHello" });
    let tested = post(&server, "test", agent).await.body;
    assert_eq!(tested["reply"], "Good morning, harbour.", "{tested}");
    assert_eq!(server.get("/api/v1/runs").await.body["items"], json!([]), "no run was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_for_its_model_a_prompt_is_not_tried_out() {
    let server = Server::with(|config| {
        let provider = json!({ "base_url": null, "api_key": null });
        config.llm.providers.insert("gemini".into(), serde_json::from_value(provider).unwrap());
    });
    // Unless the developer has one, in which case the test must not spend it.
    let names = ["GEMINI_API_KEY", "GOOGLE_API_KEY", "GEMINI_BASE_URL"];
    assert!(names.iter().all(|name| std::env::var_os(name).is_none()), "unset {names:?}");
    let request = json!({ "source": "---\nname: Hi\nclient: gemini/flash\n---\nHello" });
    let answer = post(&server, "test", request).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (503, "model-key-missing"));
    assert_eq!(answer.header("retry-after"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_read_may_fill_in_and_only_an_editor_may_ask_a_model() {
    let directory = directory();
    let server = Server::with(|config| {
        config.llm.prompts = Some(directory.path().to_owned());
        config.access.server_api_key = Some(ADMIN.into());
    });
    let made = server.key(json!({ "name": "vera", "role": "viewer" })).await;
    let viewer = made["key"].as_str().unwrap();
    let body = json!({ "source": RELEASE, "inputs": { "since": "May" } }).to_string();
    let ask = async |verb: &str| {
        let path = format!("/api/prompts/{verb}");
        server.ask_as(viewer, axum::http::Method::POST, &path, body.clone()).await
    };
    assert_eq!(ask("render").await.status, 200);
    assert_eq!(ask("test").await.problem(), "forbidden");
}
