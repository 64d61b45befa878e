//! `CONDITIONAL_INJECTOR`: when an actor takes a unit, adds instructions and knowledge, or chooses
//! another model. It judges nothing. `{scope, rules: [{condition, action, payload}]}`, and if wanted
//! the models that may be chosen (`allowed_models`) and the one that stands in (`failover_model`).

use serde_json::Value;

use crate::definition::findings::Findings;
use crate::finding::Finding;
use crate::template::conditions;
use crate::template::reader::{Broken, Reader};
use crate::template::subject::{BranchError, Condition, Subject};
use crate::time::Time;

/// What is added, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Injector {
    /// Every rule whose condition holds applies, in order.
    pub rules: Vec<InjectRule>,
    /// The models that may be chosen. `None` leaves it to the server.
    pub allowed_models: Option<Vec<String>>,
    /// The model that stands in for one that may not be chosen.
    pub failover_model: Option<String>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct InjectRule {
    /// When it applies.
    pub condition: Condition,
    /// The model to use.
    pub model_override: Option<String>,
    /// Put before the instructions there are.
    pub instructions: Option<String>,
    /// Knowledge to add, each once.
    pub fragments: Vec<Value>,
}

/// The model that a rule leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Whether it stands in for one that may not be chosen.
    pub is_failover: bool,
}

pub(super) fn compile(config: &mut Reader<'_>, out: &mut Findings<'_>) -> Result<Injector, Broken> {
    let scope = |word: &str| (word == "pre_execution").then_some(());
    let scope = config.word(&["scope"], "unknown-scope", &["pre_execution"], scope, out);
    let allowed_models = config.texts(&["allowed_models"], out);
    let failover_model = config.name(&["failover_model"], out);
    let items = config.list(&["rules"], out);
    let items = config.need(items, "rules", "say what to add, and when", out)?;
    let mut rules = Vec::new();
    let mut is_broken = scope.is_err();
    for (index, (item, path)) in items.into_iter().enumerate() {
        let what = format!("rule {} of {}", index + 1, config.what());
        match Reader::new(item, &path, what, out).and_then(|reader| rule(reader, out)) {
            Ok(rule) => rules.push(rule),
            Err(Broken) => is_broken = true,
        }
    }
    let injector =
        Injector { rules, allowed_models: allowed_models?, failover_model: failover_model? };
    for rule in &injector.rules {
        if let (Some(named), None) = (&rule.model_override, injector.model(rule)) {
            let message =
                format!("{} names the model `{named}`, which is not allowed", config.what());
            let finding = Finding::error("model-not-allowed", config.path().to_owned(), message);
            out.add(finding.hint("add it to `allowed_models`, or name a `failover_model`"));
            is_broken = true;
        }
    }
    if is_broken { Err(Broken) } else { Ok(injector) }
}

fn rule(mut reader: Reader<'_>, out: &mut Findings<'_>) -> Result<InjectRule, Broken> {
    let condition = conditions::read(&mut reader, "bad-condition", out);
    let condition = reader.need(condition, "condition", "`true` applies always", out);
    let action = |word: &str| (word == "mutate").then_some(());
    let action = reader.word(&["action"], "unknown-action", &["mutate"], action, out);
    let payload = reader.value(&["payload"], out);
    let hint = "give it `instructions`, `knowledge_fragments` or a `model_override`";
    let payload = reader.need(Ok(payload), "payload", hint, out);
    let what = format!("the payload of {}", reader.what());
    let rest = reader.finish(out);
    let (value, path) = payload?;
    let mut payload = Reader::new(value, &path, what, out)?;
    let model_override = payload.name(&["model_override"], out);
    let instructions = payload.text(&["instructions"], out);
    let fragments = payload.list(&["knowledge_fragments"], out);
    let inner = payload.finish(out);
    action?;
    rest?;
    inner?;
    let fragments = fragments?.into_iter().flatten();
    Ok(InjectRule {
        condition: condition?,
        model_override: model_override?,
        instructions: instructions?,
        fragments: fragments.map(|(value, _)| value.clone()).collect(),
    })
}

impl Injector {
    /// The rules that apply to a unit, in order, and those whose condition could not be answered.
    pub fn matching(
        &self,
        subject: &dyn Subject,
        now: Time,
    ) -> (Vec<&InjectRule>, Vec<BranchError>) {
        let mut matching = Vec::new();
        let mut errors = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            match rule.condition.holds(subject, now) {
                Ok(true) => matching.push(rule),
                Ok(false) => {}
                Err(error) => errors.push(BranchError::new(index, &rule.condition, &error)),
            }
        }
        (matching, errors)
    }

    /// The model a rule leads to: the one it names if that may be chosen, else the one that stands
    /// in. `None` if it names none, or if nothing stands in.
    pub fn model(&self, rule: &InjectRule) -> Option<Model> {
        let named = rule.model_override.as_ref()?;
        let is_allowed = self.allowed_models.as_ref().is_none_or(|models| models.contains(named));
        if is_allowed {
            return Some(Model { name: named.clone(), is_failover: false });
        }
        self.failover_model.clone().map(|name| Model { name, is_failover: true })
    }
}
