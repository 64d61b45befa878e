use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::definition::{self, Plan};
use windlass_core::run::{self, AttemptError, CreateRun, Event, Fact, Input, RunState, What};
use windlass_core::{Failure, Time};
use windlass_nodes::{
    Executor, Journal, LiveSink, LogLine, LogSink, LogStream, NodeContext, Outcome, Stop,
    StopReason, Terms, UsageSink, fail,
};

use crate::access::Caller;
use crate::api::query::Named;
use crate::app::{App, Shared};
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// The id of the node that is tried out.
const NODE: &str = "tested";
/// How long an attempt may take here. A run's may take longer.
const TIME_MAX: Duration = Duration::from_secs(20);
/// How long a node may take to end after that.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Log lines that are kept.
const LINES_MAX: usize = 1_000;
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
    /// The config as the attempt got it; null if it could not be rendered, or the kind only computes.
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

/// A line that it has written.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestLine {
    /// `stdout`, `stderr` or `system`.
    pub stream: &'static str,
    /// The text.
    pub text: String,
}

/// Tries a node out: renders its config with sample values and makes one attempt, outside of any run.
///
/// What it does to the world it does: a `shell` script runs, a request is sent. It gets no secrets and
/// has 20 seconds. Kinds that wait or hold nodes of their own can only be tried in a run.
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
    let (config, has_secrets, decided) = decide(&plan, input, app.engine.clock().now())?;
    let mut logs = Vec::new();
    let result = match decided {
        Some(result) => result,
        None if has_secrets => {
            let message = "a node that is tried out gets no secrets; write a value in its place";
            Err(Failure::new("secret_missing", message))
        }
        None => match &config {
            Some(config) => {
                let project = Arc::from(caller.project());
                attempt(&app, project, &kind, config.clone(), &mut logs).await
            }
            None => {
                let message =
                    format!("a `{kind}` waits or holds nodes of its own; try it in a run");
                return Err(Problem::new(problem::INVALID_REQUEST, message));
            }
        },
    };
    let (status, output, error) = match result {
        Ok(output) => ("succeeded", Some(output), None),
        Err(error) => ("failed", None, Some(error)),
    };
    let duration_ms = began.elapsed().as_secs_f64() * 1e3;
    Ok(Json(TestBody { status, config, output, error, logs, duration_ms }))
}

/// A definition of the node alone, behind nodes that have the sample outputs.
fn plan_of(app: &App, kind: &str, request: &TestRequest) -> Result<Plan, Problem> {
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

type Decided = (Option<Value>, bool, Option<Result<Value, Failure>>);

/// Decides a run of the plan in memory as far as it goes by itself: the node's rendered config, if an
/// attempt is due, whether secrets belong in it, and its result, if it has one already.
fn decide(plan: &Plan, input: Value, now: Time) -> Result<Decided, Problem> {
    let id = Uuid::nil();
    let request = CreateRun {
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
    };
    let first = run::create(plan, request, now)?;
    let gone = || Problem::new(problem::INTERNAL, "a run that was created has no state");
    let mut state = RunState::from_first(&first).ok_or_else(gone)?;
    let mut decided: Decided = (None, false, None);
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
fn note(event: &Event, (config, has_secrets, result): &mut Decided) {
    match &event.fact {
        Fact::StepQueued { path, input, secrets, .. } if path == NODE => {
            *config = Some((**input).clone());
            *has_secrets = !secrets.is_empty();
        }
        Fact::StepSucceeded { path, output, .. } if path == NODE => {
            *result = Some(Ok((**output).clone()));
        }
        Fact::StepFailed { path, error, .. } if path == NODE => *result = Some(Err(error.clone())),
        _ => {}
    }
}

/// Makes one attempt.
async fn attempt(
    app: &Arc<App>,
    project: Arc<str>,
    kind: &str,
    config: Value,
    logs: &mut Vec<TestLine>,
) -> Result<Value, Failure> {
    let run = match app.registry.executor(kind) {
        Some(Executor::Inline(run)) => return run(config).map_err(|error| error.failure),
        Some(Executor::Task(run)) => run.clone(),
        None => return Err(Failure::new("unknown_kind", "the kind has no executor here")),
    };
    let _turn = app.trial.turns.acquire().await;
    let (ask, stop) = Stop::channel();
    let (sink, mut lines) = LogSink::channel();
    let context = NodeContext {
        run_id: windlass_engine::ids::new_id(app.engine.clock().now()),
        step: NODE.to_owned(),
        attempt: 1,
        terms: Terms { project, timeout: Some(TIME_MAX), may_repeat: true },
        logs: sink,
        stop,
        http: app.trial.http.clone(),
        shell: app.trial.shell.clone(),
        notes: Default::default(),
        journal: Journal::none(),
        live: LiveSink::none(),
        usage: UsageSink::none(),
        llm: app.trial.llm.clone(),
        prompts: app.trial.prompts.clone(),
    };
    // Whoever hangs up takes the attempt along.
    let mut task = JoinSet::new();
    task.spawn(run(config, context));
    let deadline = tokio::time::sleep(TIME_MAX);
    tokio::pin!(deadline);
    let result = loop {
        tokio::select! {
            line = lines.recv(), if logs.len() < LINES_MAX => match line {
                Some(line) => logs.push(line_of(line)),
                None => break ended(task.join_next().await),
            },
            result = task.join_next() => break ended(result),
            () = &mut deadline => {
                if ask.send_replace(Some(StopReason::TimedOut)).is_some() {
                    break Err(timed_out());
                }
                deadline.as_mut().reset(tokio::time::Instant::now() + STOP_GRACE);
            }
        }
    };
    while let Ok(line) = lines.try_recv() {
        if logs.len() < LINES_MAX {
            logs.push(line_of(line));
        }
    }
    result.map_err(|error| error.failure)
}

type Ended = Result<Result<Outcome, AttemptError>, tokio::task::JoinError>;

fn ended(result: Option<Ended>) -> Result<Value, AttemptError> {
    match result {
        Some(Ok(Ok(Outcome::Output(output)))) => Ok(output),
        Some(Ok(Ok(Outcome::Ask { question, .. }))) => {
            let title = question["title"].as_str().unwrap_or_default();
            Err(fail(
                "asks",
                format!("it would ask somebody, which it can only do in a run: {title}"),
            ))
        }
        Some(Ok(Err(error))) => Err(error),
        Some(Err(error)) => {
            tracing::error!(%error, "a node has panicked");
            Err(fail("panic", "the node has a fault and has ended; the server's log says where"))
        }
        None => Err(timed_out()),
    }
}

fn timed_out() -> AttemptError {
    fail("timeout", format!("the attempt did not end within {TIME_MAX:?}"))
}

fn line_of(line: LogLine) -> TestLine {
    let stream = match line.stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
        LogStream::System => "system",
    };
    TestLine { stream, text: line.text }
}
