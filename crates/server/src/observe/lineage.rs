//! OpenLineage: a job's run is a run. One with a `parent` facet is a task of that one's.
//! <https://openlineage.io/docs/spec/object-model>

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX};
use windlass_core::run::{FlowSeen, FlowWord, Seen, SeenEnd, TaskSeen, TaskWord};
use windlass_core::{Failure, Time};
use windlass_engine::shard::Word;

use super::value::{Stamp, failure, name};
use super::{FlowName, Item, Rejected};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunEvent {
    event_type: Option<String>,
    event_time: Option<Stamp>,
    producer: Option<String>,
    run: Option<Run>,
    job: Option<Job>,
    #[serde(default)]
    inputs: Vec<Dataset>,
    #[serde(default)]
    outputs: Vec<Dataset>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    run_id: String,
    #[serde(default)]
    facets: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Job {
    #[serde(default)]
    namespace: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Dataset {
    #[serde(default)]
    namespace: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Parent {
    run: Run,
    job: Job,
}

/// What an event says; nothing if it is about no run.
///
/// # Errors
///
/// Why it says nothing that counts.
pub fn read(index: usize, text: &[u8], now: Time) -> Result<Option<Item>, Rejected> {
    let event: RunEvent = serde_json::from_slice(text).map_err(|error| {
        let code = if error.is_data() { "bad-value" } else { "bad-json" };
        Rejected::new(index, code, error.to_string())
    })?;
    let missing =
        |field: &str| Rejected::new(index, "missing-field", format!("there is no `{field}`"));
    let at = event.event_time.as_ref().ok_or_else(|| missing("eventTime"))?.time(index, now)?;
    // What a job or a dataset is like, without a run.
    let Some(run) = &event.run else { return Ok(None) };
    let job = event.job.as_ref().ok_or_else(|| missing("job"))?;
    let kind = event.event_type.as_deref().unwrap_or("OTHER").to_ascii_uppercase();
    if !["START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER"].contains(&&*kind) {
        let detail = "`eventType` is START, RUNNING, COMPLETE, FAIL, ABORT or OTHER";
        return Err(Rejected::new(index, "unknown-event", detail));
    }
    let parent = match run.facets.get("parent") {
        None => None,
        Some(facet) => Some(serde_json::from_value::<Parent>(facet.clone()).map_err(|error| {
            Rejected::new(index, "bad-value", format!("the facet `parent`: {error}"))
        })?),
    };
    let about = event.about(run, job);
    let error = error_of(run).filter(|_| kind == "FAIL");
    let (whose, word) = match &parent {
        Some(parent) => {
            let path = task_name(&job.name, &parent.job.name);
            let path = name(index, "job.name", Some(path), LABEL_BYTES_MAX)?;
            let what = match &*kind {
                "START" => TaskWord::Started,
                "COMPLETE" => TaskWord::Ended(SeenEnd::Succeeded),
                "FAIL" => TaskWord::Ended(SeenEnd::Failed),
                "ABORT" => TaskWord::Ended(SeenEnd::Cancelled),
                _ => TaskWord::Noted,
            };
            let error = error.or_else(|| {
                (kind == "FAIL").then(|| Failure::new("task_failed", "the job has failed"))
            });
            let seen =
                TaskSeen { at, what, error, about: Some(Arc::new(about)), ..TaskSeen::default() };
            let path = path.unwrap_or_default();
            ((&parent.run, &parent.job), Seen::Task { path, seen: Box::new(seen) })
        }
        None => {
            let (what, status) = match &*kind {
                "START" => (FlowWord::Started, None),
                "COMPLETE" => (FlowWord::Ended, Some(SeenEnd::Succeeded)),
                "FAIL" => (FlowWord::Ended, Some(SeenEnd::Failed)),
                "ABORT" => (FlowWord::Ended, Some(SeenEnd::Cancelled)),
                _ => (FlowWord::Noted, None),
            };
            let seen = FlowSeen {
                at,
                what,
                status,
                error,
                metadata: Some(Arc::new(about)),
                tags: BTreeSet::from(["openlineage".to_owned()]),
                ..FlowSeen::default()
            };
            ((run, job), Seen::Flow(Box::new(seen)))
        }
    };
    let (of, job) = whose;
    let run = name(index, "runId", Some(of.run_id.clone()), LABEL_BYTES_MAX)?.unwrap_or_default();
    let flow = Some(flow_of(index, job)?);
    Ok(Some(Item { index, flow, run, word: Word::Seen(word) }))
}

/// A job is told from all others by namespace and name.
fn flow_of(index: usize, job: &Job) -> Result<FlowName, Rejected> {
    let key = match &*job.namespace {
        "" => job.name.clone(),
        namespace => format!("{namespace}/{}", job.name),
    };
    let key = name(index, "job", Some(key), NAME_BYTES_MAX)?.unwrap_or_default();
    Ok(FlowName { name: Some(job.name.clone()).filter(|name| *name != key), key })
}

/// Many producers put the parent's name before a task's: `dag.task`.
fn task_name(task: &str, parent: &str) -> String {
    let bare = task.strip_prefix(parent).and_then(|rest| rest.strip_prefix('.'));
    bare.filter(|bare| !bare.is_empty()).unwrap_or(task).to_owned()
}

fn error_of(run: &Run) -> Option<Failure> {
    let facet = run.facets.get("errorMessage")?;
    facet.get("message")?.as_str()?;
    Some(failure("job_failed", facet))
}

impl RunEvent {
    fn about(&self, run: &Run, job: &Job) -> Value {
        let names = |sets: &[Dataset]| -> Vec<String> {
            sets.iter().map(|set| format!("{}/{}", set.namespace, set.name)).collect()
        };
        let mut about = Map::new();
        about.insert("job".to_owned(), job.name.clone().into());
        for (field, value) in [
            ("namespace", Value::from(job.namespace.clone())),
            ("producer", self.producer.clone().into()),
            ("inputs", names(&self.inputs).into()),
            ("outputs", names(&self.outputs).into()),
        ] {
            let is_empty = value.is_null()
                || value.as_str().is_some_and(str::is_empty)
                || value.as_array().is_some_and(Vec::is_empty);
            if !is_empty {
                about.insert(field.to_owned(), value);
            }
        }
        if let Some(nominal) = run.facets.get("nominalTime").and_then(Value::as_object) {
            let start = nominal.get("nominalStartTime").cloned().unwrap_or_default();
            about.insert("nominal_start".to_owned(), start);
        }
        about.into()
    }
}
