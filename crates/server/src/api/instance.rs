//! An instance as the API shows it: its roles, interactions, components and guardians, with ids.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::HumanDuration;
use windlass_core::run::token::{TokenSettings, UnitStatus, ZombiePolicy};
use windlass_core::template::{Direction, Template};
use windlass_store::{InstanceRow, UnitCount};

use crate::http::problem::Problem;
use crate::units::Instance;

/// The longest time that may be set.
const TIME_MAX: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);
/// How often a unit may be let go on, or taken, at most.
pub(crate) const COUNT_MAX: u32 = 1_000_000;

/// An instance, in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InstanceBody {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// What people call it. Several may have the same name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The template it was made from.
    pub template: String,
    /// The template's version.
    pub template_version: u32,
    /// `active`, `paused` or `archived`.
    pub status: &'static str,
    /// Why it stands there, in the words of whoever said so.
    pub reason: Option<String>,
    /// When it was made, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Who made it.
    pub created_by: Option<String>,
    /// When that last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// An instance with all that is in it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InstanceDetail {
    /// The instance.
    #[serde(flatten)]
    pub instance: InstanceBody,
    /// What is said of its units.
    pub settings: SettingsBody,
    /// Its workflows, that by which work enters first.
    pub workflows: Vec<InstanceWorkflow>,
    /// How many units stand where.
    pub units: Vec<CountBody>,
}

/// What an instance says of its units of work.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SettingsBody {
    /// Statuses that a unit takes only with a pilot's word. None if left out.
    #[schema(max_items = 2)]
    pub park: Vec<ParkedStatus>,
    /// How long a pilot has for that word, 30 days at most. `5m` if left out.
    #[schema(value_type = String, example = "5m")]
    pub park_time: HumanDuration,
    /// What becomes of a unit whose actor was not heard of any more: `failed`, which waits for TAU, or
    /// `pending`, which waits where it was. `failed` if left out.
    pub zombie: Zombie,
    /// How often a unit that is stuck is tried again. 3 if left out.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub retries: u32,
    /// How long after it got stuck, 30 days at most. `5m` if left out.
    #[schema(value_type = String, example = "5m")]
    pub retry_after: HumanDuration,
    /// How often a unit may be taken, unless it says so itself. As often as it likes if left out.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_interactions: Option<u32>,
}

/// A status that may take a pilot's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParkedStatus {
    /// It has come to the end.
    Completed,
    /// It has failed.
    Failed,
}

/// What becomes of a unit whose actor was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Zombie {
    /// It has failed, and waits for TAU.
    Failed,
    /// It waits where it was.
    Pending,
}

/// A workflow of an instance: its own copy of a template.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InstanceWorkflow {
    /// Its id in this instance.
    pub id: Uuid,
    /// Its name, that of the template.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether work enters by it.
    pub is_master: bool,
    /// Who acts.
    pub roles: Vec<RoleBody>,
    /// Where units wait.
    pub interactions: Vec<InteractionBody>,
    /// The pipes between them.
    pub components: Vec<ComponentBody>,
    /// What stands guard on the pipes.
    pub guardians: Vec<GuardianBody>,
}

/// A role of an instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RoleBody {
    /// Its id in this instance.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// `ALPHA`, `BETA`, `OMEGA`, `EPSILON`, `TAU`, or another word for a BETA.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// How a BETA takes units apart: `HOMOGENEOUS` or `HETEROGENEOUS`.
    pub strategy: Option<&'static str>,
    /// The workflow of the instance that does its work.
    pub child_workflow: Option<String>,
    /// The interactions it takes from.
    pub takes_from: Vec<String>,
    /// The interactions it hands on to, in the order in which they are tried.
    pub hands_on_to: Vec<String>,
}

/// An interaction of an instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InteractionBody {
    /// Its id in this instance.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// After how long a unit that waits here goes to TAU.
    pub stale_token_limit_seconds: Option<u64>,
    /// The queue that units wait in here.
    pub queue: String,
    /// How many units are here, by status.
    pub units: BTreeMap<String, u64>,
}

/// A component of an instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ComponentBody {
    /// Its id in this instance.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The role.
    pub role: String,
    /// The interaction.
    pub interaction: String,
    /// `INBOUND`, from the interaction to the role, or `OUTBOUND`.
    pub direction: &'static str,
}

/// A guardian of an instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GuardianBody {
    /// Its id in this instance.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is, such as `CRITERIA_GATE`.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// The component it guards.
    pub component: String,
    /// Its config as it was written.
    pub config: Value,
}

/// How many units stand somewhere.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CountBody {
    /// The workflow of the instance.
    pub workflow: String,
    /// The interaction; null if they are nowhere any more.
    pub place: Option<String>,
    /// The status.
    pub status: String,
    /// How many.
    pub count: u64,
}

impl From<&InstanceRow> for InstanceBody {
    fn from(row: &InstanceRow) -> InstanceBody {
        InstanceBody {
            id: row.instance_id,
            name: row.name.clone(),
            description: row.description.clone(),
            template: row.template.clone(),
            template_version: row.template_version,
            status: row.status.as_str(),
            reason: row.reason.clone(),
            created_at: row.created_at.to_string(),
            created_by: row.created_by.clone(),
            updated_at: row.updated_at.to_string(),
        }
    }
}

impl Default for SettingsBody {
    fn default() -> SettingsBody {
        SettingsBody::of(&TokenSettings::default())
    }
}

impl SettingsBody {
    fn of(settings: &TokenSettings) -> SettingsBody {
        let park = settings.park.iter().map(|status| match status {
            UnitStatus::Completed => ParkedStatus::Completed,
            _ => ParkedStatus::Failed,
        });
        SettingsBody {
            park: park.collect(),
            park_time: settings.park_time,
            zombie: match settings.zombie {
                ZombiePolicy::Failed => Zombie::Failed,
                ZombiePolicy::Pending => Zombie::Pending,
            },
            retries: settings.retries,
            retry_after: settings.retry_after,
            max_interactions: settings.max_interactions,
        }
    }

    /// As units are decided by.
    ///
    /// # Errors
    ///
    /// `invalid-request` if something is out of its bounds.
    pub(crate) fn settings(self) -> Result<TokenSettings, Problem> {
        let refuse = |field: &str, message: &str| Err(Problem::parameter(field, message).in_body());
        for (field, time) in
            [("settings.park_time", self.park_time), ("settings.retry_after", self.retry_after)]
        {
            if time.0 > TIME_MAX {
                return refuse(field, "it is 30 days at most");
            }
        }
        if self.park.len() > 2 {
            return refuse("settings.park", "`completed`, `failed` or both");
        }
        if self.retries > COUNT_MAX {
            return refuse("settings.retries", "it is 0 to 1,000,000");
        }
        if self.max_interactions.is_some_and(|most| !(1..=COUNT_MAX).contains(&most)) {
            return refuse("settings.max_interactions", "it is 1 to 1,000,000");
        }
        let park = self.park.iter().map(|status| match status {
            ParkedStatus::Completed => UnitStatus::Completed,
            ParkedStatus::Failed => UnitStatus::Failed,
        });
        Ok(TokenSettings {
            park: park.collect(),
            park_time: self.park_time,
            zombie: match self.zombie {
                Zombie::Failed => ZombiePolicy::Failed,
                Zombie::Pending => ZombiePolicy::Pending,
            },
            retries: self.retries,
            retry_after: self.retry_after,
            max_interactions: self.max_interactions,
        })
    }
}

impl InstanceDetail {
    /// An instance with how many units stand where.
    pub(crate) fn of(instance: &Instance, counts: Vec<UnitCount>) -> InstanceDetail {
        let tokens = instance.tokens();
        let master = tokens.map(|tokens| tokens.master.as_str()).unwrap_or_default();
        let settings = tokens.map(|tokens| SettingsBody::of(&tokens.settings));
        let workflows = instance.workflows();
        let shown = workflows.into_iter().map(|template| InstanceWorkflow {
            is_master: template.name == master,
            ..InstanceWorkflow::of(instance, template, &counts)
        });
        InstanceDetail {
            instance: InstanceBody::from(&instance.row),
            settings: settings.unwrap_or_default(),
            workflows: shown.collect(),
            units: counts.into_iter().map(CountBody::from).collect(),
        }
    }
}

impl From<UnitCount> for CountBody {
    fn from(count: UnitCount) -> CountBody {
        let UnitCount { workflow, place, status, count } = count;
        CountBody { workflow, place, status, count }
    }
}

impl InstanceWorkflow {
    fn of(instance: &Instance, template: &Template, counts: &[UnitCount]) -> InstanceWorkflow {
        let id = |what: &str, name: &str| instance.id_of(what, &template.name, name);
        let here = |name: &str| {
            let own = counts
                .iter()
                .filter(|one| one.workflow == template.name && one.place.as_deref() == Some(name));
            own.map(|one| (one.status.clone(), one.count)).collect()
        };
        let interactions = template.interactions.iter().map(|one| InteractionBody {
            id: id("interaction", &one.name),
            name: one.name.clone(),
            description: one.description.clone(),
            stale_token_limit_seconds: one.stale_token_limit_seconds,
            queue: format!("{}/{}/{}", instance.id(), template.name, one.name),
            units: here(&one.name),
        });
        let roles = template.roles.iter().enumerate().map(|(index, one)| RoleBody {
            id: id("role", &one.name),
            name: one.name.clone(),
            description: one.description.clone(),
            type_: one.word(),
            strategy: one.strategy.map(|strategy| strategy.as_str()),
            child_workflow: one.child_workflow_name.clone(),
            takes_from: joined(template, index, Direction::Inbound),
            hands_on_to: joined(template, index, Direction::Outbound),
        });
        let components = template.components.iter().map(|one| ComponentBody {
            id: id("component", &one.name),
            name: one.name.clone(),
            role: template.roles[one.role].name.clone(),
            interaction: template.interactions[one.interaction].name.clone(),
            direction: one.direction.as_str(),
        });
        let guardians = template.components.iter().flat_map(|component| {
            component.guardians.iter().map(|one| GuardianBody {
                id: id("guardian", &one.name),
                name: one.name.clone(),
                type_: one.kind.as_str(),
                component: component.name.clone(),
                config: one.config.clone(),
            })
        });
        InstanceWorkflow {
            id: id("workflow", &template.name),
            name: template.name.clone(),
            description: template.description.clone(),
            is_master: false,
            roles: roles.collect(),
            interactions: interactions.collect(),
            components: components.collect(),
            guardians: guardians.collect(),
        }
    }
}

fn joined(template: &Template, role: usize, direction: Direction) -> Vec<String> {
    let components = template.components.iter();
    let own = components.filter(|one| one.role == role && one.direction == direction);
    let places = own.filter_map(|one| template.interactions.get(one.interaction));
    places.map(|place| place.name.clone()).collect()
}
