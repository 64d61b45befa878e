//! Which actors may act for which roles.

use uuid::Uuid;
use windlass_core::Time;

use super::read::{Columns, all};
use super::{Connection, Driver, IdText, Row, SqlStore, Statement, Value};
use crate::error::StoreError;
use crate::text::nul_safe;
use crate::tokens::{AssignmentRow, OF_A_ROLE_MAX};

static PUT: Statement = Statement::new(
    "INSERT INTO assignment (assignment_id, instance_id, actor_id, role, status, created_at,
                             updated_at, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (instance_id, role, actor_id) DO UPDATE
        SET status = excluded.status, updated_at = excluded.updated_at",
);

static OF_ACTOR: Statement = Statement::new(
    "SELECT assignment_id, instance_id, actor_id, role, status, created_at, updated_at, created_by
       FROM assignment WHERE instance_id = $1 AND role = $2 AND actor_id = $3",
);

static OF_INSTANCE: Statement = Statement::new(
    "SELECT assignment_id, instance_id, actor_id, role, status, created_at, updated_at, created_by
       FROM assignment WHERE instance_id = $1 ORDER BY role, actor_id LIMIT $2",
);

static OF_ROLE: Statement = Statement::new(
    "SELECT assignment_id, instance_id, actor_id, role, status, created_at, updated_at, created_by
       FROM assignment WHERE instance_id = $1 AND role = $3 ORDER BY role, actor_id LIMIT $2",
);

static BY_ID: Statement = Statement::new(
    "SELECT assignment_id, instance_id, actor_id, role, status, created_at, updated_at, created_by
       FROM assignment WHERE assignment_id = $1",
);

static REVOKE: Statement = Statement::new(
    "UPDATE assignment SET status = 'REVOKED', updated_at = $1
      WHERE assignment_id = $2 AND status <> 'REVOKED'",
);

fn assignment(row: &dyn Row) -> Result<AssignmentRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(AssignmentRow {
        assignment_id: columns.id()?,
        instance_id: columns.id()?,
        actor_id: columns.id()?,
        role: columns.text()?,
        status: columns.text()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        created_by: columns.opt_text()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn write_assignment(
        &self,
        new: &AssignmentRow,
    ) -> Result<AssignmentRow, StoreError> {
        let row = new.clone().safe();
        let ids = [row.assignment_id, row.instance_id, row.actor_id].map(IdText::of);
        let [id, instance, actor] = &ids;
        let result = self.0.write(|connection| {
            let values = [
                id.value(),
                instance.value(),
                actor.value(),
                (&row.role).into(),
                (&row.status).into(),
                row.created_at.into(),
                row.updated_at.into(),
                row.created_by.as_deref().into(),
            ];
            connection.execute(&PUT, &values)?;
            let values = [instance.value(), (&row.role).into(), actor.value()];
            let kept = all(connection, &OF_ACTOR, &values, assignment)?.pop();
            kept.ok_or_else(|| StoreError::Damaged("an assignment is gone at once".into()).into())
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn read_assignments(
        &self,
        instance_id: Uuid,
        role: Option<&str>,
    ) -> Result<Vec<AssignmentRow>, StoreError> {
        let (instance, role) = (IdText::of(instance_id), role.map(nul_safe));
        let mut values: Vec<Value<'_>> = vec![instance.value(), OF_A_ROLE_MAX.into()];
        values.extend(role.as_deref().map(Value::from));
        let statement = if role.is_some() { &OF_ROLE } else { &OF_INSTANCE };
        self.0.read(|connection| Ok(all(connection, statement, &values, assignment)?))
    }

    pub(super) fn end_assignment(
        &self,
        assignment_id: Uuid,
        now: Time,
    ) -> Result<Option<AssignmentRow>, StoreError> {
        let id = IdText::of(assignment_id);
        let result = self.0.write(|connection| {
            connection.execute(&REVOKE, &[now.into(), id.value()])?;
            Ok(all(connection, &BY_ID, &[id.value()], assignment)?.pop())
        });
        result.map_err(StoreError::from)
    }
}
