use axum::http::Method;
use serde_json::json;
use std::time::Instant;

use super::server::Server;
use super::{Place, told};
use crate::client::Question;
use crate::http::prefer::PREFER;

/// FAN: one run of many parallel steps and a join.
pub(super) async fn measure(place: &Place) -> anyhow::Result<()> {
    let body = json!({ "nodes": [{ "id": "step", "type": "noop", "config": { "output": "{{ index }}" } }] });
    let definition = json!({
        "name": "fan",
        "nodes": [
            { "id": "each", "type": "map", "config": { "items": "{{ range(input.n) }}", "body": body } },
            { "id": "join", "type": "transform", "needs": ["each"], "config": { "output": "{{ len(each.output) }}" } }
        ],
        "output": "{{ join.output }}"
    });
    for count in [100, 1_000, 10_000, 100_000] {
        let probe = place.probe()?;
        let server = Server::start(place, &place.directory("fan")?).await?;
        server.deploy(&definition).await?;
        let mut best = f64::MAX;
        for _ in 0..3 {
            let began = Instant::now();
            let body = json!({ "input": { "n": count } }).to_string().into_bytes();
            let question = Question {
                method: Method::POST,
                path: "/api/v1/workflows/fan/execute",
                body: Some(("application/json", body)),
                headers: vec![(PREFER, "wait=120".to_owned())],
            };
            let answer = server.client.expect(question).await?;
            anyhow::ensure!(answer["output"] == count, "a run ended as {answer}");
            best = best.min(began.elapsed().as_secs_f64());
        }
        let (ms, each) = (best * 1_000.0, best * 1_000_000.0 / f64::from(count));
        told(&format!("FAN {count} parallel steps: {ms:.1} ms, {each:.1} us a step"), &probe);
        server.stop()?;
    }
    Ok(())
}
