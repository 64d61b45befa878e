use super::read::{Columns, all, page};
use super::{Connection, Driver, Row, SqlStore, Statement};
use crate::access::SecretRow;
use crate::error::StoreError;
use crate::rows::Page;
use crate::text::nul_safe;

static PUT: Statement = Statement::new(
    "INSERT INTO secret (project, name, key_id, sealed, updated_at, updated_by)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (project, name) DO UPDATE
        SET key_id = excluded.key_id, sealed = excluded.sealed, updated_at = excluded.updated_at,
            updated_by = excluded.updated_by",
);

static GET: Statement = Statement::new(
    "SELECT project, name, key_id, sealed, updated_at, updated_by FROM secret
      WHERE project = $1 AND name = $2",
);

static LIST: Statement = Statement::new(
    "SELECT project, name, key_id, sealed, updated_at, updated_by FROM secret
      WHERE (project, name) > ($1, $2) ORDER BY project, name LIMIT $3",
);

static DELETE: Statement = Statement::new("DELETE FROM secret WHERE project = $1 AND name = $2");

fn secret(row: &dyn Row) -> Result<SecretRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(SecretRow {
        project: columns.text()?,
        name: columns.text()?,
        key_id: columns.text()?,
        sealed: columns.text()?,
        updated_at: columns.time()?,
        updated_by: columns.opt_text()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn write_secret(&self, secret: &SecretRow) -> Result<(), StoreError> {
        let updated_by = secret.updated_by.as_deref().map(nul_safe);
        let result = self.0.write(|connection| {
            let values = [
                (&secret.project).into(),
                (&secret.name).into(),
                (&secret.key_id).into(),
                (&secret.sealed).into(),
                secret.updated_at.into(),
                updated_by.as_deref().into(),
            ];
            connection.execute(&PUT, &values).map(|_| ())
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn read_secret(
        &self,
        project: &str,
        name: &str,
    ) -> Result<Option<SecretRow>, StoreError> {
        self.0.read(|connection| {
            Ok(all(connection, &GET, &[project.into(), name.into()], secret)?.pop())
        })
    }

    pub(super) fn list_secrets(
        &self,
        (project, name): (&str, &str),
        limit: usize,
    ) -> Result<Page<SecretRow>, StoreError> {
        self.0.read(|connection| {
            let values = [project.into(), name.into(), (limit + 1).into()];
            Ok(page(all(connection, &LIST, &values, secret)?, limit))
        })
    }

    pub(super) fn forget_secret(&self, project: &str, name: &str) -> Result<bool, StoreError> {
        let values = [project.into(), name.into()];
        let result = self.0.write(|connection| connection.execute(&DELETE, &values));
        Ok(result.map_err(StoreError::from)? > 0)
    }
}
