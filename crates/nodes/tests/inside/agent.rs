//! What an agent uses inside of the boundary: files and programs, each use by another user, and a
//! server of tools, all in the one directory of the step.

use axum::response::IntoResponse;
use axum::routing::post;
use serde_json::{Value, json};
use windlass_nodes::llm::LlmSettings;

use crate::bench::Bench;

/// A model that wants these tools used, one after the other, and then says what it was told.
async fn model(script: Vec<(&'static str, Value)>) -> LlmSettings {
    let answer = move |body: String| {
        let body: Value = serde_json::from_str(&body).unwrap();
        let script = script.clone();
        async move {
            let messages = body["messages"].as_array().unwrap();
            let told: Vec<&Value> = messages
                .iter()
                .filter(|one| one["role"] == "tool")
                .map(|one| &one["content"])
                .collect();
            let (delta, finish) = match script.get(told.len()) {
                Some((name, arguments)) => {
                    let function = json!({ "name": name, "arguments": arguments.to_string() });
                    let call = json!({ "index": 0, "id": format!("call{}", told.len()),
                        "type": "function", "function": function });
                    (json!({ "tool_calls": [call] }), "tool_calls")
                }
                None => (json!({ "content": json!({ "told": told }).to_string() }), "stop"),
            };
            let chunk = |delta: Value, finish: Value| {
                let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
                format!("data: {}\n\n", json!({ "model": "m", "choices": [choice] }))
            };
            let body = chunk(delta, Value::Null) + &chunk(json!({}), json!(finish));
            ([("content-type", "text/event-stream")], body + "data: [DONE]\n\n").into_response()
        }
    };
    let router = axum::Router::new().fallback(post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let provider = json!({ "base_url": address, "api_key": "sk" });
    serde_json::from_value(json!({ "providers": { "openai": provider } })).unwrap()
}

fn told(output: &Value) -> Vec<String> {
    let told = output["told"].as_array().unwrap();
    told.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_use_of_a_tool_works_in_the_directory_of_the_step() {
    let mut bench = Bench::new();
    let crown_jewels = bench.database();
    let list = format!("cat {crown_jewels}; ls {}", bench.work_dir().display());
    bench.llm = model(vec![
        ("write_file", json!({ "path": "a/note", "content": "one\n" })),
        ("shell", json!({ "script": "echo two >> a/note; mkdir b; echo three > b/more" })),
        ("write_file", json!({ "path": "b/more", "content": "four\n" })),
        ("shell", json!({ "script": "cat a/note b/more" })),
        ("shell", json!({ "script": list })),
    ])
    .await
    .into();
    let config = json!({ "model": "openai/m", "prompt": "go", "tools": ["write_file", "shell"] });
    let told = told(&bench.run("agent", config).await.unwrap());
    assert_eq!(told[3], "one\ntwo\nfour", "{told:?}");
    assert!(!told[4].contains("crown"), "{told:?}");
    assert!(bench.notes.sandbox_level().unwrap().starts_with("full, Landlock"));
}

/// The least that a server of tools can be. One by the official SDK is in `tests/llm`; its Python need
/// not be where a step may read.
const SERVER: &str = r#"
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    method, answer = asked["method"], {"jsonrpc": "2.0", "id": asked["id"]}
    if method == "initialize":
        about = {"name": "dock", "version": "1"}
        version = asked["params"]["protocolVersion"]
        answer["result"] = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    elif method == "tools/list":
        schema = {"type": "object", "properties": {"path": {"type": "string"}}}
        answer["result"] = {"tools": [{"name": "look", "inputSchema": schema}]}
    elif method == "tools/call":
        path = asked["params"]["arguments"]["path"]
        try:
            text = open(path).read()
        except OSError as error:
            text = str(error)
        open("seen", "w").write(f"{os.getcwd()} {path}")
        answer["result"] = {"content": [{"type": "text", "text": text}]}
    else:
        answer["error"] = {"code": -32601, "message": "there is no such method"}
    print(json.dumps(answer), flush=True)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_tools_is_inside_as_well() {
    let mut bench = Bench::new();
    let database = bench.database();
    bench.llm = model(vec![
        ("write_file", json!({ "path": "note", "content": "a note" })),
        ("dock__look", json!({ "path": "note" })),
        ("dock__look", json!({ "path": database })),
        ("read_file", json!({ "path": "seen" })),
    ])
    .await
    .into();
    let server = json!({ "name": "dock", "command": ["/usr/bin/env", "python3", "-c", SERVER] });
    let tools = ["write_file", "read_file"];
    let config = json!({ "model": "openai/m", "prompt": "go", "tools": tools, "mcp": [server] });
    let told = told(&bench.run("agent", config).await.unwrap());
    assert_eq!(told[1], "a note");
    assert!(told[2].contains("No such file"), "{told:?}");
    assert!(told[3].contains("/kept/"), "it works in the agent's directory: {told:?}");
    let left: Vec<_> = std::fs::read_dir(bench.work_dir()).unwrap().flatten().collect();
    let [kept] = &left[..] else { panic!("{left:?}") };
    assert_eq!(kept.file_name(), "kept", "nothing else is left");
}
