use std::collections::BTreeSet;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;

use crate::access::Caller;
use crate::app::Shared;
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{ProblemResponses, body};
use crate::observe::{otlp, split, take};

const PROTOBUF: &str = "application/x-protobuf";

/// Takes in OpenTelemetry traces (OTLP over HTTP, as protobuf or JSON).
///
/// A trace is a run of the flow that its service is; its id is the run's. The root span is the run as a
/// whole, every other span a task, and a span's events are log lines. The answer has the form of the
/// request, and names how many spans were refused.
#[utoipa::path(
    post, path = "/v1/traces", tag = "events",
    request_body(
        content((Object = "application/json"), (Vec<u8> = "application/x-protobuf")),
        description = "An `ExportTraceServiceRequest`"
    ),
    responses(
        (status = 200, description = "An `ExportTraceServiceResponse`", body = Object),
        (status = 413, description = "`body-too-large`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn report_traces(
    State(app): Shared,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let bytes = body::read(request, &app).await?;
    let (now, room) = (app.engine.clock().now(), app.room.clone());
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_protobuf = content_type.is_some_and(|it| it.starts_with(PROTOBUF));
    let read = move || {
        let bytes = room.unpacked(&headers, bytes)?;
        let spans = request_of(&bytes, is_protobuf)?;
        let scopes = spans.resource_spans.iter().flat_map(|it| &it.scope_spans);
        split::check_count(scopes.map(|scope| scope.spans.len()).sum())?;
        let (items, rejected) = otlp::read(spans, now);
        Ok::<_, Problem>((items, rejected, bytes.into_held()))
    };
    let (items, rejected, _held) = tokio::task::spawn_blocking(read).await.map_err(|error| {
        tracing::error!(%error, "spans could not be read");
        Problem::new(problem::INTERNAL, "the server's log says more")
    })??;
    let taken = take(&app, &caller, items, rejected).await?;
    let refused: BTreeSet<usize> = taken.rejected.iter().map(|one| one.index).collect();
    let partial_success = taken.rejected.first().map(|first| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(refused.len()).unwrap_or(i64::MAX),
        error_message: format!("{}: {}", first.code, first.detail),
    });
    let answer = ExportTraceServiceResponse { partial_success };
    Ok(match is_protobuf {
        true => ([(header::CONTENT_TYPE, PROTOBUF)], answer.encode_to_vec()).into_response(),
        false => axum::Json(answer).into_response(),
    })
}

fn request_of(bytes: &[u8], is_protobuf: bool) -> Result<ExportTraceServiceRequest, Problem> {
    if is_protobuf {
        return ExportTraceServiceRequest::decode(bytes).map_err(|error| {
            Problem::new(problem::BAD_PARAMETER, format!("the body is no such message: {error}"))
        });
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let code = if error.is_data() { problem::INVALID_REQUEST } else { problem::BAD_JSON };
        Problem::new(code, error.to_string())
    })
}
