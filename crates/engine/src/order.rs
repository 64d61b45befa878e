//! Orders: from the message by which a step asks for a run to the run that is to be created.

use windlass_core::kinds::{SubRun, parse_config};
use windlass_core::run::{CreateRun, Parent};
use windlass_core::{Failure, Time};
use windlass_store::{Message, StoreError};

use crate::definitions::{DefinitionError, Definitions, Workflow};
use crate::shard::{Create, Order, refusal};

/// What follows from an order.
#[derive(Debug)]
pub enum Carried<T> {
    /// This run is to be created.
    Create(Box<Create<T>>),
    /// Nothing, and the step is told why.
    Refuse(Message),
}

/// Finds out which run an order is for. With `is_held` the run has to be admitted in any case.
///
/// # Errors
///
/// If the store cannot be read now. The order comes again then.
pub fn carry_out<T>(
    definitions: &Definitions,
    message: Message,
    is_held: bool,
    now: Time,
) -> Result<Carried<T>, StoreError> {
    let order = serde_json::from_str::<Order>(&message.body);
    let read = order
        .map_err(|error| Failure::new("bad_config", error.to_string()))
        .and_then(|order| Ok((parse_config::<SubRun>(order.config.clone())?, order)));
    let (wanted, order) = match read {
        Ok(read) => read,
        Err(failure) => return Ok(Carried::Refuse(refusal(message.key(), &failure, now))),
    };
    let found = definitions.version(&order.project, &wanted.workflow, wanted.version);
    let workflow = match found {
        Ok(Some(workflow)) => workflow,
        Ok(None) => {
            let failure = not_found(&wanted);
            return Ok(Carried::Refuse(refusal(message.key(), &failure, now)));
        }
        Err(DefinitionError::Store(error)) => return Err(error),
        Err(error) => {
            let failure = Failure::new("child_refused", error.to_string());
            return Ok(Carried::Refuse(refusal(message.key(), &failure, now)));
        }
    };
    let Workflow { row, plan } = &*workflow;
    let parent = Parent {
        run_id: message.source,
        step: message.path.clone(),
        depth: order.depth,
        awaited: wanted.awaited,
    };
    Ok(Carried::Create(Box::new(Create {
        project: order.project.as_str().into(),
        plan: plan.clone(),
        request: CreateRun {
            unit: None,
            run_id: message.target,
            workflow_id: row.workflow_id,
            version: row.version,
            definition_id: row.definition_id,
            input: wanted.input,
            labels: wanted.labels,
            by: Some(format!("run {}", message.source)),
            parent: Some(parent),
            held: is_held || row.pause.is_some(),
            trigger_depth: order.trigger_depth,
            ..CreateRun::default()
        },
        key: None,
        until_over: false,
        paused_by: None,
        message: Some(message.key()),
        ticket: None,
    })))
}

fn not_found(wanted: &SubRun) -> Failure {
    let name = &wanted.workflow;
    let message = match wanted.version {
        None => format!("there is no workflow `{name}`"),
        Some(version) => format!("there is no version {version} of a workflow `{name}`"),
    };
    Failure::new("workflow_not_found", message)
}
