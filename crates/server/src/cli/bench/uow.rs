//! UOW: units of work that actors outside claim and complete.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::profile::Profile;
use super::server::Server;
use super::wire::{Wire, field};
use super::{Place, memory, quantile, told};
use crate::client::Question;

const WORKERS: usize = 64;
const TIME: Duration = Duration::from_secs(6);
/// Units for one measure of throughput: more than can be done in its time.
const UNITS: usize = 80_000;
/// Claims of which each is timed.
const CLAIMS: usize = 2_000;
const WARM_UP: usize = 100;
/// Leases that are kept alive, each heard three times in its five minutes.
const LEASES: usize = 50_000;
const BEATS_PER_SECOND: usize = LEASES / 100;
const BEATING: Duration = Duration::from_secs(20);

/// One pair of hands, and the end.
fn template() -> Value {
    let pipe = |name: &str, role: &str, at: &str, direction: &str| json!({ "name": name, "role": role, "interaction": at, "direction": direction });
    let guarded = |name: &str, role: &str, at: &str, kind: &str| {
        let mut pipe = pipe(name, role, at, "INBOUND");
        pipe["guardian"] = json!({ "type": kind, "config": {} });
        pipe
    };
    json!({
        "workflow": { "name": "bench" },
        "roles": [
            { "name": "In", "role_type": "ALPHA" },
            { "name": "Packer", "role_type": "BETA", "strategy": "HOMOGENEOUS" },
            { "name": "Out", "role_type": "OMEGA" },
            { "name": "Medic", "role_type": "EPSILON" },
            { "name": "Clock", "role_type": "TAU" },
        ],
        "interactions": [
            { "name": "Orders" }, { "name": "Packed" }, { "name": "Ate" }, { "name": "Chronos" },
        ],
        "components": [
            pipe("a", "In", "Orders", "OUTBOUND"),
            pipe("b", "Packer", "Orders", "INBOUND"),
            pipe("c", "Packer", "Packed", "OUTBOUND"),
            guarded("d", "Out", "Packed", "CERBERUS"),
            guarded("e", "Medic", "Ate", "PASS_THRU"),
            pipe("f", "Medic", "Packed", "OUTBOUND"),
            pipe("g", "Medic", "Chronos", "OUTBOUND"),
            pipe("h", "Clock", "Chronos", "INBOUND"),
            pipe("i", "Clock", "Ate", "OUTBOUND"),
        ],
    })
}

pub(super) async fn measure(place: &Place, queued: usize) -> anyhow::Result<()> {
    for max in [1, 10] {
        throughput(place, max).await?;
    }
    latency(place, queued).await?;
    heartbeats(place).await
}

/// A server with an instance, and so many units in its first queue.
struct Desk {
    server: Server,
    instance: String,
}

impl Desk {
    async fn open(place: &Place, count: usize) -> anyhow::Result<Desk> {
        let server = Server::start(place, &place.directory("uow")?).await?;
        server.client.expect(Question::post("/api/v1/templates", &template())).await?;
        let wanted = json!({ "template": "bench" });
        let made = server.client.expect(Question::post("/api/v1/instances", &wanted)).await?;
        let instance = made["id"].as_str().context("an instance has an id")?.to_owned();
        let desk = Desk { server, instance };
        desk.add(count).await?;
        Ok(desk)
    }

    async fn add(&self, count: usize) -> anyhow::Result<()> {
        let path = format!("/api/v1/instances/{}/uows", self.instance);
        let body = json!({ "attributes": { "order": 4711, "to": "somewhere" } }).to_string();
        let adding = (0..WORKERS).map(|worker| {
            let (address, path, body) = (self.server.address.clone(), path.clone(), body.clone());
            let own = (worker..count).step_by(WORKERS).len();
            tokio::spawn(async move {
                let mut wire = Wire::open(&address).await?;
                for _ in 0..own {
                    let status = wire.post(&path, &body).await?;
                    ensure!(status == 201, "a unit was not taken: {status} {}", wire.body());
                }
                anyhow::Ok(())
            })
        });
        for one in adding.collect::<Vec<_>>() {
            one.await??;
        }
        Ok(())
    }

    fn demand(&self, worker: &str, max: usize, wait: &str) -> String {
        let units = json!([{ "instance": self.instance, "role": "Packer" }]);
        json!({ "worker": worker, "units": units, "max": max, "wait": wait, "lease": "5m" })
            .to_string()
    }
}

/// A task that was handed over: its id and fence.
type Taken = (String, String);

async fn poll(wire: &mut Wire, demand: &str) -> anyhow::Result<Vec<Taken>> {
    let status = wire.post("/api/v1/tasks/poll", demand).await?;
    ensure!(matches!(status, 200 | 204), "a poll was refused: {status} {}", wire.body());
    let (mut rest, mut taken) = (wire.body(), Vec::new());
    // What a task begins with; the rest of it is of no interest here.
    while let Some(place) = rest.find("{\"id\":\"") {
        rest = &rest[place..];
        let Some(fence) = field(rest, "\"fence\":") else { break };
        let id = rest.get(7..43).context("an id is a UUID")?;
        let is_task = rest.get(43..52) == Some("\",\"fence\"");
        if is_task {
            taken.push((id.to_owned(), fence.to_owned()));
        }
        rest = &rest[43..];
    }
    Ok(taken)
}

async fn throughput(place: &Place, max: usize) -> anyhow::Result<()> {
    let probe = place.probe()?;
    let desk = Desk::open(place, UNITS).await?;
    let profile = Profile::begin(place, &desk.server).await?;
    let began = Instant::now();
    let workers = (0..WORKERS).map(|number| {
        let worker = format!("actor{number}");
        let (address, demand) = (desk.server.address.clone(), desk.demand(&worker, max, "1s"));
        tokio::spawn(async move {
            let (mut wire, mut count) = (Wire::open(&address).await?, 0_usize);
            while began.elapsed() < TIME {
                for (id, fence) in poll(&mut wire, &demand).await? {
                    let path = format!("/api/v1/tasks/{id}/complete");
                    let body = format!(
                        r#"{{"worker":"{worker}","fence":{fence},"attributes":{{"packed":true}}}}"#
                    );
                    let status = wire.post(&path, &body).await?;
                    ensure!(status < 300, "a completion was refused: {status} {}", wire.body());
                    count += 1;
                }
            }
            anyhow::Ok(count)
        })
    });
    let mut count = 0;
    for worker in workers.collect::<Vec<_>>() {
        count += worker.await??;
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    ensure!(count < UNITS, "there were too few units to keep all busy");
    let each = if max == 1 { "one task".to_owned() } else { format!("{max} tasks") };
    told(&format!("UOW {WORKERS} workers, {each} a poll: {rate:.0} claim+complete/s"), &probe);
    profile.end(&desk.server, count as f64).await?;
    desk.server.stop()
}

async fn latency(place: &Place, queued: usize) -> anyhow::Result<()> {
    let probe = place.probe()?;
    let began = Instant::now();
    let desk = Desk::open(place, queued + WARM_UP + 2 * CLAIMS).await?;
    let took = began.elapsed().as_secs_f64();
    told(&format!("UOW {queued} units added over {WORKERS} connections in {took:.1} s"), &probe);
    for workers in [1, 8] {
        let claiming = (0..workers).map(|number| {
            let (address, demand) =
                (desk.server.address.clone(), desk.demand(&format!("actor{number}"), 1, "1s"));
            tokio::spawn(async move {
                let (mut wire, mut times) = (Wire::open(&address).await?, Vec::new());
                for number in 0..(WARM_UP + CLAIMS) / workers {
                    let began = Instant::now();
                    ensure!(poll(&mut wire, &demand).await?.len() == 1, "nothing was handed over");
                    if number >= WARM_UP / workers {
                        times.push(began.elapsed().as_secs_f64() * 1_000.0);
                    }
                }
                anyhow::Ok(times)
            })
        });
        let mut times = Vec::new();
        for one in claiming.collect::<Vec<_>>() {
            times.extend(one.await??);
        }
        times.sort_by(f64::total_cmp);
        let (p50, p99) = (quantile(&times, 0.5), quantile(&times, 0.99));
        told(
            &format!(
                "UOW claim with {queued} queued, {workers} at a time: p50 {p50:.2} ms, p99 {p99:.2} ms"
            ),
            &probe,
        );
    }
    let resident = memory::resident(&desk.server).await?;
    told(&format!("UOW {queued} queued: {resident:.0} MiB resident"), &probe);
    desk.server.stop()
}

async fn heartbeats(place: &Place) -> anyhow::Result<()> {
    let probe = place.probe()?;
    let desk = Desk::open(place, LEASES).await?;
    let demand = desk.demand("actor", 100, "1s");
    let mut wire = Wire::open(&desk.server.address).await?;
    let mut taken = Vec::with_capacity(LEASES);
    while taken.len() < LEASES {
        taken.extend(poll(&mut wire, &demand).await?);
    }
    // What was begun before is not the heartbeats' doing.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (before, began) = (memory::cpu_seconds(desk.server.pid())?, Instant::now());
    let mut beats =
        tokio::time::interval(Duration::from_secs(1) / u32::try_from(BEATS_PER_SECOND)?);
    let mut count = 0_usize;
    while began.elapsed() < BEATING {
        beats.tick().await;
        let (id, fence) = &taken[count % taken.len()];
        let path = format!("/api/v1/tasks/{id}/heartbeat");
        let status = wire.post(&path, &format!(r#"{{"worker":"actor","fence":{fence}}}"#)).await?;
        ensure!(status == 200, "a heartbeat was refused: {status} {}", wire.body());
        count += 1;
    }
    let elapsed = began.elapsed().as_secs_f64();
    let share = (memory::cpu_seconds(desk.server.pid())? - before) / elapsed * 100.0;
    let rate = count as f64 / elapsed;
    told(
        &format!("UOW heartbeats of {LEASES} leases, {rate:.0}/s: {share:.1} % of a core"),
        &probe,
    );
    desk.server.stop()
}
