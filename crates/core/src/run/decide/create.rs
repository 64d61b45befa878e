use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::definition::Plan;
use crate::json;
use crate::limits::{JSON_DEPTH_MAX, PAYLOAD_BYTES_MAX};
use crate::run::event::{Event, Fact, RunCreated};
use crate::run::input::Refused;
use crate::time::Time;

/// What is needed for a run to come into being.
#[derive(Clone, Debug)]
pub struct CreateRun {
    /// The run's id.
    pub run_id: Uuid,
    /// The workflow's id.
    pub workflow_id: Uuid,
    /// Its version.
    pub version: u32,
    /// That version's definition.
    pub definition_id: Uuid,
    /// The input.
    pub input: Value,
    /// Labels, besides those of the definition.
    pub labels: BTreeMap<String, String>,
    /// The run this one repeats.
    pub rerun_of: Option<Uuid>,
    /// What the caller calls the run.
    pub external_id: Option<String>,
}

/// Decides whether a run comes into being.
///
/// # Errors
///
/// [`Refused::BadInput`] if the input does not fit the definition's schema,
/// [`Refused::InputTooLarge`] and [`Refused::InputTooDeep`] if a journal could not hold it.
pub fn create(plan: &Plan, request: CreateRun, now: Time) -> Result<Event, Refused> {
    let size = json::size(&request.input);
    if size > PAYLOAD_BYTES_MAX {
        return Err(Refused::InputTooLarge { size, max: PAYLOAD_BYTES_MAX });
    }
    if json::depth(&request.input) > JSON_DEPTH_MAX {
        return Err(Refused::InputTooDeep { max: JSON_DEPTH_MAX });
    }
    if let Some(schema) = &plan.input {
        let violations = schema.violations(&request.input);
        if !violations.is_empty() {
            return Err(Refused::BadInput(violations));
        }
    }
    let mut labels = plan.labels.clone();
    labels.extend(request.labels);
    let created = RunCreated {
        run_id: request.run_id,
        workflow: plan.name.clone(),
        workflow_id: request.workflow_id,
        version: request.version,
        definition_id: request.definition_id,
        input: Arc::new(request.input),
        labels,
        rerun_of: request.rerun_of,
        external_id: request.external_id,
    };
    Ok(Event { at: now, fact: Fact::RunCreated(Box::new(created)) })
}
