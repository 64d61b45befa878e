use uuid::Uuid;
use windlass_core::Time;

use super::MemoryStore;
use super::lists::page;
use crate::access::{Access, ApiKeyRow, SecretRow};
use crate::audit::{AuditEntry, AuditRow, chained};
use crate::error::StoreError;
use crate::rows::Page;

impl Access for MemoryStore {
    fn create_api_key(&self, key: &ApiKeyRow) -> Result<(), StoreError> {
        let mut data = self.data.lock();
        if data.api_keys.values().any(|it| it.key_id == key.key_id || it.hash == key.hash) {
            return Err(StoreError::Damaged("there is such a key already".to_owned()));
        }
        data.api_keys.insert(key.key_id, key.clone());
        Ok(())
    }

    fn api_key_by_hash(&self, hash: &str) -> Result<Option<ApiKeyRow>, StoreError> {
        Ok(self.data.lock().api_keys.values().find(|key| key.hash == hash).cloned())
    }

    fn api_keys(
        &self,
        project: Option<&str>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<ApiKeyRow>, StoreError> {
        let data = self.data.lock();
        let wanted = data
            .api_keys
            .values()
            .filter(|key| project.is_none_or(|project| key.project == project))
            .filter(|key| after.is_none_or(|after| key.key_id > after));
        Ok(page(wanted.take(limit.saturating_add(1)).cloned().collect(), limit))
    }

    fn revoke_api_key(&self, key_id: Uuid, now: Time) -> Result<Option<ApiKeyRow>, StoreError> {
        let mut data = self.data.lock();
        let Some(key) = data.api_keys.get_mut(&key_id) else { return Ok(None) };
        key.revoked_at.get_or_insert(now);
        Ok(Some(key.clone()))
    }

    fn any_api_key(&self) -> Result<bool, StoreError> {
        Ok(!self.data.lock().api_keys.is_empty())
    }

    fn append_audit(&self, entries: &[AuditEntry]) -> Result<Vec<AuditRow>, StoreError> {
        let mut data = self.data.lock();
        let last = data.audit.last().map(|row| (row.seq, row.hash.clone()));
        let rows = chained(last, entries);
        data.audit.extend(rows.iter().cloned());
        Ok(rows)
    }

    fn audit(
        &self,
        project: Option<&str>,
        after: i64,
        limit: usize,
    ) -> Result<Page<AuditRow>, StoreError> {
        let data = self.data.lock();
        let wanted = data
            .audit
            .iter()
            .filter(|row| row.seq > after)
            .filter(|row| project.is_none_or(|project| row.entry.project == project));
        Ok(page(wanted.take(limit.saturating_add(1)).cloned().collect(), limit))
    }

    fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.data.lock().settings.get(name).cloned())
    }

    fn set_setting(&self, name: &str, value: Option<&str>, _now: Time) -> Result<(), StoreError> {
        let settings = &mut self.data.lock().settings;
        match value {
            Some(value) => settings.insert(name.to_owned(), value.to_owned()),
            None => settings.remove(name),
        };
        Ok(())
    }

    fn put_secret(&self, secret: &SecretRow) -> Result<(), StoreError> {
        let place = (secret.project.clone(), secret.name.clone());
        self.data.lock().secrets.insert(place, secret.clone());
        Ok(())
    }

    fn secret(&self, project: &str, name: &str) -> Result<Option<SecretRow>, StoreError> {
        let place = (project.to_owned(), name.to_owned());
        Ok(self.data.lock().secrets.get(&place).cloned())
    }

    fn secrets(
        &self,
        (project, name): (&str, &str),
        limit: usize,
    ) -> Result<Page<SecretRow>, StoreError> {
        let data = self.data.lock();
        let after = (project.to_owned(), name.to_owned());
        let behind = data.secrets.iter().filter(|(place, _)| **place > after);
        let found = behind.take(limit.saturating_add(1)).map(|(_, secret)| secret.clone());
        Ok(page(found.collect(), limit))
    }

    fn delete_secret(&self, project: &str, name: &str) -> Result<bool, StoreError> {
        let place = (project.to_owned(), name.to_owned());
        Ok(self.data.lock().secrets.remove(&place).is_some())
    }
}
