use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::run::{Outcome, UnitDone};
use windlass_engine::ids::new_id;

use super::{hold, refused, scope_of, task_id};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::{App, Shared};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// What has come of a task.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteRequest {
    /// The worker's name, as in its poll.
    #[schema(min_length = 1, max_length = 100)]
    pub worker: String,
    /// The task's `fence`.
    pub fence: u64,
    /// Of a step: its output. Null if left out.
    #[serde(default)]
    pub output: Option<Value>,
    /// Of a unit of work: its attributes, those that have not changed left out or not.
    #[serde(default)]
    pub attributes: Option<BTreeMap<String, Value>>,
    /// Of a unit of work: why, in the actor's words.
    #[serde(default)]
    pub reasoning: Option<String>,
    /// Of a unit of work: what it is split into, at most 1,000 parts.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub children: Vec<ChildBody>,
}

/// A part that a unit of work is split into.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChildBody {
    /// Its attributes. Those of its parent are added.
    #[serde(default)]
    pub attributes: BTreeMap<String, Value>,
}

/// What has come of a unit of work, as the engine takes it.
pub(crate) fn unit_done(
    app: &App,
    attributes: BTreeMap<String, Value>,
    reasoning: Option<String>,
    children: Vec<ChildBody>,
) -> Outcome {
    let now = app.engine.clock().now();
    // Parts of one moment are taken in the order of their ids, which is to be the order given.
    let mut ids: Vec<_> = children.iter().map(|_| new_id(now)).collect();
    ids.sort_unstable();
    let children =
        ids.into_iter().zip(children.into_iter().map(|child| child.attributes)).collect();
    Outcome::Unit(Box::new(UnitDone { attributes, reasoning, children }))
}

/// Ends a task well: its output is the step's, its attributes are the unit's.
///
/// 204 means that it is durable. Said again by the same worker, it counts once. An output that does
/// not fit the kind's schema is answered with `invalid-output`, and the attempt has failed by it.
#[utoipa::path(
    post, path = "/api/v1/tasks/{task}/complete", tag = "workers",
    params(("task" = String, Path, description = "Its id")),
    request_body(content = CompleteRequest),
    responses(
        (status = 204, description = "It is durable"),
        (status = 409, description = "`lease-lost` or `task-over`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-output` or `invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn complete_task(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<CompleteRequest>,
) -> Result<StatusCode, Problem> {
    let (id, hold) = (task_id(&word)?, hold(request.worker, request.fence)?);
    let CompleteRequest { output, attributes, reasoning, children, .. } = request;
    let of_unit = attributes.is_some() || reasoning.is_some() || !children.is_empty();
    let outcome = match output {
        Some(_) if of_unit => {
            let message = "a step has an `output`, a unit of work `attributes`; not both";
            return Err(Problem::parameter("output", message.to_owned()).in_body());
        }
        None if of_unit => unit_done(&app, attributes.unwrap_or_default(), reasoning, children),
        None if app.engine.desk().is_unit(id) => unit_done(&app, BTreeMap::new(), None, Vec::new()),
        output => Outcome::Output(Arc::new(output.unwrap_or_default())),
    };
    let scope = scope_of(&caller);
    app.engine.complete_task(&scope, id, &hold, outcome).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
