//! A template as far as it could be read. What could not is `None`, and has its finding already, so
//! that the rules need not complain about it a second time.

use serde_json::Value;

use super::guardians::Gate;
use super::model::{
    BetaWord, Component, Direction, Guardian, GuardianKind, Interaction, Role, RoleKind, Strategy,
    Template,
};
use super::policy::Policy;

#[derive(Default)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) version: u32,
    pub(super) ai_context: Value,
    pub(super) roles: Vec<RoleDraft>,
    pub(super) interactions: Vec<InteractionDraft>,
    pub(super) components: Vec<ComponentDraft>,
}

pub(super) struct RoleDraft {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) ai_context: Value,
    pub(super) kind: Option<(RoleKind, Option<BetaWord>)>,
    pub(super) strategy: Option<Strategy>,
    /// A strategy that could not be read has its finding.
    pub(super) strategy_is_broken: bool,
    pub(super) child_workflow_name: Option<String>,
}

pub(super) struct InteractionDraft {
    pub(super) path: String,
    pub(super) interaction: Interaction,
}

pub(super) struct ComponentDraft {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) ai_context: Value,
    pub(super) role: Option<usize>,
    pub(super) interaction: Option<usize>,
    pub(super) direction: Option<Direction>,
    pub(super) guardians: Vec<GuardianDraft>,
}

pub(super) struct GuardianDraft {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) ai_context: Value,
    pub(super) kind: Option<GuardianKind>,
    pub(super) config: Value,
    /// Where the config stands, or the guardian if it has none.
    pub(super) config_path: String,
    pub(super) gate: Option<Gate>,
    pub(super) policy: Option<Policy>,
    /// Whether there is a policy, even if it could not be read.
    pub(super) has_policy: bool,
}

impl RoleDraft {
    pub(super) fn is(&self, kind: RoleKind) -> bool {
        self.kind.is_some_and(|(known, _)| known == kind)
    }
}

impl ComponentDraft {
    /// Whether it leads this way, or nobody knows.
    pub(super) fn may_be(&self, direction: Direction) -> bool {
        self.direction.is_none_or(|known| known == direction)
    }

    /// Whether a guardian may stop some units here and let others pass. One that could not be read
    /// gets the benefit of the doubt.
    pub(super) fn has_exit(&self) -> bool {
        self.guardians.iter().any(|guardian| {
            guardian.gate.as_ref().is_none_or(Gate::is_exit)
                || guardian.has_policy
                    && guardian.policy.as_ref().is_none_or(Policy::is_conditional)
        })
    }
}

impl Draft {
    /// The components of a role in one direction, those of which nobody knows it included.
    pub(super) fn components_of(
        &self,
        role: usize,
        direction: Direction,
    ) -> impl Iterator<Item = &ComponentDraft> {
        let components = self.components.iter();
        components.filter(move |one| one.role == Some(role) && one.may_be(direction))
    }

    /// The roles of one type, with their places.
    pub(super) fn roles_of(&self, kind: RoleKind) -> impl Iterator<Item = (usize, &RoleDraft)> {
        self.roles.iter().enumerate().filter(move |(_, role)| role.is(kind))
    }

    pub(super) fn interaction_name(&self, index: usize) -> &str {
        &self.interactions[index].interaction.name
    }

    /// The template, if every part could be read.
    pub(super) fn into_template(self) -> Option<Template> {
        Some(Template {
            name: self.name,
            description: self.description,
            version: self.version,
            ai_context: self.ai_context,
            roles: self.roles.into_iter().map(role).collect::<Option<_>>()?,
            interactions: self.interactions.into_iter().map(|one| one.interaction).collect(),
            components: self.components.into_iter().map(component).collect::<Option<_>>()?,
        })
    }
}

fn role(draft: RoleDraft) -> Option<Role> {
    let (kind, subtype) = draft.kind?;
    Some(Role {
        name: draft.name,
        description: draft.description,
        ai_context: draft.ai_context,
        kind,
        subtype,
        strategy: draft.strategy,
        child_workflow_name: draft.child_workflow_name,
    })
}

fn component(draft: ComponentDraft) -> Option<Component> {
    Some(Component {
        name: draft.name,
        description: draft.description,
        ai_context: draft.ai_context,
        role: draft.role?,
        interaction: draft.interaction?,
        direction: draft.direction?,
        guardians: draft.guardians.into_iter().map(guardian).collect::<Option<_>>()?,
    })
}

fn guardian(draft: GuardianDraft) -> Option<Guardian> {
    Some(Guardian {
        name: draft.name,
        description: draft.description,
        ai_context: draft.ai_context,
        kind: draft.kind?,
        config: draft.config,
        gate: draft.gate?,
        policy: draft.policy,
    })
}
