//! `/runs/compare?a=&b=`: where two runs parted.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use super::error::PageProblem;
use super::render::{Me, Moment, moment, page_for, took};
use super::runs::short_id;
use crate::access::Caller;
use crate::api::query::Asked;
use crate::api::runs::compare::{CompareQuery, ComparedLife, ComparedRun, ComparedStep, compare};
use crate::app::Shared;
use crate::difference::Difference;

/// Steps that the page shows; those that are the same are left out from here on.
const STEPS_SHOWN: usize = 300;
/// The longest value that is shown, in characters.
const VALUE_CHARS_MAX: usize = 300;

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: String,
    a: Run,
    b: Run,
    is_same_definition: bool,
    parted_at: Option<String>,
    input: Vec<Place>,
    output: Vec<Place>,
    steps: Vec<Step>,
    same_count: usize,
    /// Steps whose payloads were not looked at.
    unknown_count: usize,
    has_more: bool,
    json: String,
}

#[derive(Serialize)]
struct Run {
    id: String,
    short_id: String,
    name: Option<String>,
    workflow: String,
    version: u32,
    status: &'static str,
    error: Option<String>,
    created: Option<Moment>,
    took: Option<String>,
}

#[derive(Serialize)]
struct Place {
    path: String,
    a: Option<String>,
    b: Option<String>,
}

#[derive(Serialize)]
struct Step {
    path: String,
    kind: String,
    verdict: &'static str,
    a: Option<Life>,
    b: Option<Life>,
    input: Vec<Place>,
    output: Vec<Place>,
}

#[derive(Serialize)]
struct Life {
    status: &'static str,
    reason: Option<String>,
    took: Option<String>,
}

fn millis(millis: u64) -> String {
    took(Duration::from_millis(millis))
}

impl From<ComparedRun> for Run {
    fn from(run: ComparedRun) -> Run {
        let id = run.id.to_string();
        Run {
            short_id: short_id(&id),
            id,
            name: run.external_id,
            workflow: run.workflow,
            version: run.version,
            status: run.status,
            error: run.error.map(|error| error.to_string()),
            created: windlass_core::Time::parse(&run.created_at).map(moment),
            took: run.duration_ms.map(millis),
        }
    }
}

impl From<ComparedLife> for Life {
    fn from(life: ComparedLife) -> Life {
        Life { status: life.status, reason: life.reason, took: life.duration_ms.map(millis) }
    }
}

impl From<ComparedStep> for Step {
    fn from(step: ComparedStep) -> Step {
        Step {
            path: step.path,
            kind: step.kind,
            verdict: step.verdict,
            a: step.a.map(Life::from),
            b: step.b.map(Life::from),
            input: places(step.input),
            output: places(step.output),
        }
    }
}

fn places(differences: Vec<Difference>) -> Vec<Place> {
    let place = |one: Difference| Place {
        path: if one.path.is_empty() { "(all of it)".to_owned() } else { one.path },
        a: one.a.as_ref().map(short),
        b: one.b.as_ref().map(short),
    };
    differences.into_iter().map(place).collect()
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<CompareQuery>,
) -> Result<Response, PageProblem> {
    let found = compare(&app, &caller, &query.a, &query.b).await?;
    let count = |verdict: &str| found.steps.iter().filter(|step| step.verdict == verdict).count();
    let (same_count, unknown_count) = (count("same"), count("not_compared"));
    let others = found.steps.len() - same_count - unknown_count;
    let (a, b) = (Run::from(found.a), Run::from(found.b));
    let steps =
        found.steps.into_iter().filter(|step| !["same", "not_compared"].contains(&step.verdict));
    let context = Context {
        nav: "runs",
        title: format!("{} and {}", a.short_id, b.short_id),
        json: format!("/api/v1/runs/compare?a={}&b={}", a.id, b.id),
        a,
        b,
        is_same_definition: found.is_same_definition,
        parted_at: found.parted_at,
        input: places(found.input),
        output: places(found.output),
        steps: steps.take(STEPS_SHOWN).map(Step::from).collect(),
        same_count,
        unknown_count,
        has_more: others > STEPS_SHOWN || found.is_cut,
    };
    Ok(page_for("compare.html", &Me::of(&app, &caller), context).into_response())
}
