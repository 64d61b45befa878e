//! One task in our hands: its lease, its heartbeats, its log lines and its end.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::task::{Stop, TaskBody, WORKER_ERROR, shorten};
use super::{Ended, Fail, Function, Task};
use crate::{Client, Error, Request, segment};

const HEARTBEATS_PER_LEASE: u32 = 3;
/// What a function gets to end that was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Lines are collected this long.
const COLLECT: Duration = Duration::from_millis(100);
const SAY_AGAIN: Duration = Duration::from_secs(1);
const SAY_TIME_MAX: Duration = Duration::from_secs(30);
const LINES_MAX: usize = 10_000;
const LINES_AT_ONCE: usize = 999;
const TEXT_AT_ONCE: usize = 1 << 20;
const TEXT_MAX: usize = 1 << 16;

/// One task in our hands.
pub(crate) struct Hold {
    client: Client,
    path: String,
    who: Value,
    lease: Duration,
    /// Until when nobody else has the task.
    until: Mutex<Instant>,
    stop: watch::Sender<Option<Stop>>,
    lines: Mutex<Lines>,
    is_written: Notify,
}

#[derive(Default)]
struct Lines {
    waiting: Vec<(&'static str, String)>,
    dropped: usize,
}

#[derive(Deserialize)]
struct Beat {
    cancel: bool,
    reason: Option<String>,
}

impl Hold {
    pub(super) fn new(client: &Client, worker: &str, lease: Duration, task: &TaskBody) -> Hold {
        let own = task.lease.as_deref().and_then(|text| humantime::parse_duration(text).ok());
        let lease = own.unwrap_or(lease);
        Hold {
            client: client.clone(),
            path: format!("/api/v1/tasks/{}", segment(&task.id)),
            who: json!({ "worker": worker, "fence": task.fence }),
            lease,
            until: Mutex::new(Instant::now() + lease),
            stop: watch::Sender::new(None),
            lines: Mutex::default(),
            is_written: Notify::new(),
        }
    }

    /// Tells the function to stop. The first reason counts.
    pub(super) fn stop(&self, reason: Stop) {
        self.stop.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(reason);
            is_first
        });
    }

    pub(super) fn stopped(&self) -> Option<Stop> {
        self.stop.borrow().clone()
    }

    pub(super) async fn until_stopped(&self) -> Stop {
        let mut stop = self.stop.subscribe();
        match stop.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            _ => std::future::pending().await,
        }
    }

    pub(super) fn write(&self, stream: &'static str, mut text: String) {
        shorten(&mut text, TEXT_MAX);
        let mut lines = self.lines.lock();
        if lines.waiting.len() < LINES_MAX {
            lines.waiting.push((stream, text));
        } else {
            lines.dropped += 1;
        }
        self.is_written.notify_one();
    }

    /// Gives it back untouched.
    pub(super) async fn release(&self) {
        let _ = self.say("release", json!({})).await;
    }

    /// Has it done, and says what has come of it.
    pub(super) async fn work(self: Arc<Hold>, function: Function, body: TaskBody) {
        let task = Task::new(&body, self.clone());
        // None of them outlives this, whoever drops it.
        let (mut job, mut beside) = (JoinSet::new(), JoinSet::new());
        job.spawn(function(task, body));
        let (beating, writing) = (self.clone(), self.clone());
        beside.spawn(async move { beating.keep_beating().await });
        beside.spawn(async move { writing.keep_writing().await });
        let ended = tokio::select! {
            ended = job.join_next() => ended,
            reason = self.until_stopped() => {
                // No two workers are to be at it at the same time.
                let last = match reason {
                    Stop::LeaseEnds => *self.until.lock(),
                    _ => Instant::now() + STOP_GRACE,
                };
                timeout_at(last, job.join_next()).await.ok().flatten()
            }
        };
        // Whatever is left of it is not to go on while somebody else begins.
        job.shutdown().await;
        let ended = ended.map(|ended| {
            ended.unwrap_or_else(|_| Err(Fail::retry(WORKER_ERROR, "the function has panicked")))
        });
        self.settle(ended).await;
    }

    async fn settle(&self, ended: Option<Ended>) {
        match (self.stopped(), ended) {
            (None, Some(Ok(output))) | (Some(Stop::Draining), Some(Ok(output))) => {
                self.send_lines().await;
                self.complete(output).await;
            }
            (None, Some(Err(fail))) => {
                self.send_lines().await;
                let _ = self.say("fail", fail.into_body()).await;
            }
            (Some(Stop::Draining), _) => {
                self.send_lines().await;
                self.release().await;
            }
            // Nobody wants to hear of it, or another worker is asked.
            (Some(_), _) | (None, None) => {}
        }
    }

    async fn complete(&self, output: Value) {
        let Err(error) = self.say("complete", output).await else { return };
        let is_over = matches!(error.status(), Some(401 | 403 | 404 | 409))
            || error.code() == Some("invalid-output");
        if !is_over {
            // An answer that the server will never take must not keep the task for ever.
            let fail = Fail::fatal("bad_output", format!("the server refuses it: {error}"));
            let _ = self.say("fail", fail.into_body()).await;
        }
    }

    /// Ends the task. What could not be delivered is said again: it counts once.
    async fn say(&self, verb: &str, what: Value) -> Result<(), Error> {
        let until = Instant::now() + self.lease.max(2 * SAY_AGAIN);
        loop {
            match self.post(verb, &what, SAY_TIME_MAX).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_transient() && Instant::now() < until => {}
                Err(error) => {
                    tracing::warn!(%error, task = self.path, "cannot {verb} a task");
                    // Nobody knows, and nothing else can be said.
                    return if error.is_transient() { Ok(()) } else { Err(error) };
                }
            }
            sleep(SAY_AGAIN).await;
        }
    }

    async fn post(&self, verb: &str, what: &Value, within: Duration) -> Result<Vec<u8>, Error> {
        let mut body = self.who.clone();
        if let (Some(body), Some(what)) = (body.as_object_mut(), what.as_object()) {
            body.extend(what.clone());
        }
        let request = Request::post(format!("{}/{verb}", self.path), &body).within(within);
        self.client.fetch_bytes(request).await
    }

    /// A heartbeat, with whatever else there is to say.
    pub(super) async fn beat(&self, what: Value) -> Result<(), Error> {
        let sent_at = Instant::now();
        let most = Duration::from_secs(10);
        let within = (self.lease / HEARTBEATS_PER_LEASE).clamp(Duration::from_millis(200), most);
        let answer = match self.post("heartbeat", &what, within).await {
            Err(error) if matches!(error.status(), Some(404 | 409)) => {
                self.stop(Stop::Lost);
                return Err(error);
            }
            answer => answer?,
        };
        *self.until.lock() = sent_at + self.lease;
        let beat: Beat =
            serde_json::from_slice(&answer).map_err(|error| Error::Nonsense(error.to_string()))?;
        if beat.cancel {
            self.stop(Stop::Asked(beat.reason.unwrap_or_else(|| "cancelled".to_owned())));
        }
        Ok(())
    }

    async fn keep_beating(&self) {
        let interval = self.lease / HEARTBEATS_PER_LEASE;
        let margin = (self.lease / 10).clamp(Duration::from_millis(200), STOP_GRACE);
        let mut due = Instant::now() + interval;
        loop {
            let let_go_at = *self.until.lock() - margin;
            let beaten = async {
                sleep_until(due).await;
                (Instant::now(), self.beat(json!({})).await)
            };
            match timeout_at(let_go_at, beaten).await {
                Ok((sent_at, Ok(()))) => due = sent_at + interval,
                Ok((_, Err(error))) => {
                    tracing::warn!(%error, task = self.path, "no heartbeat");
                    due = Instant::now() + (interval / 3).min(SAY_AGAIN);
                }
                // A heartbeat of somebody else's may have prolonged it meanwhile.
                Err(_) if *self.until.lock() - margin > Instant::now() => {}
                Err(_) => return self.stop(Stop::LeaseEnds),
            }
        }
    }

    async fn keep_writing(&self) {
        loop {
            self.is_written.notified().await;
            sleep(COLLECT).await;
            if !self.send_lines().await {
                sleep(SAY_AGAIN).await;
                self.is_written.notify_one();
            }
        }
    }

    /// Whether all are on their way.
    async fn send_lines(&self) -> bool {
        loop {
            let lines = self.lines.lock().take();
            if lines.is_empty() {
                return true;
            }
            let sent = lines.iter().map(|(stream, text)| json!({ "stream": stream, "text": text }));
            let body = json!({ "lines": sent.collect::<Vec<_>>() });
            let posted = timeout(SAY_TIME_MAX, self.post("logs", &body, SAY_TIME_MAX)).await;
            match posted {
                Ok(Err(error)) if error.is_transient() => {
                    self.lines.lock().waiting.splice(0..0, lines);
                    return false;
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, task = self.path, "log lines were refused");
                }
                Ok(Ok(_)) | Err(_) => {}
            }
        }
    }
}

impl Lines {
    /// The next lines to send.
    fn take(&mut self) -> Vec<(&'static str, String)> {
        let mut size = 0;
        let fits = |(_, text): &&(&str, String)| {
            size += text.len();
            size <= TEXT_AT_ONCE
        };
        let count = self.waiting.iter().take(LINES_AT_ONCE).take_while(fits).count();
        let mut lines: Vec<_> = self.waiting.drain(..count).collect();
        if self.dropped > 0 && self.waiting.is_empty() {
            let dropped = std::mem::take(&mut self.dropped);
            let note =
                format!("{dropped} lines were dropped: they came faster than they were taken");
            lines.push(("stderr", note));
        }
        lines
    }
}
