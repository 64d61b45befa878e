use std::time::Instant;

use axum::http::Method;

use super::server::{Server, chain};
use super::{Place, quantile, told};
use crate::client::Question;
use crate::http::prefer::PREFER;

const RUNS: usize = 500;

/// LAT: one run at a time, from the request to the answer with the finished run.
pub(super) async fn measure(place: &Place) -> anyhow::Result<()> {
    for steps in [1, 10] {
        let probe = place.probe()?;
        let server = Server::start(&place.directory("lat")?).await?;
        server.deploy(&chain("chain", steps)).await?;
        let mut times = Vec::with_capacity(RUNS);
        for run in 0..RUNS + 50 {
            let began = Instant::now();
            let question = Question {
                method: Method::POST,
                path: "/api/v1/workflows/chain/execute",
                body: Some(("application/json", b"{}".to_vec())),
                header: Some((PREFER, "wait=30".to_owned())),
            };
            let answer = server.client.expect(question).await?;
            anyhow::ensure!(answer["status"] == "succeeded", "a run ended as {}", answer["status"]);
            // The first ones open the connection and fill caches.
            if run >= 50 {
                times.push(began.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        times.sort_by(f64::total_cmp);
        let (p50, p99) = (quantile(&times, 0.5), quantile(&times, 0.99));
        told(&format!("LAT {steps} step(s): p50 {p50:.2} ms, p99 {p99:.2} ms"), &probe);
        server.stop()?;
    }
    Ok(())
}
