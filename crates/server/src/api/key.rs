//! A key as the API shows it: never the key itself.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_store::ApiKeyRow;

use crate::access::Caller;
use crate::http::problem::{self, Problem};

/// A key.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyBody {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What its holder is.
    pub role: String,
    /// What its holder may do of all that the role may; null if everything.
    pub scopes: Option<Vec<String>>,
    /// The project it is for.
    pub project: String,
    /// Its first characters, to know it by.
    pub prefix: String,
    /// When it was made, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it ends; null if it does not.
    pub expires_at: Option<String>,
    /// When it was taken back.
    pub revoked_at: Option<String>,
}

impl From<ApiKeyRow> for KeyBody {
    fn from(row: ApiKeyRow) -> KeyBody {
        KeyBody {
            id: row.key_id,
            name: row.name,
            role: row.role,
            scopes: row.scopes,
            project: row.project,
            prefix: row.prefix,
            created_at: row.created_at.to_string(),
            created_by: row.created_by,
            expires_at: row.expires_at.map(|at| at.to_string()),
            revoked_at: row.revoked_at.map(|at| at.to_string()),
        }
    }
}

/// The project whose keys a caller sees: their own, or all of them if they look after the server.
pub fn visible(caller: &Caller) -> Option<String> {
    (!caller.principal.is_of_server()).then(|| caller.project().to_owned())
}

/// No key of this id, or none that the caller may know of.
pub fn no_key(id: Uuid) -> Problem {
    Problem::new(problem::KEY_NOT_FOUND, format!("no key has the id {id}"))
}
