use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use windlass_core::Time;

use super::role::{Permission, Role};
use crate::app::PROJECT;
use crate::http::problem::{self, Problem};

/// Somebody who may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who, such as `key:ci` or `token:ada`; journals and the audit log have it.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// All they may do of what the role may, if their key says so.
    pub scopes: Option<Vec<Permission>>,
    /// The project they see and change.
    pub project: String,
    /// What let them in.
    pub proof: Proof,
}

/// What let somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nobody asks for a key yet, or the caller owns the data directory.
    Local,
    /// The key in the settings.
    ServerKey,
    /// A session that `windlass dev` gave without a key.
    Dev,
    /// The token of a plugin's own worker.
    Plugin(String),
    /// A key with this hash.
    Key(String),
    /// A token that ends then.
    Token(Time),
}

/// The principal of a request, as handlers take it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Arc<Principal>,
    /// What the tokens in their forms are made of, if a browser sends their credential by itself.
    pub session: Option<Arc<str>>,
}

impl Principal {
    /// Whoever works on this machine while there is no key.
    pub fn local() -> Principal {
        Principal {
            name: "local".to_owned(),
            role: Role::Admin,
            scopes: None,
            project: PROJECT.to_owned(),
            proof: Proof::Local,
        }
    }

    /// Whether they may do this.
    pub fn may(&self, permission: Permission) -> bool {
        let is_in_scope = |scopes: &Vec<Permission>| scopes.contains(&permission);
        self.role.may(permission) && self.scopes.as_ref().is_none_or(is_in_scope)
    }

    /// Whether they may see what belongs to the whole server, such as its metrics.
    pub fn is_of_server(&self) -> bool {
        self.project == PROJECT
    }
}

impl Caller {
    /// Somebody who showed their credential in this very request.
    pub fn new(principal: Principal) -> Caller {
        Caller { principal: Arc::new(principal), session: None }
    }

    /// The project they see and change.
    pub fn project(&self) -> &str {
        &self.principal.project
    }

    /// Who they are.
    pub fn name(&self) -> &str {
        &self.principal.name
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| Problem::new(problem::UNAUTHENTICATED, "nobody is known to call"))
    }
}
