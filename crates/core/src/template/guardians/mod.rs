//! Guardians: one file each. A config is compiled once, and whatever is wrong with it is found
//! then; what a unit lacks rejects it. Two dialects are told apart by the shape of the config.
//!
//! Not here: where a rejected unit goes, and when CERBERUS lets go (`run::token`).

mod cerberus;
mod composite;
mod conditional_injector;
mod criteria_gate;
mod directional_filter;
mod pass_thru;
mod ttl_check;

use serde_json::Value;

pub use cerberus::{Cerberus, Disposal, SyncStrategy};
pub use composite::{Composite, Logic, Step};
pub use conditional_injector::{InjectRule, Injector, Model};
pub use criteria_gate::{Criteria, Rule, Test};
pub use directional_filter::{DirectionalFilter, Routes};
pub use ttl_check::TtlCheck;

use super::model::GuardianKind;
use super::reader::{Broken, Reader};
use super::subject::Subject;
use crate::definition::findings::Findings;
use crate::json;
use crate::time::Time;

/// A guardian's config, compiled.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// Lets everything pass.
    PassThru,
    /// Compares attributes.
    Criteria(Criteria),
    /// Says which ways are open.
    Filter(DirectionalFilter),
    /// Refuses what is too old.
    Ttl(TtlCheck),
    /// Several gates as one.
    Composite(Composite),
    /// Holds a unit until its children are back. As a gate it passes.
    Cerberus(Cerberus),
    /// Adds to what an actor is told. As a gate it passes.
    Injector(Injector),
}

/// What a gate says of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass.
    Pass,
    /// It may not.
    Reject {
        /// Why, in one sentence.
        message: String,
    },
}

impl Verdict {
    pub(super) fn reject(message: impl Into<String>) -> Verdict {
        Verdict::Reject { message: message.into() }
    }

    /// Whether the unit may pass.
    pub fn is_pass(&self) -> bool {
        *self == Verdict::Pass
    }
}

impl Gate {
    /// Whether a unit may pass.
    pub fn judge(&self, subject: &dyn Subject, now: Time) -> Verdict {
        match self {
            Gate::PassThru => pass_thru::judge(),
            Gate::Criteria(criteria) => criteria.judge(subject),
            Gate::Filter(filter) => filter.judge(subject),
            Gate::Ttl(ttl) => ttl.judge(subject, now),
            Gate::Composite(composite) => composite.judge(subject, now),
            Gate::Cerberus(_) | Gate::Injector(_) => Verdict::Pass,
        }
    }

    /// The interactions that are open to a unit, by name. `None` if the gate closes none.
    pub fn allowed(&self, subject: &dyn Subject) -> Option<Vec<String>> {
        match self {
            Gate::Filter(filter) => filter.allowed(subject),
            _ => None,
        }
    }

    /// The interactions that the gate's routes name, each with its path in the config.
    pub(super) fn targets(&self) -> Vec<(String, &str)> {
        match self {
            Gate::Filter(filter) => filter.targets(),
            _ => Vec::new(),
        }
    }

    /// Whether the gate closes some ways and leaves others open.
    pub fn has_routes(&self) -> bool {
        matches!(self, Gate::Filter(filter) if filter.routes.is_some())
    }

    /// Whether it depends on the unit if it may pass, so that a cycle through it has an end.
    pub fn is_exit(&self) -> bool {
        match self {
            Gate::PassThru | Gate::Injector(_) => false,
            Gate::Filter(filter) => filter.routes.is_some(),
            Gate::Criteria(_) | Gate::Ttl(_) | Gate::Composite(_) | Gate::Cerberus(_) => true,
        }
    }
}

/// Compiles a config. `has_policy` says if an interaction policy stands beside it.
pub(super) fn compile(
    kind: GuardianKind,
    mut config: Reader<'_>,
    has_policy: bool,
    out: &mut Findings<'_>,
) -> Result<Gate, Broken> {
    let gate = match kind {
        GuardianKind::PassThru => Ok(Gate::PassThru),
        GuardianKind::CriteriaGate => criteria_gate::compile(&mut config, out).map(Gate::Criteria),
        GuardianKind::DirectionalFilter => {
            directional_filter::compile(&mut config, has_policy, out).map(Gate::Filter)
        }
        GuardianKind::TtlCheck => ttl_check::compile(&mut config, out).map(Gate::Ttl),
        GuardianKind::Composite => composite::compile(&mut config, out).map(Gate::Composite),
        GuardianKind::Cerberus => cerberus::compile(&mut config, out).map(Gate::Cerberus),
        GuardianKind::ConditionalInjector => {
            conditional_injector::compile(&mut config, out).map(Gate::Injector)
        }
    };
    let rest = config.finish(out);
    let gate = gate?;
    rest.map(|()| gate)
}

/// A value as it stands in a list of routes: texts as they are, numbers and bools as JSON.
fn key_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Seconds as they stand in a config, of a length that a clock can add.
fn seconds(
    config: &mut Reader<'_>,
    name: &'static str,
    out: &mut Findings<'_>,
) -> super::reader::Got<std::time::Duration> {
    let Some((value, path)) = config.value(&[name], out) else { return Ok(None) };
    let most = crate::limits::WAIT_MAX;
    let duration = value
        .as_f64()
        .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| *duration <= most && !duration.is_zero());
    match duration {
        Some(duration) => Ok(Some(duration)),
        None => {
            let wanted = format!("a number of seconds above 0, at most {}", most.as_secs());
            Err(config.wrong(&path, name, &wanted, value, out))
        }
    }
}

/// A unit's value by name, or why it is rejected without one.
fn field<'a>(subject: &'a dyn Subject, name: &str) -> Result<std::borrow::Cow<'a, Value>, Verdict> {
    super::subject::value_of(subject, name)
        .ok_or_else(|| Verdict::reject(format!("the unit has no attribute `{name}`")))
}

/// A finding's path for a part of a config.
fn part(path: &str, segments: &[&str]) -> String {
    segments.iter().fold(path.to_owned(), |path, segment| json::pointer(&path, segment))
}
