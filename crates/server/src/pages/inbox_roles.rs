//! The roles that a person may choose in the inbox: those that steps ask for, and those of instances in
//! which they may act.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;
use windlass_engine::shard::actor_id;
use windlass_store::{AssignmentRow, InstanceStatus};

use crate::access::Caller;
use crate::app::App;
use crate::http::problem::{self, Problem};
use crate::units::{Instance, RoleOf, instance};

/// Instances whose roles are offered.
const INSTANCE_COUNT_MAX: usize = 50;

/// A role that may be chosen.
#[derive(Debug, Serialize)]
pub(super) struct Choice {
    /// Its word in addresses: `role:clerk`, or `<instance>/<workflow>/<role>`.
    pub(super) value: String,
    pub(super) role: String,
    /// The instance; nothing, if it is a role of steps.
    pub(super) of: Option<String>,
    /// How much waits for it.
    pub(super) count: usize,
    pub(super) is_chosen: bool,
    /// Where it takes from.
    #[serde(skip)]
    pub(super) queues: Vec<String>,
}

/// The word of a role of an instance.
pub(super) fn word_of(instance: &Instance, role: &RoleOf<'_>) -> String {
    format!("{}/{}/{}", instance.id(), role.workflow.name, role.role.name)
}

/// The roles for which something waits, and those that are chosen already.
///
/// # Errors
///
/// That the store is away.
pub(super) async fn choices(
    app: &App,
    caller: &Caller,
    chosen: &BTreeSet<String>,
) -> Result<Vec<Choice>, Problem> {
    let depths = app.engine.desk().depths(caller.project());
    let words = chosen.iter().filter(|word| word.starts_with("role:"));
    let queues = depths.keys().filter(|name| name.starts_with("role:")).chain(words);
    let queues: BTreeSet<&String> = queues.collect();
    let mut choices: Vec<Choice> = queues
        .into_iter()
        .map(|name| Choice {
            role: name.trim_start_matches("role:").to_owned(),
            of: None,
            count: depths.get(name).copied().unwrap_or_default(),
            is_chosen: chosen.contains(name),
            queues: vec![name.clone()],
            value: name.clone(),
        })
        .collect();
    let ids = depths
        .keys()
        .chain(chosen)
        .filter_map(|name| Uuid::parse_str(name.split_once('/')?.0).ok());
    let ids: BTreeSet<Uuid> = ids.collect();
    // The newest first.
    for id in ids.into_iter().rev().take(INSTANCE_COUNT_MAX) {
        match instance::find(app, caller.project(), &id.to_string()).await {
            Ok(instance) => {
                choices.extend(of_instance(app, caller, &instance, &depths, chosen).await?);
            }
            Err(problem) if problem.code == problem::INSTANCE_NOT_FOUND => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(choices)
}

async fn of_instance(
    app: &App,
    caller: &Caller,
    instance: &Instance,
    depths: &BTreeMap<String, usize>,
    chosen: &BTreeSet<String>,
) -> Result<Vec<Choice>, Problem> {
    if instance.row.status != InstanceStatus::Active {
        return Ok(Vec::new());
    }
    let id = instance.id();
    let own = actor_id(id, caller.name());
    let assignments = app.engine.read(move |store| store.assignments(id, None)).await?;
    let may = |role: &RoleOf<'_>| {
        let mut active = assignments
            .iter()
            .filter(|one| one.role == role.word() && one.status == AssignmentRow::ACTIVE)
            .peekable();
        active.peek().is_none() || active.any(|one| one.actor_id == own)
    };
    let roles = instance.roles().filter(|role| role.is_for_actors() && may(role));
    let choice = |role: RoleOf<'_>| {
        let queues: Vec<String> = role.wants(id).into_iter().map(|want| want.queue).collect();
        let value = word_of(instance, &role);
        Choice {
            role: role.role.name.clone(),
            of: Some(instance.row.name.clone()),
            count: queues.iter().filter_map(|queue| depths.get(queue)).sum(),
            is_chosen: chosen.contains(&value),
            queues,
            value,
        }
    };
    let all = roles.map(choice);
    Ok(all.filter(|choice| choice.count > 0 || choice.is_chosen).collect())
}
