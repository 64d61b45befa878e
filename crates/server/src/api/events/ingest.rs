use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use windlass_core::Time;

use crate::access::Caller;
use crate::app::{App, Shared};
use crate::http::problem::{self, ProblemBody};
use crate::http::{Problem, ProblemResponses, body};
use crate::observe::cloud::Mode;
use crate::observe::{Item, Rejected, Taken, cloud, event, split, take};

/// Bodies from this size on are read where they hold nobody up.
const LARGE_BYTES: usize = 64 * 1024;

/// Takes in what another program says of its runs.
///
/// One event, a list, `{"events": […]}` or a line each (`application/x-ndjson`), up to 1 MiB an event,
/// `Content-Encoding` `gzip`, `zstd` or `deflate`. An event that cannot be is named under `rejected`,
/// and the others count. The order does not matter, nor how often an event comes: where a run stands
/// follows from the set of its events. Log lines are told apart by `event_id` alone. What is accepted
/// is durable. Events may come as CloudEvents: one in headers and body, one as a whole, or several.
#[utoipa::path(
    post, path = "/api/v1/events", tag = "events",
    request_body(
        content((Object = "application/json"), (String = "application/x-ndjson")),
        description = "`event`, `run_id`, `flow` (needed with the first event of a run), `flow_key`, \
            `ts` (RFC 3339 or seconds since 1970; left out: now), `task`, `node`, `attempt`, \
            `duration_ms`, `error`, `result`, `status`, `params`, `metadata`, `tags`, `priority`, \
            `level`, `message`, `payload`, `event_id`"
    ),
    responses(
        (status = 200, body = Taken),
        (status = 413, description = "`body-too-large`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn report_events(
    State(app): Shared,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<Taken>, Problem> {
    let bytes = body::read(request, &app).await?;
    ingest(&app, &caller, headers, bytes).await.map(Json)
}

/// Takes in what another program says of its runs, at the path of the first flow observer.
#[utoipa::path(
    post, path = "/api/events", tag = "facades",
    request_body(
        content((Object = "application/json"), (String = "application/x-ndjson")),
        description = "As at `/api/v1/events`"
    ),
    responses(
        (status = 200, body = Taken),
        (status = 413, description = "`body-too-large`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn report_events_there(
    State(app): Shared,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<Taken>, Problem> {
    let bytes = body::read(request, &app).await?;
    ingest(&app, &caller, headers, bytes).await.map(Json)
}

/// What one item says; nothing if it says nothing of a run.
pub(super) type Read = fn(usize, &[u8], Time) -> Result<Option<Item>, Rejected>;

async fn ingest(
    app: &App,
    caller: &Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Taken, Problem> {
    let read: Read = match cloud::mode(&headers) {
        None => |index, text, now| event::read(index, text, now).map(Some),
        Some(Mode::Structured) => {
            |index, text, now| event::read(index, &cloud::structured(index, text)?, now).map(Some)
        }
        Some(Mode::Binary) => {
            let data = app.room.unpacked(&headers, bytes)?;
            if data.len() > split::ITEM_BYTES_MAX {
                let message = format!("an event has at most {} bytes", split::ITEM_BYTES_MAX);
                return Err(Problem::new(problem::BODY_TOO_LARGE, message));
            }
            let now = app.engine.clock().now();
            let event = cloud::binary(0, &headers, &data);
            return match event.and_then(|event| event::read(0, &event, now)) {
                Ok(item) => take(app, caller, vec![item], Vec::new()).await,
                Err(rejected) => take(app, caller, Vec::new(), vec![rejected]).await,
            };
        }
    };
    read_and_take(app, caller, headers, bytes, read).await
}

/// Reads the items of a body one by one, and takes in those that can be.
///
/// # Errors
///
/// If the body as a whole cannot be read, or the store is away.
pub(super) async fn read_and_take(
    app: &App,
    caller: &Caller,
    headers: HeaderMap,
    bytes: Bytes,
    read_one: Read,
) -> Result<Taken, Problem> {
    let (now, room) = (app.engine.clock().now(), app.room.clone());
    let is_large = bytes.len() >= LARGE_BYTES || headers.contains_key(header::CONTENT_ENCODING);
    let read = move || {
        let bytes = room.unpacked(&headers, bytes)?;
        let (mut items, mut rejected, mut idle) = (Vec::new(), Vec::new(), 0);
        for (index, text) in split::items(&headers, &bytes)?.into_iter().enumerate() {
            match read_one(index, text, now) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => idle += 1,
                Err(one) => rejected.push(one),
            }
        }
        Ok::<_, Problem>((items, rejected, idle, bytes.into_held()))
    };
    let (items, rejected, idle, _held) = match is_large {
        false => read()?,
        true => tokio::task::spawn_blocking(read).await.map_err(|error| {
            tracing::error!(%error, "events could not be read");
            Problem::new(problem::INTERNAL, "the server's log says more")
        })??,
    };
    let taken = take(app, caller, items, rejected).await?;
    let accepted = taken.accepted + idle;
    Ok(Taken { ok: taken.ok || accepted > 0, accepted, ..taken })
}
