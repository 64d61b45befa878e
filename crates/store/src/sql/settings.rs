use windlass_core::Time;

use super::read::{Columns, all};
use super::{Connection, Driver, SqlStore, Statement};
use crate::error::StoreError;
use crate::text::nul_safe;

static SETTING: Statement = Statement::new("SELECT value FROM setting WHERE name = $1");

static SET: Statement = Statement::new(
    "INSERT INTO setting (name, value, updated_at) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
);

static FORGET: Statement = Statement::new("DELETE FROM setting WHERE name = $1");

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.0.read(|connection| {
            let read = |row: &dyn super::Row| Columns::of(row).text();
            Ok(all(connection, &SETTING, &[name.into()], read)?.pop())
        })
    }

    pub(super) fn write_setting(
        &self,
        name: &str,
        value: Option<&str>,
        now: Time,
    ) -> Result<(), StoreError> {
        let value = value.map(nul_safe);
        let result = self.0.write(|connection| match &value {
            Some(value) => {
                let values = [name.into(), (&**value).into(), now.into()];
                connection.execute(&SET, &values).map(|_| ())
            }
            None => connection.execute(&FORGET, &[name.into()]).map(|_| ()),
        });
        result.map_err(StoreError::from)
    }
}
