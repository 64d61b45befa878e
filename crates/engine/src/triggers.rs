//! Triggers: whose end starts a run of which workflow.
//!
//! ```text
//!   deploy, delete ──► Listeners ◄── start of the server (a setting names the workflows)
//!                          │ asked once for each run that ends
//!   end of a run ──► Triggered + message, in the commit of the end
//!                          │ durable, and handed over until it is taken up
//!                          ▼
//!                    carry_out ──► the run, created in the commit that throws the message away
//! ```
//!
//! Shards decide who is started, from memory: an end that nobody listens for costs one look into a map.
//! What the new run is given is worked out on the way from the message to the run, since that takes the
//! newest definition and may take a while.

use std::collections::{BTreeSet, HashMap};

use parking_lot::RwLock;
use uuid::Uuid;
use windlass_core::definition::Trigger;
use windlass_core::run::{CreateRun, RunStatus};
use windlass_core::{Failure, Time};
use windlass_store::{Message, Store, StoreError};

use crate::definitions::{DefinitionError, Definitions, Workflow};
use crate::order::Carried;
use crate::shard::{Create, Occasion, refusal};

/// The label of a run that another run's end has started: the id of that run.
pub const TRIGGER_LABEL: &str = "windlass.trigger";

/// The setting that names the workflows with triggers, by project and name. It may name too many: it is
/// written before they are deployed.
const SETTING: &str = "triggers";

/// Who listens for the ends of whose runs.
#[derive(Debug, Default)]
pub struct Listeners {
    /// By project and by the name of the workflow whose runs end.
    by_source: RwLock<HashMap<String, HashMap<String, Vec<Listener>>>>,
}

/// A workflow of which a run is started by an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its id.
    pub workflow_id: Uuid,
    /// Its name.
    pub workflow: String,
    statuses: Vec<RunStatus>,
}

impl Listeners {
    /// The workflows that listen for a run of `source` that ends so.
    pub fn of(&self, project: &str, source: &str, status: RunStatus) -> Vec<Listener> {
        let by_source = self.by_source.read();
        let found = by_source.get(project).and_then(|sources| sources.get(source));
        let fits = |one: &&Listener| one.statuses.contains(&status);
        found.into_iter().flatten().filter(fits).cloned().collect()
    }

    /// Takes note of what a workflow listens for from now on.
    pub fn set(&self, project: &str, workflow: (Uuid, &str), triggers: &[Trigger]) {
        let (workflow_id, name) = workflow;
        self.remove(workflow_id);
        let mut by_source = self.by_source.write();
        for trigger in triggers {
            let sources = by_source.entry(project.to_owned()).or_default();
            sources.entry(trigger.source.clone()).or_default().push(Listener {
                workflow_id,
                workflow: name.to_owned(),
                statuses: trigger.statuses.clone(),
            });
        }
    }

    /// Forgets a workflow.
    pub fn remove(&self, workflow_id: Uuid) {
        self.by_source.write().retain(|_, sources| {
            sources.retain(|_, listeners| {
                listeners.retain(|one| one.workflow_id != workflow_id);
                !listeners.is_empty()
            });
            !sources.is_empty()
        });
    }
}

/// Everybody who listens, as the store knows them.
///
/// # Errors
///
/// If the store cannot be read.
pub(crate) fn load(store: &dyn Store, definitions: &Definitions) -> Result<Listeners, StoreError> {
    let listeners = Listeners::default();
    for (project, name) in named(store)? {
        match definitions.newest(&project, &name) {
            Ok(Some(found)) => {
                let Workflow { row, plan } = &*found;
                listeners.set(&project, (row.workflow_id, &row.name), &plan.triggers);
            }
            // It was deleted since.
            Ok(None) => {}
            Err(DefinitionError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::error!(workflow = name, %error, "the triggers of a workflow do nothing");
            }
        }
    }
    Ok(listeners)
}

/// Notes that a workflow has triggers, or is about to.
///
/// # Errors
///
/// If the store cannot be written.
pub(crate) fn remember(
    store: &dyn Store,
    project: &str,
    name: &str,
    now: Time,
) -> Result<(), StoreError> {
    let mut known = named(store)?;
    if !known.insert((project.to_owned(), name.to_owned())) {
        return Ok(());
    }
    let mut kept = BTreeSet::new();
    for (known_in, known_as) in known {
        let is_this = known_in == project && known_as == name;
        // Those that were deleted since are of no use.
        if is_this || store.workflow(&known_in, &known_as)?.is_some() {
            kept.insert((known_in, known_as));
        }
    }
    let text = serde_json::to_string(&kept).expect("pairs of texts are JSON");
    store.set_setting(SETTING, Some(&text), now)
}

fn named(store: &dyn Store) -> Result<BTreeSet<(String, String)>, StoreError> {
    let Some(text) = store.setting(SETTING)? else { return Ok(BTreeSet::new()) };
    serde_json::from_str(&text)
        .map_err(|error| StoreError::Damaged(format!("the setting `{SETTING}`: {error}")))
}

/// Finds out which run follows from the end of another one. With `is_held` it has to be admitted in any
/// case.
///
/// # Errors
///
/// If the store cannot be read now. The message comes again then.
pub fn carry_out<T>(
    definitions: &Definitions,
    message: &Message,
    is_held: bool,
    now: Time,
) -> Result<Carried<T>, StoreError> {
    match new_run(definitions, message, is_held, now) {
        Ok(create) => Ok(Carried::Create(Box::new(create))),
        Err(NotStarted::Store(error)) => Err(error),
        Err(NotStarted::For(failure)) => Ok(Carried::Refuse(refusal(message.key(), &failure, now))),
    }
}

/// Why no run follows.
enum NotStarted {
    Store(StoreError),
    For(Failure),
}

impl From<Failure> for NotStarted {
    fn from(failure: Failure) -> NotStarted {
        NotStarted::For(failure)
    }
}

fn new_run<T>(
    definitions: &Definitions,
    message: &Message,
    is_held: bool,
    now: Time,
) -> Result<Create<T>, NotStarted> {
    let occasion: Occasion = serde_json::from_str(&message.body)
        .map_err(|error| Failure::new("bad_config", error.to_string()))?;
    let Occasion { project, workflow_id, source, status, depth, run } = occasion;
    let found = match definitions.newest(&project, &workflow_id.to_string()) {
        Ok(found) => found,
        Err(DefinitionError::Store(error)) => return Err(NotStarted::Store(error)),
        Err(error) => return Err(Failure::new("not_started", error.to_string()).into()),
    };
    let found = found
        .ok_or_else(|| Failure::new("workflow_not_found", "the workflow was deleted meanwhile"))?;
    let Workflow { row, plan } = &*found;
    let trigger = plan.triggers.iter().find(|trigger| trigger.fits(&source, status));
    let trigger = trigger.ok_or_else(|| {
        let message = format!("`{}` does not listen for this any more", row.name);
        Failure::new("not_started", message)
    })?;
    let input = trigger.input_of(plan, &run, now)?;
    let source_id = message.source.to_string();
    Ok(Create {
        project: project.as_str().into(),
        plan: plan.clone(),
        request: CreateRun {
            run_id: message.target,
            workflow_id: row.workflow_id,
            version: row.version,
            definition_id: row.definition_id,
            input,
            by: Some(format!("trigger:{source_id}")),
            labels: [(TRIGGER_LABEL.to_owned(), source_id)].into(),
            held: is_held || row.pause.is_some(),
            trigger_depth: depth,
            ..CreateRun::default()
        },
        key: None,
        until_over: false,
        paused_by: None,
        message: Some(message.key()),
        ticket: None,
    })
}

#[cfg(test)]
mod tests {
    use windlass_core::run::RunStatus::{Cancelled, Failed, Succeeded};

    use super::*;

    fn trigger(source: &str, statuses: &[RunStatus]) -> Trigger {
        Trigger { source: source.to_owned(), statuses: statuses.to_vec(), input: None }
    }

    #[test]
    fn who_listens_is_found_by_project_source_and_status() {
        let listeners = Listeners::default();
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let names = |project: &str, source: &str, status| -> Vec<String> {
            listeners.of(project, source, status).into_iter().map(|one| one.workflow).collect()
        };
        listeners.set("p", (a, "A"), &[trigger("S", &[Failed]), trigger("T", &[Cancelled])]);
        listeners.set("p", (b, "B"), &[trigger("S", &[Failed, Succeeded])]);
        assert_eq!(names("p", "S", Failed), ["A", "B"]);
        assert_eq!(names("p", "S", Succeeded), ["B"]);
        assert_eq!(names("q", "S", Failed), [""; 0]);
        listeners.set("p", (a, "A"), &[trigger("S", &[Succeeded])]);
        assert_eq!(names("p", "S", Failed), ["B"]);
        assert_eq!(names("p", "T", Cancelled), [""; 0]);
        listeners.remove(b);
        assert_eq!(names("p", "S", Succeeded), ["A"]);
    }
}
