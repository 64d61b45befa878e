//! A template as it was read and found to hold together, and the questions that are asked of it.

use serde_json::Value;

use super::guardians::{Cerberus, Gate, Injector, Verdict};
use super::policy::Policy;
use super::subject::Subject;
use crate::time::Time;

/// Roles and interactions, joined by components.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// As its author counts, from 1.
    pub version: u32,
    /// What AI agents are told about it; null if nothing.
    pub ai_context: Value,
    /// Who acts.
    pub roles: Vec<Role>,
    /// Where units of work wait.
    pub interactions: Vec<Interaction>,
    /// The pipes between roles and interactions. Among those of one role the order matters.
    pub components: Vec<Component>,
}

/// Somebody or something that acts on units of work.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// Its name, unique among the roles of a template.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What AI agents are told about it; null if nothing.
    pub ai_context: Value,
    /// What part it plays.
    pub kind: RoleKind,
    /// Which of the words for a BETA it was written with, if it was not `BETA`.
    pub subtype: Option<BetaWord>,
    /// How a BETA takes a unit apart. Always there for a BETA.
    pub strategy: Option<Strategy>,
    /// The template that does its work, by name.
    pub child_workflow_name: Option<String>,
}

/// A place where units of work wait.
#[derive(Clone, Debug, PartialEq)]
pub struct Interaction {
    /// Its name, unique among the interactions of a template.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What AI agents are told about it; null if nothing.
    pub ai_context: Value,
    /// After how long a unit that waits here goes to TAU. `None` is never.
    pub stale_token_limit_seconds: Option<u64>,
}

/// A pipe between a role and an interaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Its name, unique among the components of a template.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What AI agents are told about it; null if nothing.
    pub ai_context: Value,
    /// Which of [`Template::roles`].
    pub role: usize,
    /// Which of [`Template::interactions`].
    pub interaction: usize,
    /// Which way units go.
    pub direction: Direction,
    /// What stands guard on it, in the order in which they are asked.
    pub guardians: Vec<Guardian>,
}

/// A gate on a component, a policy that routes, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Guardian {
    /// Its name, unique among the guardians of a template.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What AI agents are told about it; null if nothing.
    pub ai_context: Value,
    /// What it is.
    pub kind: GuardianKind,
    /// Its config as it was written.
    pub config: Value,
    /// The config, compiled.
    pub gate: Gate,
    /// The config's `interaction_policy`, compiled.
    pub policy: Option<Policy>,
}

/// The names of an enumeration's words, both ways.
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every word, in order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word templates use.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($type::$variant => $word),+
                }
            }

            /// What a word means; `None` if it means nothing.
            pub fn of(word: &str) -> Option<$type> {
                match word {
                    $($word => Some($type::$variant),)+
                    _ => None,
                }
            }
        }
    };
}
pub(super) use words;

/// What part a role plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleKind {
    /// Where units come from.
    Alpha,
    /// Works on units, and may take them apart.
    Beta,
    /// Where units and their children come together and end.
    Omega,
    /// Mends what was rejected or failed.
    Epsilon,
    /// Deals with what took too long.
    Tau,
}
words!(RoleKind {
    Alpha = "ALPHA",
    Beta = "BETA",
    Omega = "OMEGA",
    Epsilon = "EPSILON",
    Tau = "TAU",
});

/// A word for a BETA that also says who or what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BetaWord {
    /// A gateway to a workflow of its own.
    Sigma,
    /// A person.
    Human,
    /// An AI agent.
    AiAgent,
    /// A program.
    Auto,
}
words!(BetaWord { Sigma = "SIGMA", Human = "HUMAN", AiAgent = "AI_AGENT", Auto = "AUTO" });

/// How a BETA takes a unit apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    /// Into children of one sort.
    Homogeneous,
    /// Into children of several sorts.
    Heterogeneous,
}
words!(Strategy { Homogeneous = "HOMOGENEOUS", Heterogeneous = "HETEROGENEOUS" });

/// Which way units go through a component, as its role sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the interaction to the role, which pulls.
    Inbound,
    /// From the role to the interaction, which it pushes to.
    Outbound,
}
words!(Direction { Inbound = "INBOUND", Outbound = "OUTBOUND" });

/// What a guardian is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuardianKind {
    /// Holds a unit until all its children are back.
    Cerberus,
    /// Lets everything pass.
    PassThru,
    /// Compares attributes.
    CriteriaGate,
    /// Says which ways are open.
    DirectionalFilter,
    /// Refuses what is too old.
    TtlCheck,
    /// Several gates as one.
    Composite,
    /// Adds instructions, knowledge or another model; no gate.
    ConditionalInjector,
}
words!(GuardianKind {
    Cerberus = "CERBERUS",
    PassThru = "PASS_THRU",
    CriteriaGate = "CRITERIA_GATE",
    DirectionalFilter = "DIRECTIONAL_FILTER",
    TtlCheck = "TTL_CHECK",
    Composite = "COMPOSITE",
    ConditionalInjector = "CONDITIONAL_INJECTOR",
});

impl Role {
    /// The word of its type, as it was written.
    pub fn word(&self) -> &'static str {
        self.subtype.map_or(self.kind.as_str(), BetaWord::as_str)
    }
}

impl Component {
    /// The first guardian that does not let a unit pass, and why.
    pub fn rejection(&self, subject: &dyn Subject, now: Time) -> Option<(&Guardian, String)> {
        let mut guardians = self.guardians.iter().filter(|one| !subject.is_waived(&one.name));
        guardians.find_map(|guardian| match guardian.gate.judge(subject, now) {
            Verdict::Pass => None,
            Verdict::Reject { message } => Some((guardian, message)),
        })
    }

    /// The guardians that hold units until their children are back.
    pub fn cerberuses(&self) -> impl Iterator<Item = (&Guardian, &Cerberus)> {
        self.guardians.iter().filter_map(|guardian| match &guardian.gate {
            Gate::Cerberus(cerberus) => Some((guardian, cerberus)),
            _ => None,
        })
    }

    /// The guardians that add to what an actor is told, in order.
    pub fn injectors(&self) -> impl Iterator<Item = (&Guardian, &Injector)> {
        self.guardians.iter().filter_map(|guardian| match &guardian.gate {
            Gate::Injector(injector) => Some((guardian, injector)),
            _ => None,
        })
    }
}

impl Template {
    /// The role `name` and its place in [`Template::roles`].
    pub fn role(&self, name: &str) -> Option<(usize, &Role)> {
        self.roles.iter().enumerate().find(|(_, role)| role.name == name)
    }

    /// The interaction `name` and its place in [`Template::interactions`].
    pub fn interaction(&self, name: &str) -> Option<(usize, &Interaction)> {
        self.interactions.iter().enumerate().find(|(_, interaction)| interaction.name == name)
    }

    /// The components a role pulls from, in order, with their places in [`Template::components`].
    pub fn inbound(&self, role: usize) -> impl Iterator<Item = (usize, &Component)> {
        self.components_of(role, Direction::Inbound)
    }

    /// The components a role pushes to, in order, with their places in [`Template::components`].
    pub fn outbound(&self, role: usize) -> impl Iterator<Item = (usize, &Component)> {
        self.components_of(role, Direction::Outbound)
    }

    fn components_of(
        &self,
        role: usize,
        direction: Direction,
    ) -> impl Iterator<Item = (usize, &Component)> {
        let components = self.components.iter().enumerate();
        components.filter(move |(_, one)| one.role == role && one.direction == direction)
    }

    /// The components by which roles pull from an interaction, in order.
    pub fn consumers(&self, interaction: usize) -> impl Iterator<Item = (usize, &Component)> {
        self.components.iter().enumerate().filter(move |(_, one)| {
            one.interaction == interaction && one.direction == Direction::Inbound
        })
    }

    /// The role units come from.
    pub fn alpha(&self) -> usize {
        self.only(RoleKind::Alpha)
    }

    /// The role units end at.
    pub fn omega(&self) -> usize {
        self.only(RoleKind::Omega)
    }

    /// The role that mends what was rejected or failed.
    pub fn epsilon(&self) -> usize {
        self.only(RoleKind::Epsilon)
    }

    /// The role that deals with what took too long.
    pub fn tau(&self) -> usize {
        self.only(RoleKind::Tau)
    }

    /// Rules R1 to R4 say that there is exactly one, so the fallback is never seen.
    fn only(&self, kind: RoleKind) -> usize {
        self.roles.iter().position(|role| role.kind == kind).unwrap_or_default()
    }

    /// The interaction where a new unit begins: at the end of ALPHA's OUTBOUND component. If there
    /// are several, it is the first that has no guardian, else the first.
    pub fn entry(&self) -> usize {
        let outbound = || self.outbound(self.alpha()).map(|(_, component)| component);
        outbound()
            .find(|component| component.guardians.is_empty())
            .or_else(|| outbound().next())
            .map_or(0, |component| component.interaction)
    }

    /// Where rejected and failed units go: the interaction EPSILON pulls from first, if any.
    pub fn ate(&self) -> Option<usize> {
        self.inbound(self.epsilon()).next().map(|(_, component)| component.interaction)
    }

    /// Where units go that took too long: the interaction TAU pulls from first, if any.
    pub fn chronos(&self) -> Option<usize> {
        self.inbound(self.tau()).next().map(|(_, component)| component.interaction)
    }
}
