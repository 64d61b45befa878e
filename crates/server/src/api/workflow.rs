//! A workflow as the API shows it, and finding one.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Finding;
use windlass_engine::Workflow;
use windlass_store::{DefinitionRow, WorkflowRow};

use crate::app::App;
use crate::http::etag::etag;
use crate::http::problem::{ErrorItem, Problem};

/// A workflow, without its definition.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WorkflowBody {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// What people call it. Unique.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its newest version, from 1.
    pub version: u32,
    /// The `ETag` of that version.
    pub etag: String,
    /// When its first version was deployed, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its newest version was deployed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Who has paused it, if it is paused.
    pub paused: Option<PauseBody>,
}

/// Who has paused something.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PauseBody {
    /// When, RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
    /// Who.
    pub by: String,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// A workflow with its newest definition.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WorkflowDetail {
    /// The workflow.
    #[serde(flatten)]
    pub workflow: WorkflowBody,
    /// What the definition is written in: `yaml` or `json`.
    pub format: String,
    /// The definition's text as it was deployed.
    pub source: String,
    /// The definition as JSON.
    pub definition: Value,
    /// Warnings that `check` has about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingBody>,
}

/// One version of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct VersionBody {
    /// Its number, from 1.
    pub version: u32,
    /// The definition's id.
    pub definition_id: Uuid,
    /// What it is written in: `yaml` or `json`.
    pub format: String,
    /// The text as it was deployed.
    pub source: String,
    /// SHA-256 of what the text says, whatever its layout.
    pub content_hash: String,
    /// When it was deployed, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// Something that `check` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FindingBody {
    /// `error` or `warning`.
    pub severity: String,
    /// The place and what is wrong there.
    #[serde(flatten)]
    pub item: ErrorItem,
}

impl From<Finding> for FindingBody {
    fn from(finding: Finding) -> FindingBody {
        let severity = match finding.severity {
            windlass_core::Severity::Error => "error",
            windlass_core::Severity::Warning => "warning",
        };
        let item = ErrorItem {
            path: finding.path,
            message: finding.message,
            hint: finding.hint,
            code: Some(finding.code),
            line: finding.line,
            column: finding.column,
        };
        FindingBody { severity: severity.to_owned(), item }
    }
}

impl From<&WorkflowRow> for WorkflowBody {
    fn from(row: &WorkflowRow) -> WorkflowBody {
        WorkflowBody {
            id: row.workflow_id,
            name: row.name.clone(),
            description: row.description.clone(),
            version: row.version,
            etag: etag(row.workflow_id, row.version),
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
            paused: row.pause.as_ref().map(|pause| PauseBody {
                at: pause.at.to_string(),
                by: pause.by.clone(),
                reason: pause.reason.clone(),
            }),
        }
    }
}

impl From<DefinitionRow> for VersionBody {
    fn from(row: DefinitionRow) -> VersionBody {
        VersionBody {
            version: row.version,
            definition_id: row.definition_id,
            format: row.format,
            source: row.source,
            content_hash: row.content_hash,
            created_at: row.created_at.to_string(),
        }
    }
}

impl WorkflowDetail {
    /// A workflow and a definition of it.
    pub fn of(row: &WorkflowRow, definition: DefinitionRow, findings: Vec<Finding>) -> Self {
        // What was deployed could be read then.
        let document = windlass_core::source::read(&definition.source);
        WorkflowDetail {
            workflow: WorkflowBody::from(row),
            format: definition.format,
            definition: document.map_or(Value::Null, |source| source.value),
            source: definition.source,
            findings: findings.into_iter().map(FindingBody::from).collect(),
        }
    }
}

/// The workflow of this id or name, with its newest definition.
///
/// # Errors
///
/// `workflow-not-found`.
pub async fn find(app: &App, project: &str, word: &str) -> Result<Arc<Workflow>, Problem> {
    let definitions = app.engine.definitions();
    if let Some(workflow) = definitions.newest_at_hand(project, word) {
        return Ok(workflow);
    }
    let (definitions, project) = (definitions.clone(), project.to_owned());
    let name = word.to_owned();
    let found = tokio::task::spawn_blocking(move || definitions.newest(&project, &name)).await;
    let found =
        found.map_err(|error| Problem::new(crate::http::problem::INTERNAL, error.to_string()))?;
    found?.ok_or_else(|| Problem::no_workflow(word))
}

/// The row of a workflow, whatever its definition is worth.
///
/// # Errors
///
/// `workflow-not-found`.
pub async fn find_row(app: &App, project: &str, word: &str) -> Result<WorkflowRow, Problem> {
    let (project, name) = (project.to_owned(), word.to_owned());
    let row = app.engine.read(move |store| store.workflow(&project, &name)).await?;
    row.ok_or_else(|| Problem::no_workflow(word))
}
