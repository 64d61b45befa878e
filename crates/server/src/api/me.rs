use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Caller, Permission, Proof, Role};
use crate::http::ProblemResponses;

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeBody {
    /// Who, as journals and the audit log have it.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// All they may do of what the role may; null if that is everything.
    pub scopes: Option<Vec<Permission>>,
    /// The project they see and change.
    pub project: String,
    /// Whether a key was needed.
    pub is_authenticated: bool,
}

/// Who the server takes the caller for.
#[utoipa::path(
    get, path = "/api/v1/me", tag = "access",
    responses((status = 200, body = MeBody), ProblemResponses)
)]
pub async fn me(caller: Caller) -> Json<MeBody> {
    let principal = &caller.principal;
    Json(MeBody {
        name: principal.name.clone(),
        role: principal.role,
        scopes: principal.scopes.clone(),
        project: principal.project.clone(),
        is_authenticated: principal.proof != Proof::Local,
    })
}
