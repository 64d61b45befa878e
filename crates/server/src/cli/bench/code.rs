use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::latency::one_by_one;
use super::server::Server;
use super::{Place, quantile, told};

const RUNS: usize = 100;

/// CODE: one run of one step at a time, by what the step is made of, beside the programs themselves.
pub(super) async fn measure(place: &Place) -> anyhow::Result<()> {
    let steps = [
        ("noop", "noop", json!({})),
        ("python", "code", json!({ "language": "python", "code": "def process(): pass" })),
        (
            "javascript",
            "code",
            json!({ "language": "javascript", "code": "function process() {}" }),
        ),
        ("shell", "shell", json!({ "script": ":" })),
    ];
    let probe = place.probe()?;
    let server = Server::start(place, &place.directory("code")?).await?;
    for (name, kind, config) in steps {
        server.deploy(&one_step(name, kind, &config)).await?;
        let address = server.address.clone();
        let times = tokio::task::spawn_blocking(move || one_by_one(&address, name, RUNS)).await??;
        let (p50, p99) = (quantile(&times, 0.5), quantile(&times, 0.99));
        told(&format!("CODE one {name} step: p50 {p50:.2} ms, p99 {p99:.2} ms"), &probe);
    }
    server.stop()?;
    for command in [&["python3", "-c", "pass"][..], &["/bin/sh", "-c", ":"]] {
        let times = starts(command)?;
        let (p50, p99) = (quantile(&times, 0.5), quantile(&times, 0.99));
        let command = command.join(" ");
        told(&format!("CODE `{command}` by itself: p50 {p50:.2} ms, p99 {p99:.2} ms"), &probe);
    }
    Ok(())
}

fn one_step(name: &str, kind: &str, config: &Value) -> Value {
    json!({ "name": name, "nodes": [{ "id": "a", "type": kind, "config": config }] })
}

/// How long a program takes from its start to its end.
fn starts(command: &[&str]) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let began = Instant::now();
        let status = Command::new(command[0])
            .args(&command[1..])
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("cannot start `{}`", command[0]))?;
        ensure!(status.success(), "`{}` did not succeed", command[0]);
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}
