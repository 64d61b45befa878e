//! Many who watch: half of them by server-sent events, half by WebSocket, and all of them come back
//! again and again.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::server::Server;
use super::wire::{Wire, field};
use super::{Place, memory, told};
use crate::client::Question;

/// Runs that are watched, and by how many each.
const RUNS: usize = 1_000;
const PER_RUN: usize = 5;
/// How often all come back, and how long they listen in between.
const RECONNECTS: u64 = 5;
const LISTENING: Duration = Duration::from_secs(4);
/// Batches that the events of a second come in.
const BATCHES: usize = 20;

/// Runs that have begun, all alike.
pub(super) struct Begun {
    /// What they are called here.
    pub(super) ids: Vec<String>,
    /// The number of the last event of each.
    pub(super) first: u64,
}

/// How somebody watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sse,
    WebSocket,
}

/// Somebody who watches a run.
pub(super) struct Watcher {
    stream: TcpStream,
    kind: Kind,
    buffer: Vec<u8>,
    /// Where what was not looked at yet begins and ends.
    from: usize,
    to: usize,
    /// The number of the event of a frame that has begun.
    seq: Option<u64>,
}

impl Watcher {
    /// Watches from behind an event on.
    pub(super) async fn open(
        address: &str,
        run: &str,
        kind: Kind,
        after: u64,
    ) -> anyhow::Result<Watcher> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let head = match kind {
            Kind::Sse => format!(
                "GET /api/v1/runs/{run}/stream?after={after} HTTP/1.1\r\nHost: {address}\r\n\r\n"
            ),
            Kind::WebSocket => format!(
                "GET /ws/runs/{run}?after={after} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: d2luZGxhc3MtYmVuY2gtMQ==\r\n\r\n"
            ),
        };
        stream.write_all(head.as_bytes()).await?;
        let buffer = vec![0; 4 * 1_024];
        let mut watcher = Watcher { stream, kind, buffer, from: 0, to: 0, seq: None };
        loop {
            ensure!(watcher.more().await?, "a watcher was sent away");
            let text = &watcher.buffer[..watcher.to];
            if let Some(end) = text.windows(4).position(|at| at == b"\r\n\r\n") {
                let wanted: &[u8] =
                    if kind == Kind::Sse { b"HTTP/1.1 200" } else { b"HTTP/1.1 101" };
                ensure!(
                    text.starts_with(wanted),
                    "a watcher was refused: {}",
                    String::from_utf8_lossy(text)
                );
                watcher.from = end + 4;
                return Ok(watcher);
            }
        }
    }

    /// Reads on. Answers whether there was anything.
    async fn more(&mut self) -> anyhow::Result<bool> {
        self.buffer.copy_within(self.from..self.to, 0);
        self.to -= self.from;
        self.from = 0;
        if self.to == self.buffer.len() {
            self.buffer.resize(self.to * 2, 0);
        }
        let read = self.stream.read(&mut self.buffer[self.to..]).await?;
        self.to += read;
        Ok(read > 0)
    }

    /// The number of the next event and what it says; `None` once nothing follows.
    async fn next(&mut self) -> anyhow::Result<Option<(u64, String)>> {
        loop {
            let found = match self.kind {
                Kind::Sse => self.next_line()?,
                Kind::WebSocket => self.next_frame().await?,
            };
            match found {
                Step::Event(seq, text) => return Ok(Some((seq, text))),
                Step::Nothing => {}
                Step::End => return Ok(None),
                Step::More => {
                    if !self.more().await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Frames of server-sent events are looked at line by line; so the lengths of chunks in between
    /// do not matter.
    fn next_line(&mut self) -> anyhow::Result<Step> {
        let text = &self.buffer[self.from..self.to];
        let Some(end) = text.iter().position(|byte| *byte == b'\n') else { return Ok(Step::More) };
        let line = std::str::from_utf8(&text[..end])?.trim_end_matches('\r').to_owned();
        self.from += end + 1;
        if let Some(seq) = line.strip_prefix("id: ") {
            self.seq = Some(seq.parse()?);
        } else if let Some(data) = line.strip_prefix("data: ")
            && let Some(seq) = self.seq.take()
        {
            return Ok(Step::Event(seq, data.to_owned()));
        } else if line == "0" {
            return Ok(Step::End);
        }
        Ok(Step::Nothing)
    }

    async fn next_frame(&mut self) -> anyhow::Result<Step> {
        let text = &self.buffer[self.from..self.to];
        let [first, second, ..] = *text else { return Ok(Step::More) };
        let (head, length) = match second & 0x7f {
            126 if text.len() < 4 => return Ok(Step::More),
            126 => (4, usize::from(u16::from_be_bytes([text[2], text[3]]))),
            127 => bail!("a message is too long"),
            length => (2, usize::from(length)),
        };
        if text.len() < head + length {
            return Ok(Step::More);
        }
        let body = text[head..head + length].to_vec();
        self.from += head + length;
        match first & 0x0f {
            1 => {
                let text = String::from_utf8(body)?;
                let seq = field(&text, "\"seq\":").and_then(|seq| seq.parse().ok());
                Ok(seq.map_or(Step::Nothing, |seq| Step::Event(seq, text)))
            }
            8 => Ok(Step::End),
            9 => {
                // An answer is masked, with noughts.
                let length = u8::try_from(body.len().min(125))?;
                let mut pong = vec![0x8a, 0x80 | length, 0, 0, 0, 0];
                pong.extend(body.iter().take(usize::from(length)));
                self.stream.write_all(&pong).await?;
                Ok(Step::Nothing)
            }
            _ => Ok(Step::Nothing),
        }
    }

    /// The number of the next task that begins; `None` once nothing follows.
    pub(super) async fn next_task(&mut self) -> anyhow::Result<Option<u64>> {
        while let Some((_, text)) = self.next().await? {
            // The end of a run ends its tasks, too.
            if text.contains("\"task_started\"")
                && let Some(number) = field(&text, "\"n:").and_then(|number| number.parse().ok())
            {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }
}

enum Step {
    Event(u64, String),
    Nothing,
    More,
    End,
}

/// Begins runs.
pub(super) async fn begin(server: &Server, count: usize) -> anyhow::Result<Begun> {
    let mut wire = Wire::open(&server.address).await?;
    let mut text = String::new();
    for run in 0..count {
        let _ = write!(text, r#"{{"event":"flow_started","flow":"bench","run_id":"w{run}"}},"#);
    }
    post(&mut wire, &text).await?;
    let mut ids = Vec::with_capacity(count);
    for run in 0..count {
        let found = server.client.expect(Question::get(&format!("/api/v1/runs/w{run}"))).await?;
        ids.push(found["id"].as_str().context("a run has an id")?.to_owned());
    }
    // What is watched begins behind this event.
    let path = format!("/api/v1/runs/{}/events", ids.first().context("there is a run")?);
    let events = server.client.expect(Question::get(&path)).await?;
    let last = events["items"].as_array().and_then(|items| items.last()?["seq"].as_u64());
    Ok(Begun { ids, first: last.context("a run has events")? })
}

/// Ends the runs.
pub(super) async fn end(server: &Server, count: usize) -> anyhow::Result<()> {
    let mut text = String::new();
    for run in 0..count {
        let _ =
            write!(text, r#"{{"event":"flow_completed","run_id":"w{run}","status":"SUCCEEDED"}},"#);
    }
    post(&mut Wire::open(&server.address).await?, &text).await
}

/// A task of a run begins.
pub(super) fn task(text: &mut String, run: usize, number: u64) {
    let _ = write!(
        text,
        r#"{{"event":"task_started","run_id":"w{run}","task":"n","node":"n:{number}"}},"#
    );
}

async fn post(wire: &mut Wire, events: &str) -> anyhow::Result<()> {
    let body = format!("[{}]", events.trim_end_matches(','));
    let status = wire.post("/api/v1/events", &body).await?;
    let is_whole = wire.body().contains("\"rejected\":[]");
    ensure!(status == 200 && is_whole, "events were refused: {status} {}", wire.body());
    Ok(())
}

/// What all watchers together have seen.
#[derive(Default)]
struct Seen {
    deliveries: AtomicU64,
    gaps: AtomicU64,
    doubles: AtomicU64,
    listening: AtomicU64,
    /// Streams that ended while their run went on.
    cut: AtomicU64,
    is_over: AtomicBool,
    /// Why watchers gave up.
    errors: Mutex<Vec<String>>,
}

/// 5,000 who watch 1,000 runs, each of which says something every second.
pub(super) async fn measure(place: &Place) -> anyhow::Result<()> {
    raise_limit()?;
    let probe = place.probe()?;
    let server = Server::start(place, &place.directory("watchers")?).await?;
    let Begun { ids, first } = begin(&server, RUNS).await?;
    let seen = Arc::new(Seen::default());
    let (again, mut rounds) = watch::channel(0_u64);
    rounds.mark_unchanged();
    let mut watching = Vec::with_capacity(RUNS * PER_RUN);
    for number in 0..RUNS * PER_RUN {
        let kind = if number % 2 == 0 { Kind::Sse } else { Kind::WebSocket };
        let (address, id) = (server.address.clone(), ids[number % RUNS].clone());
        let (seen, rounds) = (seen.clone(), rounds.clone());
        watching.push(tokio::spawn(async move {
            let last = watch_one(address, (id, first), kind, &seen, rounds).await;
            last.inspect_err(|error| seen.errors.lock().push(format!("{kind:?}: {error:#}")))
        }));
    }
    let all = (RUNS * PER_RUN) as u64;
    until(&seen, all).await?;
    let (stop, stopped) = watch::channel(false);
    let talking = tokio::spawn(talk(server.address.clone(), stopped));
    let (began, before) = (Instant::now(), seen.deliveries.load(Ordering::Relaxed));
    tokio::time::sleep(LISTENING).await;
    let delivered = seen.deliveries.load(Ordering::Relaxed) - before;
    let rate = delivered as f64 / began.elapsed().as_secs_f64();
    let mut slowest = Duration::ZERO;
    for round in 1..=RECONNECTS {
        let began = Instant::now();
        again.send_replace(round);
        until(&seen, all * (round + 1)).await?;
        slowest = slowest.max(began.elapsed());
        tokio::time::sleep(LISTENING).await;
    }
    let resident = memory::resident(&server).await?;
    stop.send_replace(true);
    let said = talking.await??;
    seen.is_over.store(true, Ordering::Relaxed);
    end(&server, RUNS).await?;
    let mut last = Vec::with_capacity(watching.len());
    for watcher in watching {
        last.push(watcher.await??);
    }
    // Each run said as much, and its end, and what follows from that: all of them are alike.
    let wanted = last.iter().copied().max().unwrap_or(0).max(first + said + 1);
    let short = last.iter().filter(|seq| **seq < wanted).count();
    let (gaps, doubles) = (seen.gaps.load(Ordering::Relaxed), seen.doubles.load(Ordering::Relaxed));
    told(
        &format!("OBSERVE {all} watchers of {RUNS} runs: {rate:.0} deliveries/s of 5000 said"),
        &probe,
    );
    told(
        &format!(
            "  {RECONNECTS} times all came back ({:.1} s at most): {gaps} gaps, {doubles} doubles, \
             {short} not told all, {} streams cut; {resident:.0} MiB resident",
            slowest.as_secs_f64(),
            seen.cut.load(Ordering::Relaxed)
        ),
        &probe,
    );
    server.stop()
}

/// Watches one run to its end, and comes back whenever all do. Says the number of the last event.
async fn watch_one(
    address: String,
    (run, first): (String, u64),
    kind: Kind,
    seen: &Seen,
    mut rounds: watch::Receiver<u64>,
) -> anyhow::Result<u64> {
    let (mut last, mut is_asked) = (first, true);
    loop {
        let mut watcher = Watcher::open(&address, &run, kind, last).await?;
        seen.listening.fetch_add(u64::from(is_asked), Ordering::Relaxed);
        is_asked = true;
        loop {
            tokio::select! {
                changed = rounds.changed() => {
                    changed?;
                    break;
                }
                event = watcher.next() => {
                    let Some((seq, _)) = event? else {
                        if seen.is_over.load(Ordering::Relaxed) {
                            return Ok(last);
                        }
                        seen.cut.fetch_add(1, Ordering::Relaxed);
                        is_asked = false;
                        break;
                    };
                    match seq {
                        seq if seq <= last => drop(seen.doubles.fetch_add(1, Ordering::Relaxed)),
                        seq if seq > last + 1 => drop(seen.gaps.fetch_add(1, Ordering::Relaxed)),
                        _ => {}
                    }
                    last = last.max(seq);
                    seen.deliveries.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Every run says something every second. Says how often each has.
async fn talk(address: String, stopped: watch::Receiver<bool>) -> anyhow::Result<u64> {
    let mut wire = Wire::open(&address).await?;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(BATCHES)?);
    let mut number = 0_u64;
    while !*stopped.borrow() {
        number += 1;
        for batch in 0..BATCHES {
            ticks.tick().await;
            let mut text = String::new();
            for run in (batch..RUNS).step_by(BATCHES) {
                task(&mut text, run, number);
            }
            post(&mut wire, &text).await?;
        }
    }
    Ok(number)
}

async fn until(seen: &Seen, wanted: u64) -> anyhow::Result<()> {
    let (began, count) = (Instant::now(), &seen.listening);
    while count.load(Ordering::Relaxed) < wanted {
        if let Some(error) = seen.errors.lock().first() {
            bail!("a watcher gave up: {error}");
        }
        let is_late = began.elapsed() > Duration::from_secs(60);
        ensure!(!is_late, "only {} of {wanted} came", count.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Each watcher is an open file, here and there.
fn raise_limit() -> anyhow::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = (RUNS * PER_RUN + 500) as u64;
    ensure!(
        limit.maximum.is_none_or(|most| most >= wanted),
        "the system allows {:?} open files, and {wanted} are needed",
        limit.maximum
    );
    if limit.current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit })?;
    }
    Ok(())
}
