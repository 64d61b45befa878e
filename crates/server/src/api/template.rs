//! A template as the API shows it, and finding one.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Finding;
use windlass_core::definition::Plan;
use windlass_core::template::Template;
use windlass_engine::Workflow;
use windlass_store::WorkflowRow;

use super::workflow::FindingBody;
use crate::app::App;
use crate::http::etag::etag;
use crate::http::problem::{self, Problem};

/// A template, without its text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TemplateBody {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// What people call it. Unique among templates and workflows.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which version this is, from 1.
    pub version: u32,
    /// The version that its author has written into it.
    pub author_version: u32,
    /// The `ETag` of the version.
    pub etag: String,
    /// How many roles it has.
    pub role_count: usize,
    /// How many interactions it has.
    pub interaction_count: usize,
    /// The templates that its roles refer to.
    pub child_workflows: Vec<String>,
    /// When its first version was imported, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its newest version was imported.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// A template with its text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TemplateDetail {
    /// The template.
    #[serde(flatten)]
    pub template: TemplateBody,
    /// What it was written in: `yaml` or `json`.
    pub format: String,
    /// The text as it was imported.
    pub source: String,
    /// The template as JSON, every field under its long name.
    pub definition: Value,
    /// Warnings about it.
    pub findings: Vec<FindingBody>,
}

/// A template, compiled.
pub(crate) struct Found {
    pub(crate) row: WorkflowRow,
    pub(crate) plan: Arc<Plan>,
}

impl Found {
    pub(crate) fn of(workflow: &Workflow) -> Option<Found> {
        let found = Found { row: workflow.row.clone(), plan: workflow.plan.clone() };
        found.template().is_some().then_some(found)
    }

    /// The template itself.
    pub(crate) fn template(&self) -> Option<&Template> {
        self.plan.tokens.as_deref().and_then(|tokens| tokens.entry())
    }
}

impl TemplateBody {
    pub(crate) fn of(row: &WorkflowRow, template: &Template) -> TemplateBody {
        let mut children: Vec<String> =
            template.roles.iter().filter_map(|role| role.child_workflow_name.clone()).collect();
        children.sort();
        children.dedup();
        TemplateBody {
            id: row.workflow_id,
            name: template.name.clone(),
            description: template.description.clone(),
            version: row.version,
            author_version: template.version,
            etag: etag(row.workflow_id, row.version),
            role_count: template.roles.len(),
            interaction_count: template.interactions.len(),
            child_workflows: children,
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
        }
    }
}

/// No template goes by this word.
pub(crate) fn none(word: &str) -> Problem {
    Problem::new(problem::TEMPLATE_NOT_FOUND, format!("no template is called `{word:.100}`"))
}

/// The template of this id or name, in its newest version if none is named.
///
/// # Errors
///
/// `template-not-found`, also if it is a graph of steps.
pub(crate) async fn find(
    app: &App,
    project: &str,
    word: &str,
    version: Option<u32>,
) -> Result<Found, Problem> {
    let (definitions, project) = (app.engine.definitions().clone(), project.to_owned());
    let name = word.to_owned();
    let read = move || definitions.version(&project, &name, version);
    let found = tokio::task::spawn_blocking(read).await;
    let found = found.map_err(|error| Problem::new(problem::INTERNAL, error.to_string()))??;
    found.as_deref().and_then(Found::of).ok_or_else(|| match version {
        Some(version) => {
            let message = format!("no template is called `{word:.100}` with a version {version}");
            Problem::new(problem::TEMPLATE_NOT_FOUND, message)
        }
        None => none(word),
    })
}

/// Templates that roles refer to and that do not exist, as warnings.
///
/// # Errors
///
/// That the store is away.
pub(crate) async fn missing_children(
    app: &App,
    project: &str,
    template: &TemplateBody,
) -> Result<Vec<Finding>, Problem> {
    let mut findings = Vec::new();
    for child in &template.child_workflows {
        match find(app, project, child, None).await {
            Ok(_) => {}
            Err(problem) if problem.code == problem::TEMPLATE_NOT_FOUND => {
                let message = format!("there is no template `{child}` yet, to which a role refers");
                let finding = Finding::error("child-missing", "/roles", message);
                let hint = "import it before an instance is made";
                findings.push(finding.as_warning().hint(hint));
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(findings)
}

/// A template with its text.
///
/// # Errors
///
/// That the store is away.
pub(crate) async fn detail(
    app: &App,
    project: &str,
    found: &Found,
    mut findings: Vec<Finding>,
) -> Result<TemplateDetail, Problem> {
    let gone = || Problem::new(problem::INTERNAL, "the template's definition is gone");
    let template = found.template().ok_or_else(gone)?;
    let body = TemplateBody::of(&found.row, template);
    let definition_id = found.row.definition_id;
    let row = app.engine.read(move |store| store.definition(definition_id)).await?;
    let row = row.ok_or_else(gone)?;
    findings.extend(missing_children(app, project, &body).await?);
    Ok(TemplateDetail {
        template: body,
        format: row.format,
        source: row.source,
        definition: template.to_document(),
        findings: findings.into_iter().map(FindingBody::from).collect(),
    })
}
