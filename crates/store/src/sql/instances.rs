//! Instances of templates.

use uuid::Uuid;
use windlass_core::Time;

use super::definitions::INSERT_DEFINITION;
use super::read::{Columns, all, page};
use super::{Connection, Driver, IdText, Row, SqlStore, Statement, Value};
use crate::error::StoreError;
use crate::rows::Page;
use crate::text::nul_safe;
use crate::tokens::{FORMAT, InstanceRow, InstanceStatus, NewInstance};

static INSERT: Statement = Statement::new(
    "INSERT INTO instance (instance_id, project, name, description, template, template_version,
                           status, reason, created_at, created_by, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
);

static BY_ID: Statement = Statement::new(
    "SELECT instance_id, project, name, description, template, template_version, status, reason,
            created_at, created_by, updated_at
       FROM instance WHERE instance_id = $1",
);

static BY_NAME: Statement = Statement::new(
    "SELECT instance_id, project, name, description, template, template_version, status, reason,
            created_at, created_by, updated_at
       FROM instance WHERE project = $1 AND name = $2 ORDER BY instance_id DESC LIMIT 1",
);

static LIST: Statement = Statement::new(
    "SELECT instance_id, project, name, description, template, template_version, status, reason,
            created_at, created_by, updated_at
       FROM instance WHERE project = $1 AND instance_id < $2
      ORDER BY instance_id DESC LIMIT $3",
);

static OF_STATUS: Statement = Statement::new(
    "SELECT instance_id, project, name, description, template, template_version, status, reason,
            created_at, created_by, updated_at
       FROM instance WHERE project = $1 AND status = $4 AND instance_id < $2
      ORDER BY instance_id DESC LIMIT $3",
);

static UPDATE: Statement = Statement::new(
    "UPDATE instance SET status = $1, reason = $2, updated_at = $3 WHERE instance_id = $4",
);

fn instance(row: &dyn Row) -> Result<InstanceRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(InstanceRow {
        instance_id: columns.id()?,
        project: columns.text()?,
        name: columns.text()?,
        description: columns.opt_text()?,
        template: columns.text()?,
        template_version: columns.int()?,
        status: columns.word(InstanceStatus::parse)?,
        reason: columns.opt_text()?,
        created_at: columns.time()?,
        created_by: columns.opt_text()?,
        updated_at: columns.time()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn insert_instance(&self, new: &NewInstance) -> Result<(), StoreError> {
        let row = new.row.clone().safe();
        let id = IdText::of(row.instance_id);
        let result = self.0.write(|connection| {
            let values = [
                id.value(),
                id.value(),
                1_i64.into(),
                FORMAT.into(),
                (&new.definition).into(),
                (&new.content_hash).into(),
                row.created_at.into(),
            ];
            connection.execute(&INSERT_DEFINITION, &values)?;
            let values = [
                id.value(),
                (&row.project).into(),
                (&row.name).into(),
                row.description.as_deref().into(),
                (&row.template).into(),
                row.template_version.into(),
                row.status.as_str().into(),
                row.reason.as_deref().into(),
                row.created_at.into(),
                row.created_by.as_deref().into(),
                row.updated_at.into(),
            ];
            connection.execute(&INSERT, &values)?;
            Ok(())
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn read_instance(
        &self,
        project: &str,
        word: &str,
    ) -> Result<Option<InstanceRow>, StoreError> {
        let word = nul_safe(word);
        self.0.read(|connection| {
            if let Ok(id) = Uuid::parse_str(&word) {
                let id = IdText::of(id);
                let found = all(connection, &BY_ID, &[id.value()], instance)?.pop();
                if let Some(found) = found.filter(|found| found.project == project) {
                    return Ok(Some(found));
                }
            }
            let values = [project.into(), (&*word).into()];
            Ok(all(connection, &BY_NAME, &values, instance)?.pop())
        })
    }

    pub(super) fn read_instances(
        &self,
        project: &str,
        status: Option<InstanceStatus>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<InstanceRow>, StoreError> {
        let after = IdText::of(after.unwrap_or(Uuid::max()));
        let mut values: Vec<Value<'_>> =
            vec![project.into(), after.value(), limit.saturating_add(1).into()];
        let statement = match status {
            None => &LIST,
            Some(status) => {
                values.push(status.as_str().into());
                &OF_STATUS
            }
        };
        self.0.read(|connection| Ok(page(all(connection, statement, &values, instance)?, limit)))
    }

    pub(super) fn write_instance_status(
        &self,
        instance_id: Uuid,
        status: InstanceStatus,
        reason: Option<&str>,
        now: Time,
    ) -> Result<Option<InstanceRow>, StoreError> {
        let (id, reason) = (IdText::of(instance_id), reason.map(nul_safe));
        let result = self.0.write(|connection| {
            let values = [status.as_str().into(), reason.as_deref().into(), now.into(), id.value()];
            connection.execute(&UPDATE, &values)?;
            Ok(all(connection, &BY_ID, &[id.value()], instance)?.pop())
        });
        result.map_err(StoreError::from)
    }
}
