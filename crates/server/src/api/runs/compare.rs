use std::collections::{BTreeMap, HashMap};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::{Failure, Time};
use windlass_store::{RunRow, StepRow, Store, StoreError};

use crate::access::Caller;
use crate::api::query::Asked;
use crate::api::run::{RunBody, find};
use crate::api::step::whole;
use crate::app::{App, Shared};
use crate::difference::{Difference, differences};
use crate::http::{Problem, ProblemResponses};

/// Steps of each run that are compared.
pub const STEPS_MAX: usize = 10_000;
/// Steps whose inputs and outputs are compared: the first that both have.
const PAYLOADS_MAX: usize = 500;

/// Which two runs.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CompareQuery {
    /// One run: id or external id.
    pub a: String,
    /// The other one.
    pub b: String,
}

/// Where two runs parted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CompareBody {
    /// One run.
    pub a: ComparedRun,
    /// The other one.
    pub b: ComparedRun,
    /// Whether both ran the same version of the same workflow.
    pub is_same_definition: bool,
    /// The first step that differs in more than its time, in the order of `a`; null if none does.
    pub parted_at: Option<String>,
    /// Where the inputs differ, at most 100 places.
    pub input: Vec<Difference>,
    /// Where the outputs differ.
    pub output: Vec<Difference>,
    /// The steps of both, in the order of `a`, at most 10,000 of each.
    pub steps: Vec<ComparedStep>,
    /// Whether there are more steps than were compared.
    pub is_cut: bool,
}

/// A run that is compared.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComparedRun {
    /// Its id.
    pub id: Uuid,
    /// What the caller calls it.
    pub external_id: Option<String>,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version.
    pub version: u32,
    /// Where it stands.
    pub status: &'static str,
    /// The error, once it has failed.
    #[schema(value_type = Option<crate::api::run::FailureBody>)]
    pub error: Option<Failure>,
    /// When it was created, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// How long it took, in milliseconds, if it is over.
    pub duration_ms: Option<u64>,
}

/// A step of two runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComparedStep {
    /// Its address.
    pub path: String,
    /// The kind of its node.
    pub kind: String,
    /// `same`, `differs`, `only_a`, `only_b`, or `not_compared`: it stands alike in both, and lies behind
    /// the first 500, whose inputs and outputs are looked at.
    pub verdict: &'static str,
    /// What became of it in one run.
    pub a: Option<ComparedLife>,
    /// And in the other.
    pub b: Option<ComparedLife>,
    /// Where its inputs differ, of the first 500 steps.
    pub input: Vec<Difference>,
    /// Where its outputs or errors differ.
    pub output: Vec<Difference>,
}

/// What became of a step in a run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ComparedLife {
    /// Where it stands.
    pub status: &'static str,
    /// Why, in a word.
    pub reason: Option<String>,
    /// The last attempt.
    pub attempt: u32,
    /// How long it took, in milliseconds, if it is over.
    pub duration_ms: Option<u64>,
}

fn millis(start: Option<Time>, end: Option<Time>) -> Option<u64> {
    Some(u64::try_from(end?.since(start?).as_millis()).unwrap_or(u64::MAX))
}

impl ComparedRun {
    fn of(row: &RunRow) -> ComparedRun {
        ComparedRun {
            id: row.run_id,
            external_id: row.external_id.clone(),
            workflow: row.workflow.clone(),
            version: row.version,
            status: row.status.as_str(),
            error: row.error.clone(),
            created_at: row.created_at.to_string(),
            duration_ms: millis(row.started_at, row.finished_at),
        }
    }
}

impl ComparedLife {
    fn of(step: &StepRow) -> ComparedLife {
        ComparedLife {
            status: step.status.as_str(),
            reason: step.reason.clone(),
            attempt: step.attempt,
            duration_ms: millis(step.started_at, step.finished_at),
        }
    }
}

/// Where two runs parted: their inputs, ways, outputs and times.
#[utoipa::path(
    get, path = "/api/v1/runs/compare", tag = "runs", params(CompareQuery),
    responses((status = 200, body = CompareBody), ProblemResponses)
)]
pub async fn compare_runs(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<CompareQuery>,
) -> Result<Json<CompareBody>, Problem> {
    Ok(Json(compare(&app, &caller, &query.a, &query.b).await?))
}

/// Where two runs parted.
///
/// # Errors
///
/// `run-not-found`.
pub async fn compare(app: &App, caller: &Caller, a: &str, b: &str) -> Result<CompareBody, Problem> {
    let (a, b) = (find(app, caller.project(), a).await?, find(app, caller.project(), b).await?);
    Ok(app.engine.read(move |store| read(store, a, b)).await?)
}

fn read(store: &dyn Store, a: RunRow, b: RunRow) -> Result<CompareBody, StoreError> {
    let (of_a, of_b) =
        (store.steps(a.run_id, None, STEPS_MAX)?, store.steps(b.run_id, None, STEPS_MAX)?);
    let mut is_cut = of_a.has_more || of_b.has_more;
    let mut others: HashMap<&str, &StepRow> =
        of_b.items.iter().map(|step| (step.path.as_str(), step)).collect();
    let mut steps = Vec::with_capacity(of_a.items.len());
    let mut looked = 0;
    for step in &of_a.items {
        let other = others.remove(step.path.as_str());
        let (mut input, mut output) = (Vec::new(), Vec::new());
        let is_looked_at = looked < PAYLOADS_MAX;
        is_cut |= other.is_some() && !is_looked_at;
        if let Some(other) = other.filter(|_| is_looked_at) {
            looked += 1;
            let (one, two) = (whole(store, &a, step)?, whole(store, &b, other)?);
            input = differences(&one.input.into(), &two.input.into());
            output = differences(&end(one.output, one.error), &end(two.output, two.error));
        }
        let mut step = compared(step, other, input, output);
        if step.verdict == "same" && !is_looked_at {
            step.verdict = "not_compared";
        }
        steps.push(step);
    }
    // What only the other has stands where it came up there, behind all of this one's.
    let rest = of_b.items.iter().filter(|step| others.contains_key(step.path.as_str()));
    let rest = rest.map(|step| ComparedStep {
        path: step.path.clone(),
        kind: step.kind.clone(),
        verdict: "only_b",
        a: None,
        b: Some(ComparedLife::of(step)),
        input: Vec::new(),
        output: Vec::new(),
    });
    steps.extend(rest);
    let parted_at = steps.iter().find(|step| !["same", "not_compared"].contains(&step.verdict));
    let (one, two) = (RunBody::read(store, a.clone())?, RunBody::read(store, b.clone())?);
    Ok(CompareBody {
        is_same_definition: a.definition_id == b.definition_id,
        parted_at: parted_at.map(|step| step.path.clone()),
        input: differences(&one.input, &two.input),
        output: differences(&end(one.output, one.error), &end(two.output, two.error)),
        a: ComparedRun::of(&a),
        b: ComparedRun::of(&b),
        steps,
        is_cut,
    })
}

/// What came of something: its output, or its error under a name of its own.
fn end(output: Option<Value>, error: Option<Failure>) -> Value {
    match (output, error) {
        (None, Some(error)) => {
            let said = BTreeMap::from([("code", error.code.clone()), ("message", error.message)]);
            serde_json::json!({ "error": said })
        }
        (output, _) => output.into(),
    }
}

fn compared(
    step: &StepRow,
    other: Option<&StepRow>,
    input: Vec<Difference>,
    output: Vec<Difference>,
) -> ComparedStep {
    let (a, b) = (ComparedLife::of(step), other.map(ComparedLife::of));
    let verdict = match &b {
        None => "only_a",
        Some(b)
            if (a.status, &a.reason) == (b.status, &b.reason)
                && input.is_empty()
                && output.is_empty() =>
        {
            "same"
        }
        Some(_) => "differs",
    };
    ComparedStep {
        path: step.path.clone(),
        kind: step.kind.clone(),
        verdict,
        a: Some(a),
        b,
        input,
        output,
    }
}
