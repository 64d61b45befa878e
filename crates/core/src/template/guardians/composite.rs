//! `COMPOSITE`: several gates as one. `{logic, steps: [{type, config}]}` stops at the first answer
//! and rejects without steps; `{operator, guardians: [{type, attributes}]}` asks all of them, says
//! all that is wrong, and passes without any.
//!
//! CERBERUS, CONDITIONAL_INJECTOR and DIRECTIONAL_FILTER do more than judge. What they do would be
//! lost in here, so they are refused.

use serde_json::{Map, Value};

use super::{Gate, Verdict};
use crate::definition::findings::Findings;
use crate::finding::Finding;
use crate::template::model::{GuardianKind, words};
use crate::template::reader::{Broken, Reader};
use crate::template::subject::Subject;
use crate::time::Time;

/// Gates, and how they are joined.
#[derive(Clone, Debug, PartialEq)]
pub struct Composite {
    /// The gates, in order.
    pub steps: Vec<Step>,
    /// Whether all must pass or one.
    pub logic: Logic,
    /// Whether it stops at the first answer. If not, it passes without any gate.
    pub stops_early: bool,
}

/// One gate of several.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it is.
    pub kind: GuardianKind,
    /// Its config, compiled.
    pub gate: Gate,
}

/// How gates or comparisons are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logic {
    /// All must pass.
    And,
    /// One must.
    Or,
}
words!(Logic { And = "AND", Or = "OR" });

/// The names of a dialect's fields: how steps are joined, the steps, a step's config.
type Names = [&'static str; 3];
const ENGINE: Names = ["logic", "steps", "config"];
const ALTERNATIVE: Names = ["operator", "guardians", "attributes"];

pub(super) fn compile(
    config: &mut Reader<'_>,
    out: &mut Findings<'_>,
) -> Result<Composite, Broken> {
    let stops_early = !config.has("guardians");
    let [logic, steps, own_config] = if stops_early { ENGINE } else { ALTERNATIVE };
    let logic = config.word(&[logic], "unknown-operator", Logic::WORDS, Logic::of, out);
    let path = config.path().to_owned();
    let items = config.list(&[steps], out);
    let items = config.need(items, steps, "list the gates it is made of", out)?;
    if items.is_empty() && stops_early {
        let message = format!("{} has no steps, so it rejects everything", config.what());
        out.add(Finding::error("always-rejects", path, message).as_warning());
    }
    let mut gates = Vec::new();
    let mut is_broken = false;
    for (index, (item, path)) in items.into_iter().enumerate() {
        let what = format!("step {} of {}", index + 1, config.what());
        match Reader::new(item, &path, what, out).and_then(|one| step(one, own_config, out)) {
            Ok(step) => gates.push(step),
            Err(Broken) => is_broken = true,
        }
    }
    let logic = logic?.unwrap_or(Logic::And);
    if is_broken { Err(Broken) } else { Ok(Composite { steps: gates, logic, stops_early }) }
}

fn step(
    mut reader: Reader<'_>,
    config: &'static str,
    out: &mut Findings<'_>,
) -> Result<Step, Broken> {
    let of = GuardianKind::of;
    let kind = reader.word(&["type"], "unknown-guardian-type", GuardianKind::WORDS, of, out);
    let kind = reader.need(kind, "type", "say which kind of guardian it is", out);
    let value = reader.value(&[config], out);
    let path = reader.path().to_owned();
    let what = reader.what().to_owned();
    let rest = reader.finish(out);
    let kind = kind?;
    let lost = match kind {
        GuardianKind::Cerberus => "holds units until their children are back",
        GuardianKind::ConditionalInjector => "adds to what an actor is told",
        GuardianKind::DirectionalFilter => "says which ways are open",
        _ => "",
    };
    if !lost.is_empty() {
        let kind = kind.as_str();
        let message = format!("{what} is {kind}, which {lost}: it is no gate");
        let hint = format!("give the component a guardian {kind} of its own");
        out.add(Finding::error("not-a-gate", path, message).hint(hint));
        return Err(Broken);
    }
    let gate = match value {
        Some((value, path)) => Reader::new(value, &path, what, out)
            .and_then(|one| super::compile(kind, one, false, out)),
        None => {
            let empty = Value::Object(Map::new());
            Reader::new(&empty, &path, what, out)
                .and_then(|one| super::compile(kind, one, false, out))
        }
    };
    rest?;
    Ok(Step { kind, gate: gate? })
}

impl Composite {
    pub(super) fn judge(&self, subject: &dyn Subject, now: Time) -> Verdict {
        if self.steps.is_empty() {
            let nothing = Verdict::reject("a COMPOSITE without steps lets nothing pass");
            return if self.stops_early { nothing } else { Verdict::Pass };
        }
        let mut messages = Vec::new();
        let mut has_passed = false;
        for step in &self.steps {
            let is_last = match (step.gate.judge(subject, now), self.logic) {
                (Verdict::Pass, logic) => {
                    has_passed = true;
                    logic == Logic::Or
                }
                (Verdict::Reject { message }, logic) => {
                    messages.push(message);
                    logic == Logic::And
                }
            };
            if is_last && self.stops_early {
                break;
            }
        }
        let passes = match self.logic {
            Logic::And => messages.is_empty(),
            Logic::Or => has_passed,
        };
        if passes { Verdict::Pass } else { Verdict::reject(messages.join("; ")) }
    }
}
