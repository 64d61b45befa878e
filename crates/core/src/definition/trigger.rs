//! Triggers: what starts a run of a workflow without anybody asking for it.
//!
//! At deploy a trigger is checked and compiled. When what it listens for has happened, it says what the
//! input of the new run is.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::doc::{Ends, TriggerDoc, TriggerOn};
use super::findings::Findings;
use super::plan::Plan;
use crate::expr::{Bindings, Environment, Names, NodeView, Root, Template, Type, TypeEnv, infer};
use crate::failure::Failure;
use crate::finding::Finding;
use crate::limits::{NAME_BYTES_MAX, TRIGGER_COUNT_MAX};
use crate::run::RunStatus;
use crate::time::Time;

/// That the end of a run starts one of this workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// The name of the workflow or flow whose runs are meant.
    pub source: String,
    /// How they have to end.
    pub statuses: Vec<RunStatus>,
    /// The input of the new run. Left out, it is `{"run": …}`.
    pub input: Option<Template>,
}

impl Trigger {
    /// Whether the end of a run is what it listens for.
    pub fn fits(&self, source: &str, status: RunStatus) -> bool {
        self.source == source && self.statuses.contains(&status)
    }

    /// The input of the run that is started because `run` has ended.
    ///
    /// # Errors
    ///
    /// If an expression has no answer.
    pub fn input_of(&self, plan: &Plan, run: &Value, now: Time) -> Result<Value, Failure> {
        let Some(template) = &self.input else { return Ok(json!({ "run": run })) };
        let names = EndNames { vars: &plan.vars, run };
        let rendered =
            template.render(&Environment::new(&names, now)).map_err(|(place, error)| {
                let (place, column) = (format!("/input{place}"), error.offset + 1);
                let message = format!("{place}, character {column}: {}", error.message);
                Failure::new("expression", message)
                    .with(json!({ "path": place, "column": column, "code": error.code }))
            })?;
        Ok(rendered.value)
    }
}

/// Compiles the triggers of the workflow `name`.
pub(super) fn compile(
    name: &str,
    docs: &[TriggerDoc],
    vars: &Value,
    findings: &mut Findings<'_>,
) -> Vec<Trigger> {
    if docs.len() > TRIGGER_COUNT_MAX {
        let message = format!("there may be {TRIGGER_COUNT_MAX} triggers");
        findings.add(Finding::error("bad-value", "/triggers", message));
        return Vec::new();
    }
    let mut triggers: Vec<Trigger> = Vec::new();
    for (index, doc) in docs.iter().enumerate() {
        let TriggerDoc { on: TriggerOn::Run, source, status, input } = doc;
        let path = format!("/triggers/{index}");
        check_source(name, source, &format!("{path}/source"), findings);
        let statuses = statuses_of(status, &path, findings);
        let twice = triggers.iter().position(|other| {
            other.source == *source && other.statuses.iter().any(|one| statuses.contains(one))
        });
        if let Some(first) = twice {
            let message = format!("`/triggers/{first}` listens for this already");
            let finding = Finding::error("duplicate-trigger", path.clone(), message);
            findings.add(finding.hint("one end of a run starts one run of a workflow"));
        }
        let template =
            input.as_ref().map(|it| template(it, &format!("{path}/input"), vars, findings));
        // What could not be compiled is a finding, and no plan comes of it.
        triggers.push(Trigger { source: source.clone(), statuses, input: template.flatten() });
    }
    triggers
}

fn check_source(name: &str, source: &str, path: &str, findings: &mut Findings<'_>) {
    let is_name = !source.trim().is_empty()
        && source.len() <= NAME_BYTES_MAX
        && !source.contains(char::is_control);
    if !is_name {
        let message = format!("a name has 1 to {NAME_BYTES_MAX} bytes and no control characters");
        findings.add(Finding::error("bad-value", path, message));
    }
    if source == name {
        let message = "a workflow is not started by the end of its own runs: that would never stop";
        let finding = Finding::error("self-trigger", path, message);
        findings.add(finding.hint("a node of the kind `loop` does something again and again"));
    }
}

fn statuses_of(status: &Ends, path: &str, findings: &mut Findings<'_>) -> Vec<RunStatus> {
    let mut statuses: Vec<RunStatus> = status.ends().iter().map(|end| end.status()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    if statuses.is_empty() {
        let message = "name a status, or leave `status` out for all of them";
        findings.add(Finding::error("bad-value", format!("{path}/status"), message));
    }
    statuses
}

fn template(
    value: &Value,
    path: &str,
    vars: &Value,
    findings: &mut Findings<'_>,
) -> Option<Template> {
    let known = EndTypes { vars: Type::of(vars) };
    match Template::compile(value, &known, false) {
        Ok(template) => {
            for (inside, expression) in template.expressions() {
                let (_, errors) = infer(expression, &known);
                let path = format!("{path}{inside}");
                errors.iter().for_each(|error| findings.add_expression(&path, error));
            }
            Some(template)
        }
        Err(errors) => {
            for (inside, error) in errors {
                findings.add_expression(&format!("{path}{inside}"), &error);
            }
            None
        }
    }
}

/// What is known of the names in a trigger's input.
struct EndTypes {
    vars: Type,
}

impl Bindings for EndTypes {
    fn root(&self, name: &str) -> Option<Root> {
        match name {
            "run" => Some(Root::Run),
            "vars" => Some(Root::Vars),
            _ => None,
        }
    }

    fn node(&self, _: &str) -> Option<Root> {
        None
    }

    fn names(&self) -> Vec<String> {
        ["run", "vars"].map(str::to_owned).to_vec()
    }

    fn why_not(&self, name: &str) -> Option<String> {
        (name == "input").then(|| "the input of the run that has ended is `run.input`".to_owned())
    }
}

impl TypeEnv for EndTypes {
    fn root(&self, root: &Root) -> Type {
        match root {
            Root::Run => Type::closed([
                ("id", Type::Text),
                ("external_id", Type::Text),
                ("workflow", Type::Text),
                ("status", Type::Text),
                ("error", Type::Any),
                ("started_at", Type::Text),
                ("finished_at", Type::Text),
                ("labels", Type::object()),
                ("input", Type::Any),
            ]),
            Root::Vars => self.vars.clone(),
            _ => Type::Any,
        }
    }

    fn output(&self, _: u8, _: &str) -> Type {
        Type::Any
    }
}

/// What the names in a trigger's input hold.
struct EndNames<'a> {
    vars: &'a Value,
    run: &'a Value,
}

impl Names for EndNames<'_> {
    fn value(&self, root: &Root) -> Cow<'_, Value> {
        match root {
            Root::Run => Cow::Borrowed(self.run),
            Root::Vars => Cow::Borrowed(self.vars),
            _ => Cow::Owned(Value::Null),
        }
    }

    fn node(&self, _: u8, _: &str) -> NodeView<'_> {
        NodeView { status: "pending", output: None, error: None }
    }
}
