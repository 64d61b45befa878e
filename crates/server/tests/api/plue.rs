//! The window of plue: its pool of runners, and its runs.

use serde_json::{Value, json};

use crate::harness::*;

const BUILD: &str = "name: build\nnodes:\n  - {id: make, type: worker, retry: {max_attempts: 2, delay: \
    1ms}, config: {queue: runners, kind: agent, config: {session_id: s1, goal: '{{ input.goal }}'}}}\n\
    output: '{{ make.output }}'\n";

async fn server() -> Server {
    let server = Server::new();
    server.deploy(BUILD).await;
    server
}

async fn start(server: &Server) -> String {
    let body = json!({ "input": { "goal": "green" } });
    let run = server.post("/api/v1/workflows/build/execute", body).await;
    assert_eq!(run.status, 202, "{}", run.body);
    format!("/api/v1/runs/{}", run.body["id"].as_str().unwrap())
}

async fn register(server: &Server, pod: &str) -> Value {
    let body = json!({ "pod_name": pod, "pod_ip": "10.0.0.7" });
    let answer = server.post("/internal/runners/register", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// Registers, as a runner that stands by does, until there is something to do.
async fn stand_by(server: &Server, pod: &str) -> Value {
    loop {
        let answer = register(server, pod).await;
        if !answer["task"].is_null() {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

/// Which task it is, whoever has it.
fn task_of(task: &Value) -> &str {
    task["id"].as_str().unwrap().split('.').next().unwrap()
}

async fn tell(server: &Server, task: &Value, verb: &str, body: Value) -> Answer {
    let id = task["id"].as_str().unwrap();
    server.post(&format!("/internal/tasks/{id}/{verb}"), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_takes_a_task_and_tells_of_it() {
    let server = server().await;
    let idle = register(&server, "pod-1").await;
    assert_eq!(idle["task"], Value::Null);
    assert!(idle.get("callback_url").is_none());
    let run = start(&server).await;
    let taken = stand_by(&server, "pod-1").await;
    assert_eq!(taken["runner_id"], idle["runner_id"], "the same for the same name");
    let task = taken["task"].clone();
    assert_eq!(
        json!([task["type"], task["config"], task["session_id"]]),
        json!(["agent", { "session_id": "s1", "goal": "green" }, "s1"])
    );
    let url = format!("http://localhost:8000/internal/tasks/{}", task["id"].as_str().unwrap());
    assert_eq!(taken["callback_url"], url);
    assert_ne!(register(&server, "pod-2").await["runner_id"], taken["runner_id"]);
    let alive = server.post("/internal/runners/pod-1/heartbeat", json!({})).await;
    assert_eq!((alive.status.as_u16(), &alive.body), (200, &json!({ "ok": true })));

    let run_id = run.rsplit('/').next().unwrap().parse().unwrap();
    let live = server.house.app.engine.live();
    let mut watched = live.subscribe(run_id);
    for event in [
        json!({ "type": "step_start", "step_name": "plan", "step_index": 0 }),
        json!({ "type": "llm_token", "text": "I ", "token_index": 0, "message_id": "m" }),
        json!({ "type": "token", "text": "think", "token_index": 1, "message_id": "m" }),
        json!({ "type": "tool_start", "tool_id": "t", "tool_name": "grep", "args": { "p": "x" } }),
        json!({ "type": "tool_end", "tool_id": "t", "tool_state": "success", "output": "3 hits" }),
        json!({ "type": "log", "level": "stderr", "message": "careful\nnow" }),
        json!({ "type": "step_end", "step_index": 0, "step_state": "success", "output": "" }),
        json!({ "type": "error", "message": "almost" }),
        json!({ "type": "done" }),
    ] {
        let told = tell(&server, &task, "stream", event.clone()).await;
        assert_eq!((told.status.as_u16(), &told.body), (200, &json!({ "ok": true })), "{event}");
        if event["type"] == "token" {
            let said = live.said(run_id, "make").unwrap();
            assert_eq!(said.text, "I think", "whoever comes late has all of it");
        }
    }
    for kind in ["llm_token", "llm_token", "tool_start", "tool_end"] {
        assert_eq!(watched.next().await.kind, kind);
    }
    let odd = tell(&server, &task, "stream", json!({ "type": "sing" })).await;
    assert_eq!(odd.status, 400, "{}", odd.body);
    let words = json!({ "type": "token", "text": "more", "message_id": "n" });
    assert_eq!(tell(&server, &task, "stream", words).await.status, 200);

    // Told twice, it counts once.
    for _ in 0..2 {
        let done = json!({ "success": true, "output": { "lines": 3 } });
        let done = tell(&server, &task, "complete", done).await;
        assert_eq!((done.status.as_u16(), &done.body), (200, &json!({ "ok": true })));
    }
    let ended = at(&server, &run, &["succeeded"]).await;
    assert_eq!(ended["output"], json!({ "lines": 3 }));
    assert!(live.said(run_id, "make").is_none(), "nothing is kept of what was said");
    let logs = server.get(&format!("{run}/logs")).await.body;
    let lines: Vec<String> = logs["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            format!("{} {}", line["stream"].as_str().unwrap(), line["text"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        lines,
        [
            "stdout step `plan` begins",
            "stdout tool grep: {\"p\":\"x\"}",
            "stdout tool ended (success): 3 hits",
            "stderr careful",
            "stderr now",
            "stdout step 0 ends (success)",
            "stderr almost",
        ]
    );
    assert_eq!(register(&server, "pod-1").await["task"], Value::Null, "it is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_runner_says_of_success_counts_and_a_failure_is_tried_again() {
    let server = server().await;
    let run = start(&server).await;
    let task = stand_by(&server, "pod-1").await["task"].clone();
    let failed =
        tell(&server, &task, "complete", json!({ "success": false, "error": "no disk" })).await;
    assert_eq!(failed.status, 200, "{}", failed.body);
    let again = stand_by(&server, "pod-1").await["task"].clone();
    assert_eq!(task_of(&again), task_of(&task), "the same task, another attempt");
    assert_eq!(tell(&server, &task, "complete", json!({ "success": true })).await.status, 409);
    let failed = json!({ "success": false, "error": { "code": 7 } });
    assert_eq!(tell(&server, &again, "complete", failed).await.status, 200);
    let ended = at(&server, &run, &["failed"]).await;
    assert_eq!(ended["error"]["code"], "runner_failed");
    assert!(ended["error"]["message"].as_str().unwrap().contains("{\"code\":7}"), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_registers_anew_gives_back_what_it_had() {
    let server = server().await;
    start(&server).await;
    let task = stand_by(&server, "pod-1").await["task"].clone();
    assert_eq!(register(&server, "pod-2").await["task"], Value::Null);
    // It was started anew and knows of nothing; its task is there for the next who asks.
    let again = stand_by(&server, "pod-1").await["task"].clone();
    assert_eq!(task_of(&again), task_of(&task));
    let done = tell(&server, &again, "complete", json!({ "success": true })).await;
    assert_eq!(done.status, 200, "{}", done.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_was_given_up_ends_nothing_that_another_does_by_now() {
    let server = server().await;
    let run = start(&server).await;
    let late = stand_by(&server, "pod-1").await["task"].clone();
    let worker = windlass_core::run::Hold { by: "pod-1".to_owned(), fence: None };
    let scope = windlass_engine::desk::Scope::Project("default".to_owned());
    let id = task_of(&late).parse().unwrap();
    server.house.app.engine.release_task(&scope, id, &worker).await.unwrap();
    let task = stand_by(&server, "pod-2").await["task"].clone();
    for body in [json!({ "success": true, "output": "old" }), json!({ "success": false })] {
        let told = tell(&server, &late, "complete", body).await;
        assert_eq!(told.status, 409, "{}", told.body);
    }
    let log = json!({ "type": "log", "message": "still here" });
    assert_eq!(tell(&server, &late, "stream", log).await.status, 409);
    let done = tell(&server, &task, "complete", json!({ "success": true, "output": "new" })).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(at(&server, &run, &["succeeded"]).await["output"], "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn runners_see_the_tasks_of_their_queue_alone() {
    let server = server().await;
    let other =
        "name: other\nnodes:\n  - {id: w, type: worker, config: {queue: gpu, kind: train}}\n";
    server.deploy(other).await;
    server.post("/api/v1/workflows/other/execute", json!({})).await;
    let polled = json!({ "worker": "w", "queues": ["gpu"], "wait": "20s" });
    let task = server.post("/api/v1/tasks/poll", polled).await.body["tasks"][0].clone();
    let task = json!({ "id": format!("{}.{}", task["id"].as_str().unwrap(), task["fence"]) });
    for (verb, body) in
        [("complete", json!({ "success": true })), ("stream", json!({ "type": "done" }))]
    {
        let told = tell(&server, &task, verb, body).await;
        assert_eq!(told.status, 404, "{verb}: {}", told.body);
        assert!(told.body["detail"].is_string());
    }
    let nobody = server.post("/internal/runners/pod-9/heartbeat", json!({})).await;
    assert_eq!(nobody.status, 404, "{}", nobody.body);
    for (path, body) in [
        ("/internal/runners/register", json!({})),
        ("/internal/runners/register", json!({ "pod_name": "" })),
        ("/internal/tasks/x/complete", json!({ "success": true })),
        ("/internal/tasks/x/stream", json!({ "type": "done" })),
        ("/internal/tasks/01890000-0000-7000-8000-000000000000/complete", json!({})),
    ] {
        let answer = server.post(path, body).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_started_and_read() {
    let server = Server::new();
    let text = "name: greet\ninput: {type: object, properties: {who: {type: string}, trigger: {}}}\n\
                nodes:\n  - {id: say, name: Say it, type: shell, config: {script: 'echo hello'}}\n  \
                - {id: done, type: transform, needs: [say], config: {output: '{{ input.trigger.ref }}'}}\n";
    let workflow = server.deploy(text).await;
    let body = json!({
        "workflow_definition_id": workflow["id"], "trigger_type": "push",
        "trigger_payload": { "ref": "main" }, "inputs": { "who": "Ada" },
    });
    let started = server.post("/api/workflows/run", body).await;
    assert_eq!((started.status.as_u16(), &started.body["status"]), (201, &"queued".into()));
    let id = started.body["run_id"].as_str().unwrap();
    at(&server, &format!("/api/v1/runs/{id}"), &["succeeded"]).await;
    let detail = server.get(&format!("/api/workflows/runs/{id}")).await.body;
    assert_eq!(detail["run"]["status"], "completed");
    assert_eq!(detail["run"]["trigger_type"], "push");
    assert_eq!(detail["run"]["outputs"], "main");
    assert!(detail["run"]["completed_at"].as_i64().unwrap() > 1_700_000_000, "{detail}");
    assert_eq!(detail["steps"][0]["step_type"], "shell");
    assert_eq!(
        (&detail["steps"][0]["exit_code"], &detail["steps"][0]["status"]),
        (&0.into(), &"completed".into())
    );

    let stream = server.get(&format!("/api/workflows/runs/{id}/stream")).await.body;
    let said: Vec<Value> = stream
        .as_str()
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .collect();
    let mut words: Vec<String> = said
        .iter()
        .map(|it| {
            format!("{} {}", it["type"].as_str().unwrap(), it["step_id"].as_str().unwrap_or(""))
        })
        .collect();
    assert_eq!(words.remove(0), "connected ");
    // A line may be told before or after the events around it.
    words.retain(|word| word != "step_output say");
    assert_eq!(
        words,
        [
            "run_started ",
            "step_started say",
            "step_completed say",
            "step_completed done",
            "run_completed ",
        ]
    );
    assert_eq!(said.iter().find(|it| it["type"] == "step_output").unwrap()["line"], "hello");
    assert_eq!(said.last().unwrap()["outputs"], "main");
    let path = format!("/api/workflows/runs/{id}/stream?after=1000");
    assert_eq!(server.get(&path).await.status, 204);

    let cancelled = server.post(&format!("/api/workflows/runs/{id}/cancel"), json!({})).await;
    assert_eq!(cancelled.status, 400, "it is over: {}", cancelled.body);
    let named = server.post("/api/workflows/run", json!({ "workflow_name": "greet" })).await;
    assert_eq!(named.status, 201);
    let page = server.get("/api/workflows/runs?per_page=1&page=2").await.body;
    assert_eq!((&page["count"], &page["per_page"]), (&1.into(), &1.into()));
    assert_eq!(page["runs"][0]["id"], id);
    assert_eq!(server.get("/api/workflows/runs?status=completed").await.status, 200);
    for path in ["?status=odd", "?page=0", "?per_page=101", "?page=51"] {
        assert_eq!(server.get(&format!("/api/workflows/runs{path}")).await.status, 400, "{path}");
    }
    assert_eq!(server.post("/api/workflows/run", json!({})).await.status, 400);
    let unknown = json!({ "workflow_name": "nope" });
    assert_eq!(server.post("/api/workflows/run", unknown).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled() {
    let server = server().await;
    let run = start(&server).await;
    let id = run.rsplit('/').next().unwrap();
    let path = format!("/api/workflows/runs/{id}/cancel");
    let cancelled = server.post(&path, json!({})).await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.body["ok"]), (200, &true.into()));
    at(&server, &run, &["cancelled"]).await;
    assert_eq!(server.post(&path, json!({})).await.status, 400);
}
