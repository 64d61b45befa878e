//! The workflow service's customer support: a model says what a message is about, a conditional
//! routes it. End to end through the API, with the model behind `MODEL_SERVICE_URL`.

use std::process::Stdio;

use serde_json::{Value, json};
use windlass_server::client::{Client, Question};

use crate::{EXAMPLES, command, proxy, ready, stop};

/// Runs the workflow to its end; the job, as the workflow service shows it.
async fn job(client: &Client, workflow: &str, message: &str) -> Value {
    let body = json!({ "input": { "message": message } });
    let path = format!("/api/v1/workflows/{workflow}/execute");
    let prefer = axum::http::HeaderName::from_static("prefer");
    let question =
        Question { headers: vec![(prefer, "wait=60".to_owned())], ..Question::post(&path, &body) };
    let run = client.expect(question).await.unwrap();
    let path = format!("/api/v1/jobs/{}", run["id"].as_str().unwrap());
    client.expect(Question::get(&path)).await.unwrap()
}

fn statuses(job: &Value) -> Vec<(&str, &str)> {
    let nodes = ["start", "classify", "route", "technical", "general", "end"];
    assert_eq!(job["nodes"].as_object().unwrap().len(), nodes.len(), "{job}");
    nodes.map(|node| (node, job["nodes"][node]["status"].as_str().unwrap())).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_to_those_who_can_help() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = command(directory.path(), &["serve", "--data", "d"]);
    server.args(["--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
    server.env("MODEL_SERVICE_URL", proxy::address()).env("MODEL_SERVICE_API_KEY", proxy::KEY);
    let (server, url) = ready(server.spawn().unwrap());
    let client = Client::remote(&url).unwrap();

    let definition = std::fs::read(format!("{EXAMPLES}/customer-support.yaml")).unwrap();
    let body = Some(("application/yaml", definition));
    let deploy = Question { body, ..Question::post("/api/v1/workflows", &Value::Null) };
    let workflow = client.expect(deploy).await.unwrap();
    let workflow = workflow["id"].as_str().unwrap().to_owned();

    for (message, queue, others) in [
        ("The printer is on fire", "technical", "general"),
        ("Where is my parcel?", "general", "technical"),
    ] {
        let job = job(&client, &workflow, message).await;
        assert_eq!(job["status"], "completed", "{job}");
        assert_eq!(job["result"], json!({ "output": { "queue": queue } }));
        let mut wanted = vec![("start", "completed"), ("classify", "completed")];
        wanted.push(("route", "completed"));
        for way in ["technical", "general"] {
            wanted.push((way, if way == others { "skipped" } else { "completed" }));
        }
        wanted.push(("end", "completed"));
        assert_eq!(statuses(&job), wanted, "{message}");
        let classified = &job["nodes"]["classify"];
        assert_eq!(
            (&classified["output"]["category"], &classified["attempts"]),
            (&json!(queue), &json!(1))
        );
        assert!(classified["duration_ms"].is_u64(), "{job}");
    }
    let path = format!("/api/v1/workflows/{workflow}/execute");
    let refused = client.ask(Question::post(&path, &json!({ "input": {} }))).await.unwrap();
    assert_eq!(refused.body["code"], "invalid-input");
    stop(server);
}
