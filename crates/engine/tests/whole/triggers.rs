//! Runs that the ends of other runs start.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::limits::TRIGGER_DEPTH_MAX;
use windlass_core::run::{RunStatus, SeenEnd, TaskWord};
use windlass_engine::triggers::TRIGGER_LABEL;
use windlass_store::{LogLevel, Pause, RunFilter, RunRow};

use crate::ground::Ground;
use crate::moody::{Mood, Moody};
use crate::observed::{FLOW, ended, started, task, terms};
use crate::server::{PROJECT, Server, patiently};

/// A workflow that listens for the ends of the flow's runs.
fn alert(status: &str) -> String {
    triggered("Alert", &format!("on: run, source: '{FLOW}', status: {status}"))
}

fn triggered(name: &str, trigger: &str) -> String {
    let nodes = "[{ id: a, type: transform, config: { output: '{{ input }}' } }]";
    format!("name: {name}\nnodes: {nodes}\ntriggers: [{{ {trigger} }}]\n")
}

fn runs_of(server: &Server, workflow: &str) -> Vec<RunRow> {
    let mut runs = server.store.runs(PROJECT, &RunFilter::default(), None, 100).unwrap().items;
    runs.retain(|run| run.workflow == workflow);
    runs
}

/// Waits until so many runs of a workflow are over, and no message is left that could start another.
async fn until_over(server: &Server, workflow: &str, count: usize) -> Vec<RunRow> {
    let mut changes = server.engine.feed().changes();
    let waited = async {
        loop {
            let runs = runs_of(server, workflow);
            let is_over = |run: &RunRow| run.status.is_terminal();
            let is_quiet = server.store.messages(None, 1).unwrap().items.is_empty();
            if runs.len() >= count && runs.iter().all(is_over) && is_quiet {
                return runs;
            }
            // A message is thrown away without anything that is told.
            let _ = tokio::time::timeout(Duration::from_millis(5), changes.changed()).await;
        }
    };
    patiently(&format!("{count} runs of {workflow}"), waited).await
}

fn output(server: &Server, run: &RunRow) -> Value {
    let last = server.journal(run.run_id).pop().unwrap();
    serde_json::to_value(&last.event.fact).unwrap()["run_succeeded"]["output"].clone()
}

fn observed(server: &Server, run: &str) -> RunRow {
    server.store.run(PROJECT, run).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_elsewhere_starts_one_here_however_often_its_end_is_told() {
    for ground in Ground::both() {
        let server = ground.serve();
        server.deploy(&alert("failed")).await;
        server.deploy(&alert("succeeded").replace("Alert", "Cheer")).await;
        server.hear("r-1", vec![started(0)]).await;
        for _ in 0..3 {
            server.hear("r-1", vec![ended(5, SeenEnd::Failed), ended(5, SeenEnd::Failed)]).await;
        }
        server
            .hear("r-1", vec![ended(4, SeenEnd::Failed), task("late:1", 9, TaskWord::Started)])
            .await;
        let [run] = &until_over(&server, "Alert", 1).await[..] else { panic!("one run") };
        let source = observed(&server, "r-1");
        assert_eq!(run.status, RunStatus::Succeeded);
        assert_eq!(run.labels[TRIGGER_LABEL], source.run_id.to_string());
        assert_eq!(run.created_by.as_deref(), Some(&*format!("trigger:{}", source.run_id)));
        assert_eq!(
            output(&server, run),
            json!({ "run": {
                "id": source.run_id,
                "external_id": "r-1",
                "workflow": FLOW,
                "status": "failed",
                "error": { "code": "boom", "message": "it has failed" },
                "started_at": "2023-11-14T22:13:20.000000Z",
                "finished_at": "2023-11-14T22:13:25.000000Z",
                "labels": {},
                "input": null,
            } })
        );
        let facts = server.facts(source.run_id);
        assert_eq!(facts.iter().filter(|fact| *fact == "triggered").count(), 1, "{facts:?}");
        assert_eq!(runs_of(&server, "Cheer"), []);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_taken_back_in_the_same_breath_starts_nothing() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    server.deploy(&alert("[failed, succeeded]")).await;
    server.hear("r-1", vec![ended(5, SeenEnd::Failed), ended(6, SeenEnd::Succeeded)]).await;
    let runs = until_over(&server, "Alert", 1).await;
    let statuses: Vec<Value> =
        runs.iter().map(|run| output(&server, run)["run"]["status"].clone()).collect();
    assert_eq!(statuses, ["succeeded"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_between_the_end_and_the_start_leaves_the_start_to_the_next_one() {
    for ground in Ground::both() {
        let store = Moody::over(ground.store());
        let server = ground.serve_over(store.clone(), |_| {});
        server.deploy(&alert("failed")).await;
        *store.mood.lock() = Mood::NoneOf("Alert");
        server.hear("r-1", vec![started(0), ended(5, SeenEnd::Failed)]).await;
        let mut refused = store.refused_news.subscribe();
        patiently("the start", refused.wait_for(|count| *count > 0)).await.unwrap();
        drop((server.stop().await, store));

        let server = ground.serve();
        let runs = until_over(&server, "Alert", 1).await;
        assert_eq!(runs.len(), 1);
        // Nobody has deployed anything since: who listens is read from the store.
        server.hear("r-2", vec![started(0), ended(5, SeenEnd::Failed)]).await;
        assert_eq!(until_over(&server, "Alert", 2).await.len(), 2);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_over_starts_what_the_first_one_could_not() {
    let ground = Ground::in_memory();
    let store = ground.store();
    let moody = Moody::over(store.clone());
    let old = ground.serve_over(moody.clone(), |_| {});
    old.deploy(&alert("failed")).await;
    *moody.mood.lock() = Mood::NoneOf("Alert");
    old.hear("r-1", vec![started(0), ended(5, SeenEnd::Failed)]).await;
    let mut refused = moody.refused_news.subscribe();
    patiently("the start", refused.wait_for(|count| *count > 0)).await.unwrap();

    let new = ground.serve_over(store, |_| {});
    *moody.mood.lock() = Mood::Fine;
    assert_eq!(until_over(&new, "Alert", 1).await.len(), 1);
    old.stop().await;
    assert_eq!(runs_of(&new, "Alert").len(), 1);
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_whose_commit_nobody_knows_of_starts_one_run() {
    for mood in [Mood::WrittenButUnknown, Mood::LostAndUnknown] {
        let ground = Ground::on_disk();
        let store = Moody::over(ground.store());
        let server = ground.serve_over(store.clone(), |_| {});
        let say = "on: run, source: Short, status: succeeded, input: '{{ run.workflow }}'";
        server.deploy(&triggered("Alert", say)).await;
        let short = "name: Short\nnodes: [{ id: wait, type: delay, config: { duration: 50ms } }]\n";
        let run_id = server.begin(short, json!(null)).await;
        *store.mood.lock() = mood;
        // Nobody is told of such an end, so it is the store that is looked at.
        let runs = until_over(&server, "Alert", 1).await;
        assert_eq!(runs.len(), 1, "{mood:?}");
        assert_eq!(output(&server, &runs[0]), "Short");
        let end = server.facts(run_id).pop();
        assert_eq!(end.as_deref(), Some("run_succeeded"), "readers look for the end there");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_inferred_and_corrected_starts_one_run_for_each_status() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    server.deploy(&alert("[failed, succeeded]")).await;
    let soon = terms(Duration::from_millis(40), Duration::from_secs(3_600));
    let failed = task("load:1", 3, TaskWord::Ended(SeenEnd::Failed));
    server.hear_with(&soon, "r-1", vec![started(0), failed]).await;
    let first = until_over(&server, "Alert", 1).await;
    assert_eq!(output(&server, &first[0])["run"]["error"]["code"], "task_failed");
    assert_eq!(observed(&server, "r-1").reason.as_deref(), Some("no_terminal_event"));

    server.hear("r-1", vec![ended(9, SeenEnd::Succeeded)]).await;
    let runs = until_over(&server, "Alert", 2).await;
    assert_eq!(output(&server, &runs[0])["run"]["status"], "succeeded");
    server.hear("r-1", vec![ended(10, SeenEnd::Failed)]).await;
    server.hear("r-1", vec![ended(11, SeenEnd::Succeeded)]).await;
    assert_eq!(until_over(&server, "Alert", 2).await.len(), 2, "each status has had its run");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_came_before_the_name_of_its_flow_is_heard_once_that_is_known() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    server.deploy(&alert("failed")).await;
    server.hear_nameless("r-1", vec![ended(5, SeenEnd::Failed)]).await;
    assert_eq!(runs_of(&server, "Alert"), []);
    server.hear("r-1", vec![started(0)]).await;
    let runs = until_over(&server, "Alert", 1).await;
    assert_eq!(output(&server, &runs[0])["run"]["workflow"], FLOW);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_cannot_be_is_told_in_the_log_of_the_run_that_has_ended() {
    for ground in Ground::both() {
        let server = ground.serve();
        let say = format!("on: run, source: '{FLOW}', input: {{ day: '{{{{ run.input.day }}}}' }}");
        server.deploy(&triggered("Alert", &say)).await;
        server.hear("r-1", vec![ended(5, SeenEnd::Failed)]).await;
        let source = observed(&server, "r-1").run_id;
        let told = async {
            while server.logs(source).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        patiently("a line", told).await;
        until_over(&server, "Alert", 0).await;
        let [line] = &server.logs(source)[..] else { panic!("one line") };
        assert_eq!((line.level, line.path.as_str()), (Some(LogLevel::Error), ""));
        assert!(line.text.contains("was not started: /input/day, character"), "{}", line.text);
        assert_eq!(runs_of(&server, "Alert"), []);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_paused_workflow_wait_and_a_deleted_one_hears_nothing() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let new = server.deploy(&alert("failed")).await;
    let pause = Pause { at: server.engine.clock().now(), by: "ada".to_owned(), reason: None };
    server.engine.pause_workflow(new.workflow_id, Some(pause)).await.unwrap();
    server.hear("r-1", vec![ended(5, SeenEnd::Failed)]).await;
    let there = async {
        while runs_of(&server, "Alert").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    patiently("a run", there).await;
    assert_eq!(runs_of(&server, "Alert")[0].status, RunStatus::Queued);
    server.engine.pause_workflow(new.workflow_id, None).await.unwrap();
    assert_eq!(until_over(&server, "Alert", 1).await.len(), 1);

    server.engine.delete_workflow(new.workflow_id, None).await.unwrap();
    server.hear("r-2", vec![ended(5, SeenEnd::Failed)]).await;
    until_over(&server, "Alert", 1).await;
    let facts = server.facts(observed(&server, "r-2").run_id);
    assert!(!facts.contains(&"triggered".to_owned()), "{facts:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_of_triggers_comes_to_an_end_that_can_be_seen() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let ping = triggered("Ping", "on: run, source: Pong");
    server.deploy(&ping).await;
    server.deploy(&triggered("Pong", "on: run, source: Ping")).await;
    server.begin(&ping, json!(null)).await;
    let depth = usize::try_from(TRIGGER_DEPTH_MAX).unwrap();
    let pings = until_over(&server, "Ping", depth / 2 + 1).await;
    let pongs = until_over(&server, "Pong", depth / 2).await;
    assert_eq!(pings.len() + pongs.len(), depth + 1);
    let [line] = &server.logs(pings[0].run_id)[..] else { panic!("one line") };
    assert!(line.text.ends_with("(trigger_depth)"), "{}", line.text);
    server.stop().await;
}

/// The way back to the first workflow leads over a step that asks for a run.
#[tokio::test(flavor = "multi_thread")]
async fn a_circle_over_a_sub_run_comes_to_an_end_too() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    server.deploy("name: Child\nnodes: [{ id: a, type: noop }]\n").await;
    let above = "
name: Above
nodes: [{ id: child, type: workflow, config: { workflow: Child } }]
triggers: [{ on: run, source: Child }]
";
    server.begin(above, json!(null)).await;
    let depth = usize::try_from(TRIGGER_DEPTH_MAX).unwrap();
    until_over(&server, "Above", depth + 1).await;
    assert_eq!(until_over(&server, "Child", depth + 1).await.len(), depth + 1);
    assert_eq!(runs_of(&server, "Above").len(), depth + 1);
    server.stop().await;
}
