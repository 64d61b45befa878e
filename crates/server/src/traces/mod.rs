//! Runs as OpenTelemetry traces, sent where the standard variables say: `OTEL_EXPORTER_OTLP_ENDPOINT`,
//! `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `…_HEADERS`, `…_TIMEOUT`, `OTEL_SERVICE_NAME`,
//! `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_EXPORTER`, `OTEL_SDK_DISABLED`.
//!
//! A run is told of when it is over, as one trace: a run of days is no open span. What is told is
//! durable before, and nothing waits for it: runs that end while too many wait to be told of are left
//! out, and so are those whose traces nobody takes. How many that were, a warning says once a minute at
//! most.
//!
//! Runs that came in as traces are not told of: whoever has sent them has them, and a server that is told
//! of its own traces would tell of these again, without end.

mod spans;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use tokio::sync::mpsc;
use uuid::Uuid;
use windlass_core::definition::Plan;
use windlass_engine::shard::Published;
use windlass_store::RunRow;

use crate::app::{App, is_down};
use crate::config::telemetry;

/// Runs that may wait to be told of.
const WAITING_MAX: usize = 4_096;
/// Spans of one request.
const BATCH_MAX: usize = 512;
/// How often a request is made anew that the other side could not take.
const TRIES: u32 = 4;

/// The label of runs that came in as traces, which is made of their tag.
const TRACE_LABEL: &str = "tag.opentelemetry";
/// How often at most it is said how many runs were left out.
const COMPLAINT: Duration = Duration::from_secs(60);

/// The variables that ask for traces to be sent.
const ASKED_BY: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// Where ends of runs go to be told of.
#[derive(Clone, Debug)]
pub struct Ends(Option<Told>);

#[derive(Clone, Debug)]
struct Told {
    ends: mpsc::Sender<Uuid>,
    left_out: Arc<AtomicU64>,
}

/// What tells of them.
#[derive(Debug)]
pub struct Traces {
    exporter: SpanExporter,
    ends: mpsc::Receiver<Uuid>,
    /// Runs that were left out since it was said last.
    left_out: Arc<AtomicU64>,
}

/// Whether the variables ask for traces.
fn is_asked_for() -> bool {
    let is_off =
        telemetry("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let exporter = telemetry("OTEL_TRACES_EXPORTER");
    let is_other =
        exporter.is_some_and(|names| !names.split(',').any(|name| name.trim() == "otlp"));
    !is_off && !is_other && ASKED_BY.iter().any(|name| telemetry(name).is_some())
}

/// What the variables ask for.
///
/// # Errors
///
/// If they make no sense.
pub fn open() -> anyhow::Result<(Ends, Option<Traces>)> {
    if !is_asked_for() {
        return Ok((Ends::nowhere(), None));
    }
    let client = Sender(reqwest::Client::builder().no_proxy().build()?);
    let mut exporter = SpanExporter::builder().with_http().with_http_client(client).build()?;
    let resource = Resource::builder();
    let resource = match telemetry("OTEL_SERVICE_NAME") {
        Some(_) => resource,
        // What the variables name wins over it.
        None if telemetry("OTEL_RESOURCE_ATTRIBUTES")
            .is_some_and(|it| it.contains("service.name")) =>
        {
            resource
        }
        None => resource.with_service_name("windlass"),
    };
    exporter.set_resource(&resource.build());
    let (sender, ends) = mpsc::channel(WAITING_MAX);
    let left_out = Arc::new(AtomicU64::new(0));
    let told = Told { ends: sender, left_out: left_out.clone() };
    Ok((Ends(Some(told)), Some(Traces { exporter, ends, left_out })))
}

impl Ends {
    /// Nobody is told.
    pub fn nowhere() -> Ends {
        Ends(None)
    }

    /// Takes note of what has become durable. It never waits.
    pub fn observe(&self, published: &Published) {
        let Some(told) = self.0.as_ref().filter(|_| published.is_over) else { return };
        // Of those that fall behind, the traces are the least.
        if told.ends.try_send(published.run_id).is_err() {
            told.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether another program has told of a run as an OpenTelemetry trace.
fn came_as_trace(row: &RunRow, plan: Option<&Plan>) -> bool {
    let is_ours = plan.is_some_and(|plan| plan.flow.is_none());
    !is_ours && row.labels.get(TRACE_LABEL).is_some_and(|value| value == "true")
}

impl Traces {
    /// Tells of runs for as long as the server lives.
    pub async fn tell(mut self, app: Arc<App>) {
        let mut going_down = app.going_down.clone();
        let mut is_heard = true;
        let mut said_at: Option<Instant> = None;
        loop {
            let run_id = tokio::select! {
                run_id = self.ends.recv() => run_id,
                () = is_down(&mut going_down) => None,
            };
            let Some(run_id) = run_id else { return };
            let definitions = app.engine.definitions().clone();
            let read = app.engine.read(move |store| {
                let Some(overview) = store.overview(run_id, 0)? else { return Ok(Vec::new()) };
                let plan = definitions.plan(overview.row.definition_id).ok();
                if came_as_trace(&overview.row, plan.as_deref()) {
                    return Ok(Vec::new());
                }
                spans::of(store, &overview.row, plan.as_deref())
            });
            let mut is_told = true;
            match read.await {
                Ok(spans) => {
                    for batch in spans.chunks(BATCH_MAX) {
                        let heard = self.send(batch).await;
                        // Said once for each time that the other side goes away.
                        if let Err(error) = &heard
                            && is_heard
                        {
                            tracing::warn!(%error, "traces cannot be sent; runs go on without");
                        }
                        is_heard = heard.is_ok();
                        is_told &= is_heard;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, run.id = %run_id, "a run cannot be told of as a trace");
                    is_told = false;
                }
            }
            if !is_told {
                self.left_out.fetch_add(1, Ordering::Relaxed);
            }
            // They are counted up to the next time that it may be said.
            if said_at.is_none_or(|at| at.elapsed() >= COMPLAINT) {
                let left_out = self.left_out.swap(0, Ordering::Relaxed);
                if left_out > 0 {
                    tracing::warn!(runs = left_out, "runs were left out of what is told as traces");
                    said_at = Some(Instant::now());
                }
            }
        }
    }

    async fn send(&self, batch: &[opentelemetry_sdk::trace::SpanData]) -> Result<(), String> {
        let mut pause = Duration::from_millis(200);
        let mut tries = 0;
        loop {
            tries += 1;
            match self.exporter.export(batch.to_vec()).await {
                Ok(()) => return Ok(()),
                Err(error) if tries == TRIES => return Err(error.to_string()),
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause *= 3;
        }
    }
}

/// How requests are sent: with the TLS and the client of the house.
struct Sender(reqwest::Client);

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.0.execute(request.try_into()?).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut response = Response::new(answer.bytes().await?);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
