use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;
use windlass_core::run::AttemptError;

use super::{Mark, NoGuard, Shell, ShellSettings};
use crate::context::{LogLine, LogSink, LogStream, NodeContext, Stop, StopReason};
use crate::kinds::http::{AllowList, HttpClient};
use crate::llm::Meter;
use crate::node::Node;
use crate::reports::LiveSink;
use crate::sandbox::Sandbox;

struct Bench {
    ask: tokio::sync::watch::Sender<Option<StopReason>>,
    lines: mpsc::Receiver<LogLine>,
    context: NodeContext,
    _work_dir: tempfile::TempDir,
}

fn bench() -> Bench {
    let work_dir = tempfile::tempdir().unwrap();
    let (ask, stop) = Stop::channel();
    let (logs, lines) = LogSink::channel();
    let shell = ShellSettings {
        kept: crate::kept::Kept::new(work_dir.path()),
        work_dir: work_dir.path().to_owned(),
        guard: Arc::new(NoGuard),
        owner: Mark::new("test", 1),
        sandbox: Arc::new(Sandbox::trusting()),
    };
    let context = NodeContext {
        run_id: Uuid::nil(),
        step: "a".into(),
        terms: Default::default(),
        attempt: 2,
        logs,
        stop,
        http: Arc::new(HttpClient::new(AllowList::default()).unwrap()),
        shell: Arc::new(shell),
        notes: Default::default(),
        workflows: crate::workflows::no_workflows(),
        journal: crate::journal::Journal::none(),
        live: LiveSink::none(),
        meter: Meter::none(),
        llm: Arc::default(),
        prompts: Arc::default(),
    };
    Bench { ask, lines, context, _work_dir: work_dir }
}

async fn run(config: Value) -> (Result<Value, AttemptError>, Vec<LogLine>) {
    let mut bench = bench();
    let shell: Shell = serde_json::from_value(config).unwrap();
    let reader = tokio::spawn(async move {
        let mut lines = Vec::new();
        while let Some(line) = bench.lines.recv().await {
            lines.push(line);
        }
        lines
    });
    let result = shell.run(bench.context).await;
    (result, reader.await.unwrap())
}

fn line(stream: LogStream, text: &str) -> LogLine {
    LogLine { stream, text: text.into() }
}

#[tokio::test]
async fn lines_are_logged_and_the_result_is_read() {
    let script = "echo one; echo two >&2; printf three; echo '{\"n\": 1}' > $WINDLASS_OUTPUT";
    let (result, mut lines) = run(json!({ "script": script })).await;
    let expected = json!({ "exit_code": 0, "stdout": "one\nthree", "result": { "n": 1 } });
    assert_eq!(result, Ok(expected));
    lines.sort_by_key(|line| line.text.clone());
    let expected = [
        line(LogStream::Stdout, "one"),
        line(LogStream::Stdout, "three"),
        line(LogStream::Stderr, "two"),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn values_come_by_environment_input_and_arguments_and_stay_values() {
    let nasty = "$(id); `id` 'x' \"y\"";
    let script = "cat; printf '%s|' \"$A\" \"$B\" $WINDLASS_ATTEMPT $WINDLASS_STEP";
    let config = json!({ "script": script, "stdin": nasty, "env": { "A": nasty, "B": [1] } });
    let (result, _) = run(config).await;
    assert_eq!(result.unwrap()["stdout"], format!("{nasty}{nasty}|[1]|2|a|"));
    let (result, _) = run(json!({ "argv": ["printf", "%s,", nasty, 7] })).await;
    assert_eq!(result.unwrap()["stdout"], format!("{nasty},7,"));
}

#[tokio::test]
async fn the_environment_is_empty_but_for_what_is_said() {
    let (result, _) = run(json!({ "argv": ["env"], "env": { "MINE": "1" } })).await;
    let result = result.unwrap();
    let names: Vec<&str> = result["stdout"]
        .as_str()
        .unwrap()
        .lines()
        .filter_map(|line| line.split('=').next())
        .collect();
    assert!(names.contains(&"MINE") && names.contains(&"WINDLASS_RUN_ID"), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
}

#[tokio::test]
async fn exit_codes_and_signals_are_errors_with_details() {
    let (result, _) = run(json!({ "script": "echo out; echo err >&2; exit 3" })).await;
    let error = result.unwrap_err();
    assert!(!error.is_final);
    assert_eq!(
        (error.failure.code.as_str(), error.failure.message.as_str()),
        ("exit_code", "it ended with exit code 3")
    );
    let details = json!({ "exit_code": 3, "stdout": "out", "stderr": "err" });
    assert_eq!(error.failure.details, Some(details));
    let (result, _) = run(json!({ "script": "kill -9 $$" })).await;
    assert_eq!(result.unwrap_err().failure.message, "it was killed by signal 9");
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let (result, _) = run(json!({ "argv": ["/no/such/program"] })).await;
    let error = result.unwrap_err();
    assert!(error.is_final && error.failure.message.contains("/no/such/program"), "{error:?}");
    let (result, _) = run(json!({ "script": "true", "cwd": "/no/such/place" })).await;
    assert!(result.unwrap_err().failure.message.contains("/no/such/place"));
    let (result, _) = run(json!({ "script": "true", "env": { "A=B": "x" } })).await;
    assert_eq!(result.unwrap_err().failure.code, "bad_config");
    let (result, _) = run(json!({ "script": "echo nope > $WINDLASS_OUTPUT" })).await;
    assert_eq!(result.unwrap_err().failure.code, "bad_output");
}

/// Both pipes are drained at once, whatever is written and whoever still holds them.
#[tokio::test]
async fn floods_and_held_pipes_do_not_stop_it() {
    let flood = "head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero; echo end";
    let (result, lines) = run(json!({ "script": flood })).await;
    assert!(result.unwrap()["stdout"].as_str().unwrap().ends_with("end"));
    assert!(lines.iter().any(|line| line.text.ends_with("[cut]")));
    let begin = Instant::now();
    let (result, _) = run(json!({ "script": "setsid sleep 30 & echo done" })).await;
    assert_eq!(result.unwrap()["exit_code"], 0);
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn the_number_of_lines_is_bounded() {
    let (result, lines) = run(json!({ "script": "yes | head -n 100500; echo last" })).await;
    assert_eq!(lines.len(), 100_001);
    assert_eq!(lines.last().unwrap().stream, LogStream::System);
    assert!(result.unwrap()["stdout"].as_str().unwrap().ends_with("last"));
}

#[tokio::test]
async fn a_stop_ends_the_whole_group_even_if_it_does_not_listen() {
    let mut bench = bench();
    let script = "trap '' TERM; sleep 300 & echo $!; wait; sleep 300";
    let shell: Shell = serde_json::from_value(json!({ "script": script })).unwrap();
    let attempt = tokio::spawn(shell.run(bench.context));
    let grandchild = bench.lines.recv().await.unwrap().text;
    bench.ask.send(Some(StopReason::TimedOut)).unwrap();
    let error = attempt.await.unwrap().unwrap_err();
    assert_eq!((error.failure.code.as_str(), error.is_final), ("timeout", false));
    let state = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
    let is_gone = state.is_empty() || state.contains(") Z ");
    assert!(is_gone, "{state}");
}

#[test]
fn the_reaper_kills_what_is_left() {
    use std::os::unix::process::CommandExt;
    let sleep = || std::process::Command::new("sleep").arg("300").process_group(0).spawn().unwrap();
    let (mut kept, mut ended) = (sleep(), sleep());
    let said = format!("+{}\n+{}\nnonsense\n-{}\n", kept.id(), ended.id(), ended.id());
    super::reap(said.as_bytes());
    assert!(!kept.wait().unwrap().success());
    assert!(ended.try_wait().unwrap().is_none(), "a group that has ended is left alone");
    ended.kill().unwrap();
    ended.wait().unwrap();
}

fn marked(mark: &Mark) -> std::process::Child {
    let mut sleep = std::process::Command::new("sleep");
    sleep.arg("300").env("WINDLASS_OWNER", mark.to_string()).spawn().unwrap()
}

#[test]
fn leftovers_are_found_by_their_mark() {
    let directory = format!("leftover-{}", std::process::id());
    let mut child = marked(&Mark::new(&directory, 1));
    assert_eq!(super::kill_leftovers("somebody else entirely"), 0);
    assert_eq!(super::kill_leftovers(&directory), 1);
    assert!(!child.wait().unwrap().success());
}

#[test]
fn the_reaper_finds_what_nobody_reported() {
    let directory = format!("unreported-{}", std::process::id());
    let (gone, here) = (Mark::new(&directory, 1), Mark::new(&directory, 2));
    let (mut unreported, mut successors) = (marked(&gone), marked(&here));
    super::reap(format!("={gone}\n").as_bytes());
    assert!(!unreported.wait().unwrap().success());
    assert!(successors.try_wait().unwrap().is_none(), "the next server's children are its own");
    successors.kill().unwrap();
    successors.wait().unwrap();
}
