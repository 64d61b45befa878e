//! A template as a document again: the sections in order, every field under its long name, what is
//! not there left out.

use serde_json::{Map, Value, json};

use super::model::{Component, Guardian, Interaction, Role, Template};
use crate::source;

impl Template {
    /// The document that reads as this template.
    pub fn to_document(&self) -> Value {
        let mut head = named(&self.name, &self.description);
        head.insert("version".into(), self.version.into());
        put(&mut head, "ai_context", &self.ai_context);
        let guardians = self.components.iter().flat_map(|component| {
            component.guardians.iter().map(|guardian| guardian_of(guardian, &component.name))
        });
        json!({
            "workflow": head,
            "roles": self.roles.iter().map(role).collect::<Value>(),
            "interactions": self.interactions.iter().map(interaction).collect::<Value>(),
            "components": self.components.iter().map(|one| self.component(one)).collect::<Value>(),
            "guardians": guardians.collect::<Value>(),
        })
    }

    /// The document as YAML.
    pub fn to_yaml(&self) -> String {
        source::to_yaml(&self.to_document())
    }

    fn component(&self, component: &Component) -> Value {
        let mut fields = named(&component.name, &component.description);
        put(&mut fields, "ai_context", &component.ai_context);
        fields.insert("role_name".into(), self.roles[component.role].name.as_str().into());
        let interaction = &self.interactions[component.interaction].name;
        fields.insert("interaction_name".into(), interaction.as_str().into());
        fields.insert("direction".into(), component.direction.as_str().into());
        fields.into()
    }
}

fn role(role: &Role) -> Value {
    let mut fields = named(&role.name, &role.description);
    put(&mut fields, "ai_context", &role.ai_context);
    fields.insert("role_type".into(), role.word().into());
    if let Some(strategy) = role.strategy {
        fields.insert("strategy".into(), strategy.as_str().into());
    }
    if let Some(child) = &role.child_workflow_name {
        fields.insert("child_workflow_name".into(), child.as_str().into());
    }
    fields.into()
}

fn interaction(interaction: &Interaction) -> Value {
    let mut fields = named(&interaction.name, &interaction.description);
    put(&mut fields, "ai_context", &interaction.ai_context);
    if let Some(limit) = interaction.stale_token_limit_seconds {
        fields.insert("stale_token_limit_seconds".into(), limit.into());
    }
    fields.into()
}

fn guardian_of(guardian: &Guardian, component: &str) -> Value {
    let mut fields = named(&guardian.name, &guardian.description);
    put(&mut fields, "ai_context", &guardian.ai_context);
    fields.insert("component_name".into(), component.into());
    fields.insert("guardian_type".into(), guardian.kind.as_str().into());
    fields.insert("config".into(), guardian.config.clone());
    fields.into()
}

fn named(name: &str, description: &Option<String>) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("name".into(), name.into());
    if let Some(description) = description {
        fields.insert("description".into(), description.as_str().into());
    }
    fields
}

fn put(fields: &mut Map<String, Value>, name: &str, value: &Value) {
    if !value.is_null() {
        fields.insert(name.into(), value.clone());
    }
}
