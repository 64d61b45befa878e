//! The Rust client, against a server.

use std::time::Duration;

use serde_json::json;
use windlass_client::{Client, Decision, Error, Execute, Fail, Worker};

use crate::{EXAMPLES, serve_with, stop};

const WITHIN: Duration = Duration::from_secs(30);

const ASK: &str = "
name: ask
nodes:
  - {id: ask, type: approval, config: {title: May I?}}
  - {id: go, type: wait_signal, needs: [ask], config: {signal: go}}
  - {id: say, type: shell, needs: [go], config: {script: 'echo one; echo two'}}
output: \"{{ go.output }}\"
";

#[tokio::test(flavor = "multi_thread")]
async fn a_program_runs_a_workflow_and_takes_part_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", "d"];
    std::fs::write(directory.path().join("windlass.toml"), "[sandbox]\nshell = \"trusted\"\n")
        .unwrap();
    let (child, url) = serve_with(directory.path(), &arguments);
    let client = Client::new(&url).unwrap();
    assert_eq!(client.deploy(ASK).await.unwrap().version, 1);
    let execute = || Execute::with(json!({})).once("the key");
    let run = client.execute("ask", execute()).await.unwrap();
    assert_eq!(client.execute("ask", execute()).await.unwrap().id(), run.id());
    let early = run.wait(Duration::ZERO).await.unwrap_err();
    assert!(matches!(early, Error::NotOver { .. }), "{early}");

    let mut stream = run.stream(Some(0));
    let (mut kinds, mut numbers, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(event) = stream.next().await.unwrap() {
        if event.kind == "step_awaiting" && event.data["path"] == "ask" {
            let asked = run.approval("ask").await.unwrap();
            assert_eq!(asked.title, "May I?");
            let stale = Decision { hash: Some("0".repeat(64)), ..Decision::default() };
            let changed = run.approve("ask", stale).await.unwrap_err();
            assert_eq!((changed.status(), changed.code()), (Some(409), Some("approval-changed")));
            let decision = Decision { hash: Some(asked.hash), ..Decision::default() };
            run.approve("ask", decision).await.unwrap();
        } else if event.kind == "step_awaiting" {
            run.signal("go", json!({ "n": 1 })).await.unwrap();
        }
        numbers.extend(event.id);
        lines
            .extend(event.data["text"].as_str().filter(|_| event.kind == "log").map(str::to_owned));
        kinds.push(event.kind);
    }
    assert_eq!(kinds.last().map(String::as_str), Some("run_succeeded"), "{kinds:?}");
    let last = u64::try_from(numbers.len()).unwrap();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "every event, once");
    assert_eq!(lines, ["one", "two"]);
    assert_eq!(run.wait(WITHIN).await.unwrap().output, Some(json!({ "n": 1 })));
    let steps = run.steps().await.unwrap();
    assert_eq!(
        steps.iter().map(|step| step.path.as_str()).collect::<Vec<_>>(),
        ["ask", "go", "say"]
    );
    assert_eq!(run.logs(1).await.unwrap()[0].text, "two");
    let over = run.cancel(Some("too late")).await.unwrap_err();
    assert_eq!((over.status(), over.code()), (Some(409), Some("wrong-state")));
    let gone = client.run("nothing").get().await.unwrap_err();
    assert_eq!(gone.code(), Some("run-not-found"), "{gone}");
    stop(child);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_does_the_steps_of_a_plugin() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = format!("{EXAMPLES}/plugins/python/plugin.json");
    let settings = format!("[plugins.text]\nmanifest = \"{manifest}\"\n");
    std::fs::write(directory.path().join("windlass.toml"), settings).unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", "d"];
    let (child, url) = serve_with(directory.path(), &arguments);
    let client = Client::new(&url).unwrap();
    let workflow = format!("{EXAMPLES}/plugins/python/workflow.yaml");
    client.deploy(&std::fs::read_to_string(workflow).unwrap()).await.unwrap();
    let worker = Worker::new(client.clone()).kind("count_words", |task| async move {
        if task.attempt == 1 {
            return Err(Fail::retry("lost_count", "once more"));
        }
        Ok(json!({ "words": 3, "top": [{ "word": "of attempt 2", "count": task.attempt }] }))
    });
    let stopper = worker.stopper();
    let ended = tokio::spawn(worker.run_until_stopped());
    let execute = Execute::with(json!({ "text": "a b c" }));
    let run = client.execute("count-words", execute).await.unwrap();
    let run = run.wait(WITHIN).await.unwrap();
    assert_eq!(run.output, Some(json!("3 words, most often of attempt 2")), "{run:?}");
    stopper.stop();
    ended.await.unwrap().unwrap();
    stop(child);
}
