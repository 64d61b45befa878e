//! The verbs of [`Access`], each handed to the file that knows its table.

use uuid::Uuid;
use windlass_core::Time;

use super::{Driver, SqlStore};
use crate::access::{Access, ApiKeyRow, SecretRow};
use crate::audit::{AuditEntry, AuditRow};
use crate::error::StoreError;
use crate::rows::Page;

impl<D: Driver> Access for SqlStore<D> {
    fn create_api_key(&self, key: &ApiKeyRow) -> Result<(), StoreError> {
        self.insert_api_key(key)
    }

    fn api_key_by_hash(&self, hash: &str) -> Result<Option<ApiKeyRow>, StoreError> {
        self.find_api_key(hash)
    }

    fn api_keys(
        &self,
        project: Option<&str>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<ApiKeyRow>, StoreError> {
        self.list_api_keys(project, after, limit)
    }

    fn revoke_api_key(&self, key_id: Uuid, now: Time) -> Result<Option<ApiKeyRow>, StoreError> {
        self.end_api_key(key_id, now)
    }

    fn any_api_key(&self) -> Result<bool, StoreError> {
        self.has_api_key()
    }

    fn append_audit(&self, entries: &[AuditEntry]) -> Result<Vec<AuditRow>, StoreError> {
        self.insert_audit(entries)
    }

    fn audit(
        &self,
        project: Option<&str>,
        after: i64,
        limit: usize,
    ) -> Result<Page<AuditRow>, StoreError> {
        self.list_audit(project, after, limit)
    }

    fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.read_setting(name)
    }

    fn set_setting(&self, name: &str, value: Option<&str>, now: Time) -> Result<(), StoreError> {
        self.write_setting(name, value, now)
    }

    fn put_secret(&self, secret: &SecretRow) -> Result<(), StoreError> {
        self.write_secret(secret)
    }

    fn secret(&self, project: &str, name: &str) -> Result<Option<SecretRow>, StoreError> {
        self.read_secret(project, name)
    }

    fn secrets(&self, after: (&str, &str), limit: usize) -> Result<Page<SecretRow>, StoreError> {
        self.list_secrets(after, limit)
    }

    fn delete_secret(&self, project: &str, name: &str) -> Result<bool, StoreError> {
        self.forget_secret(project, name)
    }
}
