use serde_json::json;

use super::memory::resident;
use super::server::Server;
use super::{Place, quantile, told};

const RUNS: usize = 100_000;
const STARTS: usize = 7;

/// START and MEMORY: empty, and with many waiting runs.
pub(super) async fn measure(place: &Place) -> anyhow::Result<()> {
    let probe = place.probe()?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let server = Server::start(place, &place.directory("start")?).await?;
        times.push(server.ready_after.as_secs_f64() * 1_000.0);
        server.stop()?;
    }
    times.sort_by(f64::total_cmp);
    let what = if place.database.is_none() { "START empty" } else { "START" };
    told(&format!("{what}: {:.0} ms (median of {STARTS})", quantile(&times, 0.5)), &probe);

    let directory = place.directory("waiting")?;
    let server = Server::start(place, &directory).await?;
    let idle = resident(&server).await?;
    told(&format!("MEMORY idle: {idle:.1} MiB, with the process that stands by"), &probe);
    let waiter = json!({
        "name": "waiter",
        "nodes": [{ "id": "wait", "type": "delay", "config": { "duration": "24h" } }]
    });
    server.deploy(&waiter).await?;
    server.execute("waiter", RUNS).await?;
    let made = resident(&server).await?;
    told(&format!("MEMORY {RUNS} waiting runs, just created: +{:.1} MiB", made - idle), &probe);
    server.stop()?;

    let server = Server::start(place, &directory).await?;
    let ready = server.ready_after.as_secs_f64() * 1_000.0;
    told(&format!("START {RUNS} waiting runs: {ready:.0} ms"), &probe);
    let found = resident(&server).await?;
    told(&format!("MEMORY {RUNS} waiting runs, found at start: +{:.1} MiB", found - idle), &probe);
    server.stop()
}
