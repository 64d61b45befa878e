//! A run as spans: the run is the root, its steps are below it, a step inside of a block below the
//! block.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use uuid::Uuid;
use windlass_core::definition::Plan;
use windlass_core::run::path::{block_of, scope_of};
use windlass_core::run::{RunStatus, StepStatus};
use windlass_core::{Time, digest};
use windlass_store::{RunRow, StepRow, Store, StoreError, UsageRow};

/// Steps of a run that become spans.
const STEPS_MAX: usize = 10_000;

/// A run's trace has its id.
fn trace_id(run_id: Uuid) -> TraceId {
    TraceId::from_bytes(*run_id.as_bytes())
}

/// The same step has the same id, whoever says it.
fn span_id(run_id: Uuid, path: &str) -> SpanId {
    let hash = digest(&format!("{run_id}/{path}")).max(1);
    SpanId::from_bytes(hash.to_be_bytes())
}

fn context(run_id: Uuid, path: &str) -> SpanContext {
    let (trace, span) = (trace_id(run_id), span_id(run_id, path));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default())
}

fn system(at: Time) -> SystemTime {
    let micros = u64::try_from(at.micros()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}

fn link(run_id: Uuid, path: &str, kind: &'static str) -> Link {
    let attributes = vec![KeyValue::new("windlass.link", kind)];
    Link::new(context(run_id, path), attributes, 0)
}

/// The spans of a run that is over.
pub(super) fn of(
    store: &dyn Store,
    row: &RunRow,
    plan: Option<&Plan>,
) -> Result<Vec<SpanData>, StoreError> {
    let scope =
        InstrumentationScope::builder("windlass").with_version(env!("CARGO_PKG_VERSION")).build();
    let end = row.finished_at.unwrap_or(row.created_at);
    let mut usage: BTreeMap<String, Vec<UsageRow>> = BTreeMap::new();
    for one in store.usage_of_run(row.run_id)? {
        usage.entry(one.node.clone()).or_default().push(one);
    }
    let mut spans = vec![root(row, end, &scope)];
    let steps = store.steps(row.run_id, None, STEPS_MAX)?.items;
    let known: HashSet<&str> = steps.iter().map(|step| step.path.as_str()).collect();
    for one in &steps {
        // What never began took no time.
        let Some(began) = one.started_at.or(one.queued_at) else { continue };
        let parent = block_of(scope_of(&one.path)).map(|(block, _)| block);
        let parent = parent.filter(|block| known.contains(block)).unwrap_or_default();
        let title = plan.and_then(|plan| plan.locate(&one.path)).map(|(_, node)| node);
        let title = title.and_then(|node| node.title.clone());
        let address = windlass_core::run::path::address_of(&one.path);
        let taken = usage.get(&address).map(Vec::as_slice).unwrap_or_default();
        spans.push(SpanData {
            span_context: context(row.run_id, &one.path),
            parent_span_id: span_id(row.run_id, parent),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: title.unwrap_or_else(|| one.path.clone()).into(),
            start_time: system(began),
            end_time: system(one.finished_at.unwrap_or(end).max(began)),
            attributes: about(one, taken),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: match one.status {
                StepStatus::Failed => {
                    Status::error(one.reason.clone().unwrap_or_else(|| "failed".to_owned()))
                }
                StepStatus::Succeeded => Status::Ok,
                _ => Status::Unset,
            },
            instrumentation_scope: scope.clone(),
        });
    }
    Ok(spans)
}

fn root(row: &RunRow, end: Time, scope: &InstrumentationScope) -> SpanData {
    let mut attributes = vec![
        KeyValue::new("windlass.run.id", row.run_id.to_string()),
        KeyValue::new("windlass.run.status", row.status.as_str()),
        KeyValue::new("windlass.workflow", row.workflow.clone()),
        KeyValue::new("windlass.workflow.version", i64::from(row.version)),
        KeyValue::new("windlass.project", row.project.clone()),
    ];
    if let Some(name) = &row.external_id {
        attributes.push(KeyValue::new("windlass.run.external_id", name.clone()));
    }
    for (key, value) in &row.labels {
        attributes.push(KeyValue::new(format!("windlass.label.{key}"), value.clone()));
    }
    let mut links = SpanLinks::default();
    links
        .links
        .extend(row.parent.as_ref().map(|parent| link(parent.run_id, &parent.step, "parent")));
    links.links.extend(row.rerun_of.map(|run_id| link(run_id, "", "rerun_of")));
    let status = match row.status {
        RunStatus::Failed => {
            Status::error(row.error.as_ref().map(ToString::to_string).unwrap_or_default())
        }
        RunStatus::Succeeded => Status::Ok,
        _ => Status::Unset,
    };
    SpanData {
        span_context: context(row.run_id, ""),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: row.workflow.clone().into(),
        start_time: system(row.started_at.unwrap_or(row.created_at)),
        end_time: system(end),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status,
        instrumentation_scope: scope.clone(),
    }
}

/// What is known of a step, and of the models it has asked, in the words of OpenTelemetry.
fn about(step: &StepRow, taken: &[UsageRow]) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("windlass.step.path", step.path.clone()),
        KeyValue::new("windlass.node.type", step.kind.clone()),
        KeyValue::new("windlass.step.status", step.status.as_str()),
        KeyValue::new("windlass.step.attempt", i64::from(step.attempt)),
    ];
    if let Some(reason) = &step.reason {
        attributes.push(KeyValue::new("windlass.step.reason", reason.clone()));
    }
    if let Some(first) = taken.first() {
        let operation = if step.kind == "agent" { "invoke_agent" } else { "chat" };
        let sum = |of: fn(&UsageRow) -> i64| taken.iter().map(of).sum::<i64>();
        attributes.push(KeyValue::new("gen_ai.operation.name", operation));
        attributes.push(KeyValue::new("gen_ai.provider.name", first.provider.clone()));
        attributes.push(KeyValue::new("gen_ai.request.model", first.model.clone()));
        let input = sum(|row| row.taken.input_tokens);
        attributes.push(KeyValue::new("gen_ai.usage.input_tokens", input));
        let output = sum(|row| row.taken.output_tokens);
        attributes.push(KeyValue::new("gen_ai.usage.output_tokens", output));
    }
    attributes
}
