use uuid::Uuid;
use windlass_core::Time;

use crate::audit::{AuditEntry, AuditRow, AuditVerdict, Chain};
use crate::error::StoreError;
use crate::rows::Page;

/// What a store keeps about those who call: their keys, what they did, what they have set. All
/// methods block and may be called from any thread.
///
/// # Errors
///
/// Any method may answer [`StoreError::Unavailable`], and those that write
/// [`StoreError::OutcomeUnknown`].
pub trait Access {
    /// Adds a key.
    fn create_api_key(&self, key: &ApiKeyRow) -> Result<(), StoreError>;

    /// The key with this hash, whether or not it is still good.
    fn api_key_by_hash(&self, hash: &str) -> Result<Option<ApiKeyRow>, StoreError>;

    /// Keys by id, of one project or of all, those that are no longer good among them.
    fn api_keys(
        &self,
        project: Option<&str>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<ApiKeyRow>, StoreError>;

    /// Takes a key back. One that has been taken back keeps its time. Answers the key as it is
    /// now, or `None` if there is none of this id.
    fn revoke_api_key(&self, key_id: Uuid, now: Time) -> Result<Option<ApiKeyRow>, StoreError>;

    /// Whether a key was ever created. Revoked keys count, so that taking back the last one does
    /// not open the doors.
    fn any_api_key(&self) -> Result<bool, StoreError>;

    /// Adds records to the audit log, in order, each chained to the one before it.
    fn append_audit(&self, entries: &[AuditEntry]) -> Result<Vec<AuditRow>, StoreError>;

    /// Records of the audit log behind number `after`, of one project or of all.
    fn audit(
        &self,
        project: Option<&str>,
        after: i64,
        limit: usize,
    ) -> Result<Page<AuditRow>, StoreError>;

    /// Looks through the whole audit log for a record that is not as it was written. Records cut
    /// off its end leave no trace.
    fn verify_audit(&self) -> Result<AuditVerdict, StoreError> {
        let mut chain = Chain::default();
        loop {
            let page = self.audit(None, chain.last_seq(), AUDIT_ROWS_A_READ)?;
            for row in &page.items {
                if !chain.fits(row) {
                    let first_altered = Some(chain.last_seq() + 1);
                    return Ok(AuditVerdict { checked: chain.length(), first_altered });
                }
            }
            if !page.has_more {
                return Ok(AuditVerdict { checked: chain.length(), first_altered: None });
            }
        }
    }

    /// What has been set under a name.
    fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Sets the value of a name, or forgets it.
    fn set_setting(&self, name: &str, value: Option<&str>, now: Time) -> Result<(), StoreError>;

    /// Keeps a sealed secret, in the place of one of the same name.
    fn put_secret(&self, secret: &SecretRow) -> Result<(), StoreError>;

    /// The sealed secret of this name.
    fn secret(&self, project: &str, name: &str) -> Result<Option<SecretRow>, StoreError>;

    /// Sealed secrets of all projects by project and name, behind `after`.
    fn secrets(&self, after: (&str, &str), limit: usize) -> Result<Page<SecretRow>, StoreError>;

    /// Forgets a secret. Answers whether there was one.
    fn delete_secret(&self, project: &str, name: &str) -> Result<bool, StoreError>;
}

/// A read has a time limit, which the whole log might not keep.
const AUDIT_ROWS_A_READ: usize = 1_000;

/// A key that lets somebody call. The key itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Its id.
    pub key_id: Uuid,
    /// The project it is for.
    pub project: String,
    /// What people call it.
    pub name: String,
    /// What its holder is, such as `operator`.
    pub role: String,
    /// What its holder may do of what the role may; all of it if `None`.
    pub scopes: Option<Vec<String>>,
    /// A hash of the key. Unique.
    pub hash: String,
    /// The key's first characters, to know it by.
    pub prefix: String,
    /// When it was created.
    pub created_at: Time,
    /// Who created it.
    pub created_by: Option<String>,
    /// When it ends.
    pub expires_at: Option<Time>,
    /// When it was taken back.
    pub revoked_at: Option<Time>,
}

/// A secret, sealed with a key that the store does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRow {
    /// The project it is for.
    pub project: String,
    /// Its name in templates.
    pub name: String,
    /// Which key has sealed it.
    pub key_id: String,
    /// What only that key opens.
    pub sealed: String,
    /// When it was set.
    pub updated_at: Time,
    /// Who set it.
    pub updated_by: Option<String>,
}
