use uuid::Uuid;
use windlass_core::Time;

use super::read::{Columns, all, page};
use super::{Connection, Driver, IdText, Row, SqlStore, Statement};
use crate::access::ApiKeyRow;
use crate::error::StoreError;
use crate::rows::Page;
use crate::text::nul_safe;

static INSERT: Statement = Statement::new(
    "INSERT INTO api_key (key_id, project, name, role, scopes, hash, prefix, created_at, created_by,
                          expires_at, revoked_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
);

static BY_HASH: Statement = Statement::new(
    "SELECT key_id, project, name, role, scopes, hash, prefix, created_at, created_by, expires_at,
            revoked_at
       FROM api_key WHERE hash = $1",
);

static BY_ID: Statement = Statement::new(
    "SELECT key_id, project, name, role, scopes, hash, prefix, created_at, created_by, expires_at,
            revoked_at
       FROM api_key WHERE key_id = $1",
);

static LIST: Statement = Statement::new(
    "SELECT key_id, project, name, role, scopes, hash, prefix, created_at, created_by, expires_at,
            revoked_at
       FROM api_key WHERE key_id > $1 ORDER BY key_id LIMIT $2",
);

static OF_PROJECT: Statement = Statement::new(
    "SELECT key_id, project, name, role, scopes, hash, prefix, created_at, created_by, expires_at,
            revoked_at
       FROM api_key WHERE key_id > $1 AND project = $3 ORDER BY key_id LIMIT $2",
);

static REVOKE: Statement =
    Statement::new("UPDATE api_key SET revoked_at = $1 WHERE key_id = $2 AND revoked_at IS NULL");

static ANY: Statement = Statement::new("SELECT key_id FROM api_key LIMIT 1");

fn api_key(row: &dyn Row) -> Result<ApiKeyRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(ApiKeyRow {
        key_id: columns.id()?,
        project: columns.text()?,
        name: columns.text()?,
        role: columns.text()?,
        scopes: columns.opt_json()?,
        hash: columns.text()?,
        prefix: columns.text()?,
        created_at: columns.time()?,
        created_by: columns.opt_text()?,
        expires_at: columns.opt_time()?,
        revoked_at: columns.opt_time()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn insert_api_key(&self, key: &ApiKeyRow) -> Result<(), StoreError> {
        let id = IdText::of(key.key_id);
        let scopes = key.scopes.as_ref().map(super::to_json);
        let name = nul_safe(&key.name);
        let created_by = key.created_by.as_deref().map(nul_safe);
        let result = self.0.write(|connection| {
            let values = [
                id.value(),
                (&key.project).into(),
                (&*name).into(),
                (&key.role).into(),
                scopes.as_deref().into(),
                (&key.hash).into(),
                (&key.prefix).into(),
                key.created_at.into(),
                created_by.as_deref().into(),
                key.expires_at.into(),
                key.revoked_at.into(),
            ];
            connection.execute(&INSERT, &values).map(|_| ())
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn find_api_key(&self, hash: &str) -> Result<Option<ApiKeyRow>, StoreError> {
        self.0.read(|connection| Ok(all(connection, &BY_HASH, &[hash.into()], api_key)?.pop()))
    }

    pub(super) fn list_api_keys(
        &self,
        project: Option<&str>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<ApiKeyRow>, StoreError> {
        let after = IdText::of(after.unwrap_or(Uuid::nil()));
        self.0.read(|connection| {
            let (after, most) = (after.value(), (limit + 1).into());
            let keys = match project {
                None => all(connection, &LIST, &[after, most], api_key)?,
                Some(project) => {
                    all(connection, &OF_PROJECT, &[after, most, project.into()], api_key)?
                }
            };
            Ok(page(keys, limit))
        })
    }

    pub(super) fn end_api_key(
        &self,
        key_id: Uuid,
        now: Time,
    ) -> Result<Option<ApiKeyRow>, StoreError> {
        let id = IdText::of(key_id);
        let result = self.0.write(|connection| {
            connection.execute(&REVOKE, &[now.into(), id.value()])?;
            Ok(all(connection, &BY_ID, &[id.value()], api_key)?.pop())
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn has_api_key(&self) -> Result<bool, StoreError> {
        self.0.read(|connection| {
            let found = all(connection, &ANY, &[], |row| Columns::of(row).text())?;
            Ok(!found.is_empty())
        })
    }
}
