//! OBSERVE: what other programs say of their runs, from the wire to the disk, and from there to who
//! watches.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use parking_lot::Mutex;

use super::profile::Profile;
use super::server::Server;
use super::watchers::{self, Kind, Watcher};
use super::wire::Wire;
use super::{Place, memory, quantile, told};

const PATH: &str = "/api/v1/events";
const TIME: Duration = Duration::from_secs(6);
/// Events of a run: its begin and end, and five tasks that begin and end.
const EVENTS_PER_RUN: usize = 12;
/// Runs of a batch, so that it has about a thousand events.
const RUNS_PER_BATCH: usize = 84;
const CONNECTIONS: usize = 64;
/// Runs that are watched while latency is measured, one event each at a time.
const WATCHED: usize = 50;
const EVENTS_PER_SECOND: usize = 5_000;

pub(super) async fn measure(place: &Place) -> anyhow::Result<()> {
    for senders in [1, 2, 4] {
        batches(place, senders).await?;
    }
    one_by_one(place).await?;
    latency(place).await?;
    watchers::measure(place).await
}

/// The events of a whole run, as JSON objects with a comma behind each.
fn run(text: &mut String, run: &str) {
    let _ = write!(text, r#"{{"event":"flow_started","flow":"bench","run_id":"{run}"}},"#);
    for task in 1..=5 {
        for event in ["task_started", "task_ok"] {
            let _ = write!(
                text,
                r#"{{"event":"{event}","run_id":"{run}","task":"t","node":"t:{task}"}},"#
            );
        }
    }
    let _ = write!(text, r#"{{"event":"flow_completed","run_id":"{run}","status":"SUCCEEDED"}},"#);
}

fn list(events: &str) -> String {
    format!("[{}]", events.trim_end_matches(','))
}

async fn send(wire: &mut Wire, body: &str) -> anyhow::Result<()> {
    let status = wire.post(PATH, body).await?;
    let is_whole = wire.body().contains("\"rejected\":[]");
    ensure!(status == 200 && is_whole, "events were refused: {status} {}", wire.body());
    Ok(())
}

async fn batches(place: &Place, senders: usize) -> anyhow::Result<()> {
    let probe = place.probe()?;
    let server = Server::start(place, &place.directory("observe")?).await?;
    let profile = Profile::begin(place, &server).await?;
    let began = Instant::now();
    let sending = (0..senders).map(|sender| {
        let address = server.address.clone();
        tokio::spawn(async move {
            let (mut wire, mut runs) = (Wire::open(&address).await?, 0);
            while began.elapsed() < TIME {
                let mut text = String::with_capacity(100 * 1_024);
                for _ in 0..RUNS_PER_BATCH {
                    run(&mut text, &format!("{sender}-{runs}"));
                    runs += 1;
                }
                send(&mut wire, &list(&text)).await?;
            }
            anyhow::Ok(runs)
        })
    });
    let mut runs = 0;
    for sender in sending.collect::<Vec<_>>() {
        runs += sender.await??;
    }
    let events = (runs * EVENTS_PER_RUN) as f64;
    let rate = events / began.elapsed().as_secs_f64();
    let size = RUNS_PER_BATCH * EVENTS_PER_RUN;
    told(
        &format!("OBSERVE batches of {size} events, {senders} at a time: {rate:.0} events/s"),
        &probe,
    );
    profile.end(&server, events).await?;
    let over = server.metric("windlass_runs_total").await?;
    ensure!(over as usize == runs, "{runs} runs were told of, and {over} are over");
    server.stop()
}

async fn one_by_one(place: &Place) -> anyhow::Result<()> {
    let probe = place.probe()?;
    let server = Server::start(place, &place.directory("observe")?).await?;
    let profile = Profile::begin(place, &server).await?;
    let began = Instant::now();
    let sending = (0..CONNECTIONS).map(|sender| {
        let address = server.address.clone();
        tokio::spawn(async move {
            let (mut wire, mut count, mut runs) = (Wire::open(&address).await?, 0, 0);
            while began.elapsed() < TIME {
                let mut text = String::new();
                run(&mut text, &format!("{sender}-{runs}"));
                runs += 1;
                for event in text.trim_end_matches(',').split("},{") {
                    let event = event.trim_start_matches('{').trim_end_matches('}');
                    send(&mut wire, &format!("{{{event}}}")).await?;
                    count += 1;
                }
            }
            anyhow::Ok(count)
        })
    });
    let mut count = 0_usize;
    for sender in sending.collect::<Vec<_>>() {
        count += sender.await??;
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    told(&format!("OBSERVE one by one, {CONNECTIONS} connections: {rate:.0} events/s"), &probe);
    profile.end(&server, count as f64).await?;
    server.stop()
}

/// Times by the number of an event's task.
type Times = Arc<Mutex<HashMap<u64, Instant>>>;

async fn latency(place: &Place) -> anyhow::Result<()> {
    let probe = place.probe()?;
    let server = Server::start(place, &place.directory("observe")?).await?;
    let begun = watchers::begin(&server, WATCHED).await?;
    let mut seen: Vec<Vec<(u64, Instant)>> = Vec::new();
    let mut watching = Vec::new();
    for id in &begun.ids {
        let mut watcher = Watcher::open(&server.address, id, Kind::Sse, begun.first).await?;
        watching.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(number) = watcher.next_task().await? {
                seen.push((number, Instant::now()));
            }
            anyhow::Ok(seen)
        }));
    }
    let (sent, accepted) = (Times::default(), Times::default());
    let pause =
        Duration::from_secs(1) * u32::try_from(WATCHED)? / u32::try_from(EVENTS_PER_SECOND)?;
    let (mut ticks, began) = (tokio::time::interval(pause), Instant::now());
    // Several connections, so that the next events need not wait for the answer to those before.
    let (queue, waiting) = tokio::sync::mpsc::channel::<u64>(64);
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    let mut senders = Vec::new();
    for _ in 0..8 {
        let (mut wire, waiting) = (Wire::open(&server.address).await?, waiting.clone());
        let (sent, accepted) = (sent.clone(), accepted.clone());
        senders.push(tokio::spawn(async move {
            loop {
                let next = waiting.lock().await.recv().await;
                let Some(number) = next else { return anyhow::Ok(()) };
                let mut text = String::new();
                for run in 0..WATCHED {
                    watchers::task(&mut text, run, number);
                }
                sent.lock().insert(number, Instant::now());
                send(&mut wire, &list(&text)).await?;
                accepted.lock().insert(number, Instant::now());
            }
        }));
    }
    let mut number = 0_u64;
    while began.elapsed() < TIME {
        ticks.tick().await;
        number += 1;
        queue.send(number).await?;
    }
    let elapsed = began.elapsed().as_secs_f64();
    drop(queue);
    for sender in senders {
        sender.await??;
    }
    watchers::end(&server, WATCHED).await?;
    for watcher in watching {
        seen.push(watcher.await??);
    }
    let (mut after_answer, mut after_sending) = (Vec::new(), Vec::new());
    for (number, at) in seen.iter().flatten() {
        let (sent, accepted) =
            (sent.lock().get(number).copied(), accepted.lock().get(number).copied());
        let (Some(sent), Some(accepted)) = (sent, accepted) else { continue };
        after_answer.push(at.saturating_duration_since(accepted).as_secs_f64() * 1e3);
        after_sending.push(at.saturating_duration_since(sent).as_secs_f64() * 1e3);
    }
    let expected = usize::try_from(number)? * WATCHED;
    ensure!(after_answer.len() == expected, "{expected} were sent, {} seen", after_answer.len());
    after_answer.sort_by(f64::total_cmp);
    after_sending.sort_by(f64::total_cmp);
    let rate = expected as f64 / elapsed;
    for (name, times) in [("accepted", &after_answer), ("sent", &after_sending)] {
        let (p50, p99) = (quantile(times, 0.5), quantile(times, 0.99));
        told(
            &format!(
                "OBSERVE {name} to seen at {rate:.0} events/s: p50 {p50:.2} ms, p99 {p99:.2} ms"
            ),
            &probe,
        );
    }
    let resident = memory::resident(&server).await?;
    told(&format!("OBSERVE {WATCHED} runs watched: {resident:.0} MiB resident"), &probe);
    server.stop()
}
