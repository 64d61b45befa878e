//! The live feed of a run, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::definition::Plan;
use windlass_engine::LiveNote;
use windlass_store::{RunRow, Store, StoreError};

use super::events::number;
use crate::access::Caller;
use crate::api::event::EventBody;
use crate::api::log_line::LogLineBody;
use crate::api::query::{Asked, Named};
use crate::api::run::RunBody;
use crate::api::run::find;
use crate::api::step::{StepBody, bodies};
use crate::app::{App, Shared};
use crate::follow::{Follower, Told};
use crate::http::paging::cursor;
use crate::http::{Problem, ProblemResponses};

/// Frames that may wait for a slow reader. Past it, the reader is served from the store.
const FRAME_COUNT_MAX: usize = 64;
/// Steps of a snapshot. Further ones are read from `/steps` with its `next_cursor`.
const SNAPSHOT_STEP_COUNT_MAX: usize = 1_000;
/// How often a silent stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client should wait before it comes back.
const COME_BACK: Duration = Duration::from_secs(1);
/// Proxies that would collect frames are asked not to.
const NO_BUFFERING: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Where to begin.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// Only events behind this number, and no snapshot. `Last-Event-ID` means the same and wins.
    pub after: Option<String>,
}

/// A frame of a stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the library writes")]
pub struct Frame {
    /// `snapshot`, `log`, an event's type, or `llm_token`, `agent_turn`, `tool_start`, `tool_end`.
    event: Option<String>,
    /// The event's number in the journal.
    id: Option<String>,
    /// A `Snapshot`, an `EventBody`, a `LogLineBody` or a `LiveBody`, as JSON.
    data: Option<String>,
    /// After how many milliseconds to come back.
    retry: Option<u64>,
}

/// Something that happens in an attempt and is kept nowhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct LiveBody<'a> {
    /// The step.
    pub path: &'a str,
    /// Which attempt of it.
    pub attempt: u32,
    /// The rest, by kind of frame. `llm_token`: `turn`, `offset`, `text`. `agent_turn`: `turn`,
    /// `max_turns`. `tool_start`: `turn`, `tool`, `input`. `tool_end`: `turn`, `tool`, `success`,
    /// `output`.
    #[serde(flatten)]
    pub data: &'a Value,
}

impl LiveBody<'_> {
    fn of(note: &LiveNote) -> LiveBody<'_> {
        LiveBody { path: &note.path, attempt: note.attempt, data: &note.data }
    }
}

/// What a stream begins with.
#[derive(Debug, Serialize, ToSchema)]
pub struct Snapshot {
    /// The number of the last event that is in it.
    pub seq: u64,
    /// The run.
    pub run: RunBody,
    /// Its steps, up to 1,000.
    pub steps: Vec<StepBody>,
    /// Where the other steps are.
    pub steps_next_cursor: Option<String>,
    /// The number of the last log line so far; `/logs` has the lines.
    pub log_seq: u64,
}

/// Follows a run.
///
/// The first frame is `snapshot`, with a `Snapshot` as its data. Then every event of the journal, in order: the frame's `event` is
/// the event's type, its `id` the event's `seq`. Log lines come as `log` frames without an id. So
/// does what happens in the attempts of language models, as it happens: `llm_token` with the next
/// words of an answer, to be put behind the first `offset` characters of its turn, so that 0 begins
/// anew; `agent_turn`, `tool_start` and `tool_end`. It is kept nowhere, and none of it comes twice,
/// but who comes in the middle of an answer gets all of it that was said before. A client that comes back with `Last-Event-ID` or `?after=` gets no snapshot and misses no event,
/// even over a restart of the server; the lines written meanwhile are at `/logs?after=` with the
/// `log_seq` of the last line it has. The stream ends after the run's last event; who comes back
/// then gets 204.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}/stream", tag = "runs",
    params(
        ("run" = String, Path, description = "Id, its last 12 characters, or external id"),
        StreamQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "The last `id` received"),
    ),
    responses(
        (status = 200, description = "Frames", body = Frame, content_type = "text/event-stream"),
        (status = 204, description = "The run is over and everything was said"),
        ProblemResponses
    )
)]
pub async fn stream_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = place_of(&query, &headers)?;
    let row = find(&app, caller.project(), &word).await?;
    if row.status.is_terminal() && after.is_some_and(|after| after >= row.last_seq) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(stream(app.clone(), caller, |frames| send(app, row, after, frames)))
}

/// Where a client stands that comes back.
///
/// # Errors
///
/// If it does not say a number.
pub fn place_of(query: &StreamQuery, headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let asked = number("after", query.after.as_deref())?;
    match headers.get("last-event-id").and_then(|id| id.to_str().ok()) {
        Some(id) => number("Last-Event-ID", Some(id)),
        None => Ok(asked),
    }
}

/// The answer whose frames `tell` writes, until it has nothing more to say, nobody listens, or the
/// caller may not listen any more.
pub fn stream<F>(app: Arc<App>, caller: Caller, tell: impl FnOnce(Frames) -> F) -> Response
where
    F: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    let (frames, out) = mpsc::channel(FRAME_COUNT_MAX);
    let is_left = frames.clone();
    let telling = tell(frames);
    tokio::spawn(async move {
        let _count = app.metrics.stream();
        // A run may say nothing for days. Who has gone meanwhile must not be kept.
        tokio::select! {
            result = telling => given_up(result),
            () = is_left.closed() => {}
            // Whose key is taken back is not told any more.
            () = app.gate.until_out(&caller) => {}
        }
    });
    let keep_alive = KeepAlive::new().interval(HEARTBEAT).text("alive");
    let mut response = Sse::new(ReceiverStream::new(out)).keep_alive(keep_alive).into_response();
    response.headers_mut().insert(NO_BUFFERING.0, NO_BUFFERING.1);
    response
}

/// Says why a stream has ended before its time.
pub fn given_up(result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "a stream had to be given up");
    }
}

/// Where frames go.
pub type Frames = mpsc::Sender<Result<Event, Infallible>>;

async fn send(
    app: Arc<App>,
    row: RunRow,
    after: Option<u64>,
    frames: Frames,
) -> Result<(), StoreError> {
    // The subscription comes before the snapshot, so nothing falls between the two.
    let RunRow { run_id, definition_id, .. } = row;
    // A stream may last for days.
    drop(row);
    let mut follower = Follower::new(app.clone(), run_id);
    let (seq, log_seq) = match after {
        Some(after) => {
            let overview = app.engine.read(move |store| store.overview(run_id, 0)).await?;
            (after, overview.map_or(0, |overview| overview.last_log_seq))
        }
        None => {
            let definitions = app.engine.definitions().clone();
            let snapshot = app
                .engine
                .read(move |store| {
                    let plan = definitions.plan(definition_id).ok();
                    snapshot(store, run_id, plan.as_deref())
                })
                .await?;
            let place = (snapshot.seq, snapshot.log_seq);
            let frame = Event::default().id(snapshot.seq.to_string()).event("snapshot");
            let frame = frame.retry(COME_BACK).json_data(&snapshot);
            if frames.send(Ok(frame.unwrap_or_default())).await.is_err() {
                return Ok(());
            }
            place
        }
    };
    follower = follower.after(seq).with_logs_after(log_seq).with_live();
    while let Some(portion) = follower.next().await? {
        if let Some(note) = &portion.live {
            let frame = Event::default().event(&note.kind).json_data(LiveBody::of(note));
            if frames.send(Ok(frame.unwrap_or_default())).await.is_err() {
                return Ok(());
            }
        }
        for told in portion.told() {
            let frame = match told {
                Told::Line(line) => {
                    Event::default().event("log").json_data(LogLineBody::from(line))
                }
                Told::Event(event) => {
                    let body = EventBody::of(&event);
                    let frame = Event::default().id(event.seq.to_string()).event(body.type_);
                    frame.json_data(&body)
                }
            };
            if frames.send(Ok(frame.unwrap_or_default())).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A run and its steps as they are at one event.
fn snapshot(store: &dyn Store, run_id: Uuid, plan: Option<&Plan>) -> Result<Snapshot, StoreError> {
    let overview = store.overview(run_id, SNAPSHOT_STEP_COUNT_MAX)?;
    let overview =
        overview.ok_or_else(|| StoreError::Damaged(format!("the run {run_id} is gone")))?;
    let (steps, next) =
        bodies(store, &overview.row, overview.steps, plan, SNAPSHOT_STEP_COUNT_MAX)?;
    Ok(Snapshot {
        seq: overview.row.last_seq,
        log_seq: overview.last_log_seq,
        run: RunBody::read(store, overview.row)?,
        steps,
        steps_next_cursor: next.map(|place| cursor(&place)),
    })
}
