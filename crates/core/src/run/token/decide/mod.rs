//! Thinking, for units of work: one file for each thing that can be done with one.

mod advance;
mod claim;
mod end;
mod pilot;
mod route;
mod subject;
mod submit;
mod timer;

use std::collections::BTreeMap;
use std::time::Duration;

use subject::is_intact;

use super::UnitStatus;
use super::unit::{Held, Tokens, Unit};
use crate::duration::HumanDuration;
use crate::failure::Failure;
use crate::run::RunState;
use crate::run::event::{Fact, UnitChanged, UnitNoted};
use crate::run::input::{Hold, Outcome, Refused, TaskAct};
use crate::template::guardians::Cerberus;
use crate::template::{Direction, Guardian, RoleKind, Template};
use crate::time::Time;

/// Who does what nobody in particular does.
pub const SYSTEM: &str = "00000000-0000-0000-0000-000000000001";

/// Whether a role takes units at an interaction, and it is not the way into a child workflow.
pub(in crate::run) fn offered_here(template: &Template, place: &str) -> bool {
    consumers(template, place).any(|role| role.child_workflow_name.is_none())
}

/// What the units of an instance are decided by: its own copy of the templates.
#[derive(Clone, Debug)]
pub struct TokenPlan {
    /// The workflow that work enters by.
    pub master: String,
    /// That and the workflows that roles of it refer to, by name.
    pub workflows: BTreeMap<String, Template>,
    /// What the instance says of them.
    pub settings: TokenSettings,
}

/// What an instance says of its units.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenSettings {
    /// Statuses that a unit takes only with a pilot's word: `completed`, `failed`. None at first.
    #[schemars(with = "Vec<String>")]
    pub park: Vec<UnitStatus>,
    /// How long a pilot has for that word.
    pub park_time: HumanDuration,
    /// What becomes of a unit whose actor was not heard of any more.
    pub zombie: ZombiePolicy,
    /// How often a unit that is stuck is tried again.
    pub retries: u32,
    /// How long after it got stuck.
    pub retry_after: HumanDuration,
    /// How often a unit may be taken, unless it says so itself.
    pub max_interactions: Option<u32>,
}

/// What becomes of a unit whose actor was not heard of any more.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ZombiePolicy {
    /// It has failed, and waits for whoever keeps time.
    #[default]
    Failed,
    /// It waits where it was, for another actor.
    Pending,
}

impl Default for TokenSettings {
    fn default() -> TokenSettings {
        TokenSettings {
            park: Vec::new(),
            park_time: HumanDuration::from_secs(300),
            zombie: ZombiePolicy::default(),
            retries: 3,
            retry_after: HumanDuration::from_secs(300),
            max_interactions: None,
        }
    }
}

/// All that a decision about a unit may look at.
pub(in crate::run) struct TokenDecider<'a> {
    pub(in crate::run) state: &'a RunState,
    pub(in crate::run) tokens: &'a Tokens,
    pub(in crate::run) plan: &'a TokenPlan,
    pub(in crate::run) now: Time,
}

pub(in crate::run) use submit::bad;
pub use submit::check_attributes;

impl<'a> TokenDecider<'a> {
    /// What follows from something said of a unit by whoever works on it.
    pub(in crate::run) fn task(&self, path: &str, act: &TaskAct) -> Result<Vec<Fact>, Refused> {
        let place = self.at(path)?;
        match act {
            TaskAct::Claim { by, role, lease } => {
                if self.state.paused.is_some() {
                    return Err(Refused::Paused);
                }
                self.claim(&place, by, role.as_deref(), *lease)
            }
            TaskAct::Complete { hold, outcome: Outcome::Unit(done) } => {
                self.submit(&place, self.held(&place, hold)?, done)
            }
            TaskAct::Complete { outcome: Outcome::Output(_), .. } => {
                let message = "a unit of work is completed with `attributes`, not with `output`";
                Err(Refused::BadUnit(Failure::new("wrong_outcome", message)))
            }
            TaskAct::Fail { hold, error } => self.fail(&place, self.held(&place, hold)?, error),
            TaskAct::Release { hold } => Ok(self.release(&place, self.held(&place, hold)?)),
            TaskAct::Checkpoint { hold, value } => {
                let held = self.held(&place, hold)?;
                let note = UnitNoted {
                    what: "checkpoint".to_owned(),
                    by: held.holder.by.clone(),
                    details: None,
                    checkpoint: Some(value.clone()),
                };
                Ok(vec![Fact::UnitNoted { path: path.to_owned(), note: Box::new(note) }])
            }
            TaskAct::Lost { fence } => {
                let held = place.unit.holder.as_deref();
                let held = held.filter(|held| held.holder.fence == *fence);
                let held = held.ok_or_else(|| Refused::NotHolder(path.to_owned()))?;
                Ok(self.lost(&place, held))
            }
        }
    }

    pub(super) fn at<'p>(&self, path: &'p str) -> Result<Place<'a, 'p>, Refused> {
        let unit = self.tokens.units.get(path);
        let unit = unit.ok_or_else(|| Refused::NoSuchStep(path.to_owned()))?;
        let template = self.plan.workflows.get(&*unit.workflow).ok_or_else(|| {
            let message = format!("the instance has no workflow `{}`", unit.workflow);
            Refused::BadUnit(Failure::new("wrong_definition", message))
        })?;
        Ok(Place { path, unit, template })
    }

    /// The hold of whoever says so, if it is theirs.
    fn held<'u>(&self, place: &Place<'u, '_>, hold: &Hold) -> Result<&'u Held, Refused> {
        let unit = place.unit;
        let held = unit.holder.as_deref().filter(|held| hold.fits(&held.holder));
        match held {
            Some(held) => Ok(held),
            None if unit.is_over() => {
                Err(Refused::UnitStands { path: place.path.to_owned(), status: unit.status })
            }
            None => Err(Refused::NotHolder(place.path.to_owned())),
        }
    }
}

/// A unit, and the workflow it is in.
pub(super) struct Place<'u, 'p> {
    pub(super) path: &'p str,
    pub(super) unit: &'u Unit,
    pub(super) template: &'u Template,
}

impl Place<'_, '_> {
    /// The kind of the role that a unit is or was held in.
    pub(super) fn role_kind(&self, role: &str) -> Option<RoleKind> {
        self.template.roles.iter().find(|one| one.name == role).map(|role| role.kind)
    }

    /// The interaction at which units wait for a role of this kind: the first that it consumes.
    pub(super) fn queue_of(&self, kind: RoleKind) -> Option<&str> {
        queue_of(self.template, kind)
    }

    /// That the unit's attributes are not what was written, if they are not: whatever was to be done
    /// with it is not done, or what is written next would make them right.
    pub(super) fn breach(&self) -> Option<Fact> {
        let breach = || UnitChanged {
            answered: self.unit.expired(),
            ..change("hash_mismatch", UnitStatus::FailedSecurityBreach, SYSTEM)
        };
        (!is_intact(self.unit)).then(|| self.changed(breach()))
    }

    pub(super) fn changed(&self, change: UnitChanged) -> Fact {
        Fact::UnitChanged { path: self.path.to_owned(), change: Box::new(change) }
    }
}

/// The interaction at which units wait for a role of this kind.
pub(super) fn queue_of(template: &Template, kind: RoleKind) -> Option<&str> {
    let role = template.roles.iter().position(|role| role.kind == kind)?;
    let mut components = template.components.iter();
    let inbound = components
        .find(|component| component.role == role && component.direction == Direction::Inbound)?;
    template.interactions.get(inbound.interaction).map(|place| place.name.as_str())
}

/// The roles that consume an interaction.
pub(super) fn consumers<'t>(
    template: &'t Template,
    place: &str,
) -> impl Iterator<Item = &'t crate::template::Role> {
    let place = template.interactions.iter().position(|one| one.name == place);
    let inbound = template.components.iter().filter(move |component| {
        component.direction == Direction::Inbound && Some(component.interaction) == place
    });
    inbound.filter_map(|component| template.roles.get(component.role))
}

/// The guardians that hold sets which come together at an interaction.
pub(super) fn cerberuses<'t>(
    template: &'t Template,
    place: &str,
) -> impl Iterator<Item = (&'t Guardian, &'t Cerberus)> {
    let place = template.interactions.iter().position(|one| one.name == place);
    let inbound = template.components.iter().filter(move |component| {
        let role = template.roles.get(component.role);
        component.direction == Direction::Inbound
            && Some(component.interaction) == place
            && role.is_some_and(|role| role.kind == RoleKind::Omega)
    });
    inbound.flat_map(|component| component.cerberuses())
}

/// A change to a status, by somebody, with nothing else said.
pub(super) fn change(because: &str, status: UnitStatus, by: &str) -> UnitChanged {
    UnitChanged {
        because: because.to_owned(),
        status,
        place: None,
        reason: None,
        by: by.to_owned(),
        role: None,
        reasoning: None,
        attributes: BTreeMap::new(),
        hash: None,
        holder: None,
        until: None,
        interaction_count: None,
        retries: None,
        parked: None,
        injected: None,
        waived: None,
        asks: None,
        answered: None,
        is_released: false,
        details: None,
        learned: None,
    }
}

pub(super) fn after(now: Time, time: HumanDuration) -> Time {
    now.plus(time.0)
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl TokenPlan {
    /// The workflow that work enters by.
    pub fn entry(&self) -> Option<&Template> {
        self.workflows.get(&self.master)
    }
}
