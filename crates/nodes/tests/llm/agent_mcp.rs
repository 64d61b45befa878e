//! Tools of servers, against one by the official SDK (`tests/llm/tools.py`), over both transports.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use windlass_nodes::{ChildGuard, Outcome, Stop, StopReason};

use crate::proxy::python;
use crate::world::{Attempt, Says, World};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/llm/tools.py");

/// The server at an address, for as long as this lives.
struct AtAddress {
    url: String,
    process: Child,
    _input: ChildStdin,
}

impl AtAddress {
    fn start(counts: &Path) -> AtAddress {
        let mut process = Command::new(python())
            .args([SCRIPT, "http"])
            .env("COUNTS", counts)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("it has ended");
        let address = format!("127.0.0.1:{}", ready["port"]);
        // It says its port before it listens there.
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(process.try_wait().unwrap().is_none(), "it has ended");
            std::thread::yield_now();
        }
        AtAddress { url: format!("http://{address}/mcp"), process, _input: input }
    }
}

impl Drop for AtAddress {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The groups of children that are there.
#[derive(Debug, Default)]
struct Groups(Mutex<(BTreeSet<i32>, u32)>);

impl ChildGuard for Groups {
    fn begun(&self, group: i32) {
        let mut groups = self.0.lock().unwrap();
        groups.0.insert(group);
        groups.1 += 1;
    }

    fn ended(&self, group: i32) {
        self.0.lock().unwrap().0.remove(&group);
    }
}

fn program(counts: &Path) -> Value {
    json!({ "name": "dock", "command": [python(), SCRIPT], "env": { "COUNTS": counts } })
}

fn agent(server: Value) -> Value {
    json!({ "model": "openai/m", "prompt": "go", "mcp": [server], "max_turns": 20 })
}

fn lines(file: &Path) -> usize {
    std::fs::read_to_string(file).unwrap_or_default().lines().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_of_a_server_are_used_over_both_transports() {
    let dir = tempfile::tempdir().unwrap();
    let counts = dir.path().join("counts");
    let at_address = AtAddress::start(&counts);
    let address = json!({ "name": "dock", "url": at_address.url });
    for (number, server) in [program(&counts), address].into_iter().enumerate() {
        let uses = |name: &str, arguments| Says::Use(format!("dock__{name}"), arguments);
        let world = World::follows(vec![
            uses("count", json!({ "word": "one" })),
            uses("add", json!({ "a": 1, "b": 2 })),
            uses("fail", json!({})),
            uses("add", json!({ "a": "x" })),
        ])
        .await;
        let groups = Arc::new(Groups::default());
        let attempt = || Attempt { guard: groups.clone(), ..Attempt::default() };
        let killed = Attempt { dies_at: Some("turn-3"), ..attempt() };
        let killed = killed.make(&world, agent(server.clone())).await;
        assert!(killed.result.is_none());
        assert!(groups.0.lock().unwrap().0.is_empty(), "it has ended with the attempt");
        let again = Attempt { earlier: killed.records, ..attempt() };
        let made = again.make(&world, agent(server)).await;
        assert_eq!(made.output()["text"], "done");
        assert_eq!(lines(&counts), number + 1, "what is journaled is not used again");
        let told = world.told();
        assert!(told[0].contains("counted one"), "{told:?}");
        assert_eq!(serde_json::from_str::<Value>(&told[1]).unwrap()["sum"], 3);
        assert!(told[2].contains("tool_failed"), "{told:?}");
        assert!(told[3].contains("\"error\""), "{told:?}");
        let tool = world.asked.lock().unwrap()[0]["tools"][0]["function"].clone();
        assert_eq!(
            (&tool["name"], &tool["description"]),
            (&json!("dock__count"), &json!("Counts how often it is used."))
        );
        assert_eq!(tool["parameters"]["properties"]["word"]["type"], "string");
        let groups = groups.0.lock().unwrap();
        assert!(groups.0.is_empty(), "no child is left");
        assert_eq!(groups.1, if number == 0 { 2 } else { 0 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_allowed_is_offered_and_what_must_be_approved_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let counts = dir.path().join("counts");
    let mut server = program(&counts);
    server["tools"] = json!(["count", "place"]);
    server["approve"] = json!(["count"]);
    let world = World::follows(vec![
        Says::Use("dock__add".into(), json!({ "a": 1, "b": 2 })),
        Says::Use("dock__place".into(), json!({})),
        Says::Use("dock__count".into(), json!({ "word": "one" })),
    ])
    .await;
    let work_dir = dir.path().to_owned();
    let attempt = Attempt { work_dir, ..Attempt::default() };
    let made = attempt.make(&world, agent(server.clone())).await;
    let Some(Ok(Outcome::Ask { key, question })) = &made.result else {
        panic!("{:?}", made.result)
    };
    assert_eq!(
        (key.as_str(), &question["subject"]["tool"]),
        ("approval-3-0", &json!("dock__count"))
    );
    assert_eq!(lines(&counts), 0);
    let told = world.told();
    assert!(told[0].contains("there is no tool `dock__add`"), "{told:?}");
    assert!(told[1].contains("/kept/"), "it runs in the agent's directory: {told:?}");
    assert!(made.logs.contains(&"the tools are ready".to_owned()), "{:?}", made.logs);
    server["tools"] = json!(["count", "fly"]);
    let made = Attempt::default().make(&world, agent(server)).await;
    assert_eq!(made.code(), "mcp_tool_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_a_clear_error() {
    let world = World::follows(Vec::new()).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/mcp", listener.local_addr().unwrap());
    drop(listener);
    for (server, code, said) in [
        (json!({ "name": "s", "url": nobody }), "mcp_unreachable", "`s` cannot be reached"),
        (json!({ "name": "s", "url": "http://10.0.0.1/mcp" }), "blocked_address", "10.0.0.1"),
        (json!({ "name": "s", "command": ["/nonexistent"] }), "start", "/nonexistent"),
        (
            json!({ "name": "s", "command": ["/bin/sh", "-c", "echo no key >&2; exit 1"] }),
            "mcp_unreachable",
            "no key",
        ),
        (
            json!({ "name": "s", "command": ["/bin/cat", "/dev/null"], "timeout": "5s" }),
            "mcp_unreachable",
            "`s` cannot be reached",
        ),
    ] {
        let made = Attempt::default().make(&world, agent(server.clone())).await;
        assert_eq!(made.code(), code, "{server}");
        let message = made.result.unwrap().unwrap_err().failure.message;
        assert!(message.contains(said), "{server}: {message}");
    }
    assert_eq!(world.asked.lock().unwrap().len(), 0, "the model is not asked in vain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_ends_with_an_attempt_that_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (ask, stop) = Stop::channel();
    let script = move |_, _: &str| {
        ask.send_replace(Some(StopReason::Cancelled));
        Says::Text("too late".into())
    };
    let world = World::start(script).await;
    let groups = Arc::new(Groups::default());
    let attempt = Attempt { stop, guard: groups.clone(), ..Attempt::default() };
    let made = attempt.make(&world, agent(program(&dir.path().join("counts")))).await;
    // It may be done just in time; the server is gone either way.
    assert!(made.result.is_some());
    assert_eq!(*groups.0.lock().unwrap(), (BTreeSet::new(), 1));
}
