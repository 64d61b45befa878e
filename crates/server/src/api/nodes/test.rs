use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::definition::{self, Plan};
use windlass_core::expr::SecretSlot;
use windlass_core::run::{self, CreateRun, Event, Fact, Input, RunState, What};
use windlass_core::{Failure, Time};

use super::attempt::{NODE, TestAttempt, TestLine};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::{App, Shared};
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// How long an attempt may take here. A run's may take longer.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Decisions that a single node may take.
const DECISIONS_MAX: usize = 1_000;

/// What a node is to be tried out with.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TestRequest {
    /// Its config, with templates as in a definition.
    pub config: Option<Value>,
    /// What `input` is in them. `{}` if left out.
    pub input: Option<Value>,
    /// What the outputs of other nodes are in them, by node id.
    pub outputs: BTreeMap<String, Value>,
}

/// What has come of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestBody {
    /// `succeeded` or `failed`.
    pub status: &'static str,
    /// The config as the attempt got it, with secrets as they were written; null if it could not be
    /// rendered, or the kind only computes.
    pub config: Option<Value>,
    /// The output.
    pub output: Option<Value>,
    /// Why there is none.
    #[schema(value_type = Option<crate::api::run::FailureBody>)]
    pub error: Option<Failure>,
    /// What it has written, up to 1,000 lines.
    pub logs: Vec<TestLine>,
    /// How long it took.
    pub duration_ms: f64,
}

/// Tries a node out: renders its config with sample values and makes one attempt, outside of any run.
///
/// What it does to the world it does: a `shell` script runs, a request is sent. It gets the
/// secrets that its config names, hidden in whatever comes out, and has 20 seconds. Kinds that wait or hold nodes of their own can only be tried in a run.
#[utoipa::path(
    post, path = "/api/v1/nodes/{kind}/test", tag = "nodes",
    params(("kind" = String, Path, description = "Such as `http`")),
    request_body(content = TestRequest),
    responses(
        (status = 200, description = "What has come of it", body = TestBody),
        (status = 422, description = "`invalid-definition` or `invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn test_kind(
    State(app): Shared,
    caller: Caller,
    Named(kind): Named<String>,
    Body(request): Body<TestRequest>,
) -> Result<Json<TestBody>, Problem> {
    if app.registry.kinds().get(&kind).is_none() {
        let message = format!("`{kind:.60}` is no kind of node; `/api/v1/nodes` lists them");
        return Err(Problem::new(problem::KIND_NOT_FOUND, message));
    }
    let began = Instant::now();
    let input = request.input.clone().unwrap_or_else(|| Value::Object(Map::new()));
    let plan = plan_of(&app, &kind, &request)?;
    let Decided { config, secrets, result } = decide(&plan, input, app.engine.clock().now())?;
    let (result, logs) = match (result, &config) {
        (Some(result), _) => (result, Vec::new()),
        (None, Some(config)) => {
            let attempt = TestAttempt {
                kind: &kind,
                config: config.clone(),
                secrets,
                project: caller.project(),
                time_max: TIME_MAX,
            };
            let tried = attempt.make(&app).await;
            (tried.result, tried.logs)
        }
        (None, None) => {
            let message = format!("a `{kind}` waits or holds nodes of its own; try it in a run");
            return Err(Problem::new(problem::INVALID_REQUEST, message));
        }
    };
    let (status, output, error) = match result {
        Ok(output) => ("succeeded", Some(output), None),
        Err(error) => ("failed", None, Some(error)),
    };
    let duration_ms = began.elapsed().as_secs_f64() * 1e3;
    Ok(Json(TestBody { status, config, output, error, logs, duration_ms }))
}

/// A definition of the node alone, behind nodes that have the sample outputs.
///
/// # Errors
///
/// `invalid-definition`.
pub(crate) fn plan_of(app: &App, kind: &str, request: &TestRequest) -> Result<Plan, Problem> {
    let mut nodes = Vec::new();
    for (id, output) in &request.outputs {
        if id == NODE {
            let message = format!("`{NODE}` is the node that is tried out");
            return Err(Problem::parameter("outputs", message));
        }
        if output.to_string().contains("{{") {
            return Err(Problem::parameter("outputs", format!("`{id}`: no templates here")));
        }
        nodes.push(json!({ "id": id, "type": "transform", "config": { "output": output } }));
    }
    let needs: Vec<&String> = request.outputs.keys().collect();
    let mut node = json!({ "id": NODE, "type": kind, "needs": needs });
    if let Some(config) = &request.config {
        node["config"] = config.clone();
    }
    nodes.push(node);
    let text = json!({ "name": "test", "nodes": nodes }).to_string();
    let checked = definition::check(&text, app.registry.kinds());
    checked.plan.ok_or_else(|| Problem::findings(problem::INVALID_DEFINITION, checked.findings))
}

/// What is known of the node once nothing follows any more without an attempt.
#[derive(Default)]
pub(crate) struct Decided {
    /// Its rendered config, if an attempt is due.
    pub(crate) config: Option<Value>,
    /// Where secrets belong in it.
    pub(crate) secrets: Vec<SecretSlot>,
    /// What has come of it, if that needs no attempt.
    pub(crate) result: Option<Result<Value, Failure>>,
}

/// Decides a run of the plan in memory as far as it goes by itself.
///
/// # Errors
///
/// If the input does not fit.
pub(crate) fn decide(plan: &Plan, input: Value, now: Time) -> Result<Decided, Problem> {
    let id = Uuid::nil();
    let request = CreateRun {
        unit: None,
        run_id: id,
        workflow_id: id,
        version: 1,
        definition_id: id,
        input,
        labels: BTreeMap::new(),
        rerun_of: None,
        external_id: None,
        parent: None,
        priority: None,
        held: false,
        by: None,
        reused: BTreeMap::new(),
        observed: None,
        trigger_depth: 0,
    };
    let first = run::create(plan, request, now)?;
    let gone = || Problem::new(problem::INTERNAL, "a run that was created has no state");
    let mut state = RunState::from_first(&first).ok_or_else(gone)?;
    let mut decided = Decided::default();
    for _ in 0..DECISIONS_MAX {
        let input = Input { now, dice: 0.5, what: What::Advance };
        let events = state.decide(plan, &input)?;
        if events.is_empty() {
            break;
        }
        for event in &events {
            state.evolve(event);
            note(event, &mut decided);
        }
    }
    Ok(decided)
}

/// What an event says of the node.
fn note(event: &Event, decided: &mut Decided) {
    match &event.fact {
        Fact::StepQueued { path, input, secrets, .. } if path == NODE => {
            decided.config = Some((**input).clone());
            decided.secrets.clone_from(secrets);
        }
        Fact::StepSucceeded { path, output, .. } if path == NODE => {
            decided.result = Some(Ok((**output).clone()));
        }
        Fact::StepFailed { path, error, .. } if path == NODE => {
            decided.result = Some(Err(error.clone()));
        }
        _ => {}
    }
}
