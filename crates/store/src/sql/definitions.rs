//! Workflows and their versions.

use uuid::Uuid;
use windlass_core::Time;

use super::read::{Columns, all, page};
use super::{Connection, Driver, IdText, Row, SqlError, SqlStore, Statement, Value};
use crate::error::StoreError;
use crate::rows::{DefinitionRow, Page, Pause, WorkflowRow};
use crate::text::nul_safe;
use crate::write::{Deploy, Deployed};

static BY_NAME: Statement = Statement::new(
    "SELECT workflow_id, project, name, version, definition_id, description, created_at, updated_at,
            paused_at, paused_by, pause_reason
       FROM workflow WHERE project = $1 AND name = $2 AND deleted_at IS NULL",
);

static BY_ID: Statement = Statement::new(
    "SELECT workflow_id, project, name, version, definition_id, description, created_at, updated_at,
            paused_at, paused_by, pause_reason
       FROM workflow WHERE workflow_id = $1 AND deleted_at IS NULL",
);

static LIST: Statement = Statement::new(
    "SELECT workflow_id, project, name, version, definition_id, description, created_at, updated_at,
            paused_at, paused_by, pause_reason
       FROM workflow WHERE project = $1 AND name > $2 AND deleted_at IS NULL
      ORDER BY name LIMIT $3",
);

static INSERT: Statement = Statement::new(
    "INSERT INTO workflow (workflow_id, project, name, version, definition_id, description,
                           created_at, updated_at)
     VALUES ($1, $2, $3, 1, $4, $5, $6, $6)",
);

static UPDATE: Statement = Statement::new(
    "UPDATE workflow SET version = $1, definition_id = $2, description = $3, updated_at = $4
      WHERE workflow_id = $5",
);

static DELETE: Statement =
    Statement::new("UPDATE workflow SET deleted_at = $1 WHERE workflow_id = $2");

static PAUSE: Statement = Statement::new(
    "UPDATE workflow SET paused_at = $1, paused_by = $2, pause_reason = $3
      WHERE workflow_id = $4 AND deleted_at IS NULL",
);

pub(super) static INSERT_DEFINITION: Statement = Statement::new(
    "INSERT INTO definition (definition_id, workflow_id, version, format, source, content_hash,
                             created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)",
);

static DEFINITION: Statement = Statement::new(
    "SELECT definition_id, workflow_id, version, format, source, content_hash, created_at
       FROM definition WHERE definition_id = $1",
);

static VERSIONS: Statement = Statement::new(
    "SELECT definition_id, workflow_id, version, format, source, content_hash, created_at
       FROM definition WHERE workflow_id = $1 AND version < $2
      ORDER BY version DESC LIMIT $3",
);

fn workflow_row(row: &dyn Row) -> Result<WorkflowRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(WorkflowRow {
        workflow_id: columns.id()?,
        project: columns.text()?,
        name: columns.text()?,
        version: columns.int()?,
        definition_id: columns.id()?,
        description: columns.opt_text()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        pause: columns.pause()?,
    })
}

fn definition_row(row: &dyn Row) -> Result<DefinitionRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(DefinitionRow {
        definition_id: columns.id()?,
        workflow_id: columns.id()?,
        version: columns.int()?,
        format: columns.text()?,
        source: columns.text()?,
        content_hash: columns.text()?,
        created_at: columns.time()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn write_definition(&self, deploy: &Deploy) -> Result<Deployed, StoreError> {
        let result = self.0.write(|connection| {
            let values = [(&deploy.project).into(), (&deploy.name).into()];
            let current = all(connection, &BY_NAME, &values, workflow_row)?.pop();
            let current_version = current.as_ref().map_or(0, |current| current.version);
            if deploy.expected_version.is_some_and(|expected| expected != current_version) {
                return Ok(Deployed::VersionMismatch { current: current_version });
            }
            if let Some(current) = &current {
                let id = IdText::of(current.definition_id);
                let newest = all(connection, &DEFINITION, &[id.value()], definition_row)?;
                if newest.iter().any(|newest| newest.content_hash == deploy.content_hash) {
                    return Ok(Deployed::Same(current.clone()));
                }
            }
            let workflow = WorkflowRow {
                workflow_id: current
                    .as_ref()
                    .map_or(deploy.new_workflow_id, |current| current.workflow_id),
                project: deploy.project.clone(),
                name: deploy.name.clone(),
                version: current_version + 1,
                definition_id: deploy.new_definition_id,
                description: deploy.description.clone(),
                created_at: current.as_ref().map_or(deploy.now, |current| current.created_at),
                updated_at: deploy.now,
                pause: current.as_ref().and_then(|current| current.pause.clone()),
            };
            insert(connection, deploy, &workflow, current.is_none())?;
            Ok(Deployed::New(workflow))
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn remove_workflow(
        &self,
        workflow_id: Uuid,
        expected_version: Option<u32>,
        now: Time,
    ) -> Result<Option<u32>, StoreError> {
        let id = IdText::of(workflow_id);
        let result = self.0.write(|connection| {
            let current = all(connection, &BY_ID, &[id.value()], workflow_row)?.pop();
            let version = current.map(|current| current.version);
            if version.is_some_and(|version| expected_version.is_none_or(|it| it == version)) {
                connection.execute(&DELETE, &[now.into(), id.value()])?;
            }
            Ok(version)
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn write_pause(
        &self,
        workflow_id: Uuid,
        pause: Option<&Pause>,
    ) -> Result<Option<WorkflowRow>, StoreError> {
        let id = IdText::of(workflow_id);
        let by = pause.map(|pause| nul_safe(&pause.by));
        let reason = pause.and_then(|pause| pause.reason.as_deref()).map(nul_safe);
        let result = self.0.write(|connection| {
            let values = [
                pause.map(|pause| pause.at).into(),
                by.as_deref().into(),
                reason.as_deref().into(),
                id.value(),
            ];
            connection.execute(&PAUSE, &values)?;
            Ok(all(connection, &BY_ID, &[id.value()], workflow_row)?.pop())
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn read_workflow(
        &self,
        project: &str,
        word: &str,
    ) -> Result<Option<WorkflowRow>, StoreError> {
        self.0.read(|connection| {
            if let Ok(id) = Uuid::parse_str(word) {
                let id = IdText::of(id);
                let found = all(connection, &BY_ID, &[id.value()], workflow_row)?.pop();
                if let Some(found) = found.filter(|found| found.project == project) {
                    return Ok(Some(found));
                }
            }
            let values = [project.into(), word.into()];
            Ok(all(connection, &BY_NAME, &values, workflow_row)?.pop())
        })
    }

    pub(super) fn read_workflows(
        &self,
        project: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<WorkflowRow>, StoreError> {
        self.0.read(|connection| {
            let values = [project.into(), after.unwrap_or("").into(), (limit + 1).into()];
            Ok(page(all(connection, &LIST, &values, workflow_row)?, limit))
        })
    }

    pub(super) fn read_versions(
        &self,
        workflow_id: Uuid,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Page<DefinitionRow>, StoreError> {
        let id = IdText::of(workflow_id);
        let before = before.map_or(i64::MAX, i64::from);
        self.0.read(|connection| {
            let values = [id.value(), before.into(), (limit + 1).into()];
            Ok(page(all(connection, &VERSIONS, &values, definition_row)?, limit))
        })
    }

    pub(super) fn read_definition(
        &self,
        definition_id: Uuid,
    ) -> Result<Option<DefinitionRow>, StoreError> {
        let id = IdText::of(definition_id);
        self.0.read(|connection| {
            Ok(all(connection, &DEFINITION, &[id.value()], definition_row)?.pop())
        })
    }
}

fn insert(
    connection: &mut impl Connection,
    deploy: &Deploy,
    workflow: &WorkflowRow,
    is_first: bool,
) -> Result<(), SqlError> {
    let (id, definition_id) =
        (IdText::of(workflow.workflow_id), IdText::of(workflow.definition_id));
    let description: Value<'_> = workflow.description.as_deref().into();
    if is_first {
        let values = [
            id.value(),
            (&workflow.project).into(),
            (&workflow.name).into(),
            definition_id.value(),
            description,
            deploy.now.into(),
        ];
        connection.execute(&INSERT, &values)?;
    } else {
        let values = [
            workflow.version.into(),
            definition_id.value(),
            description,
            deploy.now.into(),
            id.value(),
        ];
        connection.execute(&UPDATE, &values)?;
    }
    let values = [
        definition_id.value(),
        id.value(),
        workflow.version.into(),
        (&deploy.format).into(),
        (&deploy.source).into(),
        (&deploy.content_hash).into(),
        deploy.now.into(),
    ];
    connection.execute(&INSERT_DEFINITION, &values)?;
    Ok(())
}
