//! Secrets: sealed before they are kept, opened when an attempt needs them, and never shown.
//!
//! Not here: how they are hidden in what attempts say (`windlass-engine`), where they are put into
//! a config (`windlass-engine`, `dispatch/secrets.rs`).

mod ring;
mod seal;

use std::fmt;
use std::sync::Arc;

use windlass_core::Time;
use windlass_engine::SecretSource;
use windlass_store::{SecretRow, Store, StoreError};

pub use ring::Ring;
use seal::Place;

/// The longest secret, in bytes: a key with its certificates.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;
/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Secrets that are sealed anew at once.
const ROTATE_AT_ONCE: usize = 100;

/// All secrets.
pub struct Vault {
    ring: Ring,
    store: Arc<dyn Store>,
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key cannot be had.
    #[error("{0}")]
    Key(String),
    /// It was sealed with a key that is not there any more, or is not what was sealed.
    #[error("the secret `{name}` cannot be opened: {why}")]
    Sealed {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("ring", &self.ring).finish_non_exhaustive()
    }
}

impl Vault {
    /// The secrets in a store, sealed with the keys of a ring.
    pub fn new(ring: Ring, store: Arc<dyn Store>) -> Vault {
        Vault { ring, store }
    }

    /// Keeps a secret.
    ///
    /// # Errors
    ///
    /// If there is no key to seal it with, or the store cannot be written.
    pub fn put(
        &self,
        project: &str,
        name: &str,
        value: &str,
        (now, by): (Time, &str),
    ) -> Result<SecretRow, VaultError> {
        let (key_id, sealed) = self.ring.seal(&Place { project, name }, value)?;
        let row = SecretRow {
            project: project.to_owned(),
            name: name.to_owned(),
            key_id,
            sealed,
            updated_at: now,
            updated_by: Some(by.to_owned()),
        };
        self.store.put_secret(&row)?;
        Ok(row)
    }

    /// A secret, opened.
    ///
    /// # Errors
    ///
    /// If there is one that cannot be opened, or the store cannot be read.
    pub fn get(&self, project: &str, name: &str) -> Result<Option<String>, VaultError> {
        match self.store.secret(project, name)? {
            None => Ok(None),
            Some(row) => self.ring.open(&row).map(Some),
        }
    }

    /// Seals everything anew that an earlier key has sealed. Answers how many that were.
    ///
    /// # Errors
    ///
    /// If one cannot be opened, or the store cannot be used. What was done stays done.
    pub fn rotate(&self) -> Result<usize, VaultError> {
        let (mut count, mut after) = (0, (String::new(), String::new()));
        loop {
            let page = self.store.secrets((&after.0, &after.1), ROTATE_AT_ONCE)?;
            for row in &page.items {
                if self.ring.is_current(&row.key_id)? {
                    continue;
                }
                let place = Place { project: &row.project, name: &row.name };
                let (key_id, sealed) = self.ring.seal(&place, &self.ring.open(row)?)?;
                self.store.put_secret(&SecretRow { key_id, sealed, ..row.clone() })?;
                count += 1;
            }
            match page.items.last().filter(|_| page.has_more) {
                Some(last) => after = (last.project.clone(), last.name.clone()),
                None => return Ok(count),
            }
        }
    }
}

impl SecretSource for Vault {
    /// What is not in the store may be in the environment: `WINDLASS_SECRET_X` is the secret `x` of
    /// the project `default`.
    #[expect(clippy::disallowed_methods, reason = "a secret is no setting, and never shown")]
    fn secret(&self, project: &str, name: &str) -> Result<Option<String>, String> {
        if let Some(secret) = self.get(project, name).map_err(|error| error.to_string())? {
            return Ok(Some(secret));
        }
        let variable = format!("WINDLASS_SECRET_{}", name.to_uppercase().replace('-', "_"));
        let is_own = project == crate::app::PROJECT;
        Ok(is_own.then(|| std::env::var(variable).ok()).flatten())
    }
}
