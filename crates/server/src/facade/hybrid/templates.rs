use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::definition::Plan;
use windlass_core::source;
use windlass_store::{Store, WorkflowRow};

use super::{PREFIX, shipped};
use crate::access::Caller;
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses};
use crate::http::paging::LIMIT_MAX;

/// What runs can be made of.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OldTemplateBody {
    /// The name of the workflow.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its version.
    pub version: String,
    /// What it needs to know.
    pub parameters: Vec<ParameterBody>,
}

/// A parameter of a template.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParameterBody {
    /// Its name.
    pub name: String,
    /// `string`, `number` or `boolean`, else as JSON Schema says.
    #[serde(rename = "type")]
    pub type_: String,
    /// What is usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_value: Option<Value>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Templates: the workflows of the project, and those that come with Windlass.
#[utoipa::path(
    get, path = "/api/templates", tag = "facades",
    responses((status = 200, body = Vec<OldTemplateBody>), DetailResponses)
)]
pub async fn list_old_templates(
    State(app): Shared,
    caller: Caller,
) -> Result<Json<Vec<OldTemplateBody>>, Detail> {
    let (project, definitions) = (caller.project().to_owned(), app.engine.definitions().clone());
    let read = move |store: &dyn Store| {
        let mut found = Vec::new();
        for row in store.workflows(&project, None, LIMIT_MAX)?.items {
            let plan = definitions.plan(row.definition_id).ok();
            // What was made of a document is no template, nor is what runs elsewhere.
            let Some(plan) = plan.filter(|plan| plan.flow.is_none() && plan.tokens.is_none())
            else {
                continue;
            };
            if !row.name.starts_with(PREFIX) {
                found.push(deployed(row, &plan));
            }
        }
        Ok(found)
    };
    let mut found = app.engine.read(read).await?;
    for (name, text) in shipped::ALL {
        if found.iter().all(|template: &OldTemplateBody| template.id != name) {
            found.push(undeployed(name, text));
        }
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Json(found))
}

fn deployed(row: WorkflowRow, plan: &Plan) -> OldTemplateBody {
    let schema = plan.input.as_ref().map(|schema| schema.source().clone());
    OldTemplateBody {
        id: row.name.clone(),
        name: row.name,
        description: row.description,
        version: row.version.to_string(),
        parameters: parameters(&schema.unwrap_or_default()),
    }
}

fn undeployed(name: &str, text: &str) -> OldTemplateBody {
    let document = source::read(text).map(|source| source.value).unwrap_or_default();
    OldTemplateBody {
        id: name.to_owned(),
        name: name.to_owned(),
        description: document["description"].as_str().map(str::to_owned),
        version: "1".to_owned(),
        parameters: parameters(&document["input"]),
    }
}

fn parameters(schema: &Value) -> Vec<ParameterBody> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let parameter = |(name, property): (&String, &Value)| ParameterBody {
        name: name.clone(),
        type_: property["type"].as_str().unwrap_or("string").replace("integer", "number"),
        default_value: property.get("default").cloned(),
        description: property["description"].as_str().map(str::to_owned),
    };
    properties.map(parameter).collect()
}
