//! `/api/v1/secrets`: they are set and never read back.

pub mod delete;
pub mod list;
pub mod put;
pub mod rotate;

use serde::Serialize;
use utoipa::ToSchema;
use windlass_store::{SecretRow, StoreError};

use crate::http::problem::{self, Problem};
use crate::vault::{NAME_BYTES_MAX, VaultError};

/// What is known of a secret. Nothing ever shows the secret itself.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SecretBody {
    /// Its name: `secrets.NAME` in templates.
    pub name: String,
    /// When it was set, RFC 3339.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Who set it.
    pub updated_by: Option<String>,
}

impl From<SecretRow> for SecretBody {
    fn from(row: SecretRow) -> SecretBody {
        let SecretRow { name, updated_at, updated_by, .. } = row;
        SecretBody { name, updated_at: updated_at.to_string(), updated_by }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Problem {
        match error {
            VaultError::Store(error) => error.into(),
            error => {
                tracing::error!(%error, "secrets cannot be sealed or opened");
                Problem::new(problem::UNAVAILABLE, error.to_string())
            }
        }
    }
}

/// Refuses what no template could name.
fn check_name(name: &str) -> Result<(), Problem> {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_other = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = name.starts_with(is_first) && name.chars().all(is_other);
    if is_name && name.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    let message =
        format!("a name has 1 to {NAME_BYTES_MAX} letters, digits and `_`, and no digit first");
    Err(Problem::parameter("name", message))
}

/// Does something with the store that may take a while.
async fn blocking<T: Send + 'static, E: Into<Problem> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Into::into),
        Err(error) => Err(StoreError::Unavailable(error.to_string()).into()),
    }
}
