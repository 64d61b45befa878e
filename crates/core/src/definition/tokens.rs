//! Definitions that actors drive: a template, or an instance's own copy of several.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::plan::Plan;
use crate::finding::Finding;
use crate::run::token::{TokenPlan, TokenSettings};
use crate::template::{self, Template};

/// What an instance is made of: its own copy of a template and of the templates that roles of it
/// refer to. Written by us, so its shape is not explained to anybody.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceDoc {
    /// What people call the instance.
    instance: String,
    #[serde(default)]
    description: Option<String>,
    /// The name of the template that work enters by.
    master: String,
    /// The templates, by name.
    templates: BTreeMap<String, Value>,
    #[serde(default)]
    settings: TokenSettings,
}

/// Whether a document is an instance's own copy of templates.
pub(super) fn is_instance(document: &Value) -> bool {
    document.get("instance").is_some() && document.get("templates").is_some()
}

/// A template, as the definition of a workflow. It is checked; what runs are the instances of it.
pub(super) fn of_template(template: Template) -> Plan {
    let (name, description) = (template.name.clone(), template.description.clone());
    let workflows = BTreeMap::from([(name.clone(), template)]);
    let tokens = TokenPlan { master: name.clone(), workflows, settings: TokenSettings::default() };
    plan(name, description, tokens)
}

pub(super) fn of_instance(document: &Value) -> Result<Plan, Vec<Finding>> {
    let wrong = |message: String| vec![Finding::error("bad-instance", "", message)];
    let doc: InstanceDoc =
        serde_json::from_value(document.clone()).map_err(|error| wrong(error.to_string()))?;
    let mut workflows = BTreeMap::new();
    for (name, document) in doc.templates {
        let checked = template::read_document(document);
        let template = checked.template.ok_or(checked.findings)?;
        workflows.insert(name, template);
    }
    if !workflows.contains_key(&doc.master) {
        return Err(wrong(format!("there is no template `{}`", doc.master)));
    }
    let tokens = TokenPlan { master: doc.master, workflows, settings: doc.settings };
    Ok(plan(doc.instance, doc.description, tokens))
}

fn plan(name: String, description: Option<String>, tokens: TokenPlan) -> Plan {
    Plan { tokens: Some(Arc::new(tokens)), ..Plan::bare(name, description) }
}
