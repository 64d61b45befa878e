//! What is known of keys, tokens and sessions: turns a credential into a principal.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::RwLock;
use tokio::sync::watch;
use windlass_core::Time;
use windlass_engine::Engine;
use windlass_store::ApiKeyRow;

use super::audit::AuditLog;
use super::limit::{Limits, SignIns};
use super::principal::{Caller, Principal, Proof};
use super::role::{Permission, Role};
use super::session::Sessions;
use super::token::Tokens;
use super::{key, session};
use crate::app::PROJECT;
use crate::config::{Config, Secret};
use crate::http::problem::{self, Problem};

/// How long a key that was found is taken for good without asking the store. Taking one back through
/// this server counts at once.
const KNOWN_FOR: Duration = Duration::from_secs(5);
/// Keys kept at hand.
const KNOWN_MAX: usize = 10_000;

/// Knows who may come in.
pub struct Gate {
    engine: Arc<Engine>,
    /// Whether a key was ever made.
    has_key: AtomicBool,
    /// Whether others than this machine can reach the server.
    pub is_exposed: bool,
    /// Whether this is `windlass dev`.
    pub is_dev: bool,
    /// The hash of the key in the settings.
    server_key: Option<String>,
    /// Of plugins whose workers the server starts.
    plugins: Vec<PluginToken>,
    tokens: Option<Tokens>,
    /// Signs cookies and the tokens in forms.
    pub sessions: Sessions,
    /// How often each may call.
    pub limits: Limits,
    /// How often a sign-in may fail.
    pub sign_ins: SignIns,
    /// What was done.
    pub audit: AuditLog,
    /// Keys at hand, by hash.
    known: RwLock<HashMap<String, Known>>,
    /// Changes when somebody may have lost their right to be here.
    changes: watch::Sender<u64>,
    local: Caller,
}

/// What a worker shows that is a child of the server. It is made anew at each start, kept in memory
/// only, and good for the tasks of the plugin's own kinds in all projects.
struct PluginToken {
    plugin: String,
    token: Secret,
    hash: String,
}

/// A key that was found: whose it is, until when it is good, and when it was asked for.
type Known = (Arc<Principal>, Option<Time>, Instant);

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}

impl Gate {
    /// The gate of an engine's store. The directory keeps the secret that signs cookies.
    ///
    /// # Errors
    ///
    /// If the settings cannot be used or the store not be read.
    pub fn new(
        config: &Config,
        engine: Arc<Engine>,
        directory: Option<&Path>,
        is_dev: bool,
    ) -> anyhow::Result<Gate> {
        let access = &config.access;
        let has_key = engine.store().any_api_key().context("cannot read the keys")?;
        Ok(Gate {
            has_key: AtomicBool::new(has_key),
            is_exposed: !config.server.listen.ip().is_loopback(),
            is_dev,
            server_key: access.server_api_key.as_ref().map(|secret| key::hash(secret.reveal())),
            plugins: plugin_tokens(config)?,
            tokens: Tokens::new(access)?,
            sessions: Sessions::new(directory, access.session_time.0)?,
            limits: Limits::new(access),
            sign_ins: SignIns::default(),
            audit: AuditLog::new(engine.store().clone()),
            known: RwLock::default(),
            changes: watch::Sender::new(0),
            local: Caller {
                principal: Arc::new(Principal::local()),
                session: Some("local".into()),
            },
            engine,
        })
    }

    /// The same, where whoever works on this machine may look and change nothing.
    pub fn only_to_look(mut self) -> Gate {
        let principal = Principal { role: Role::Viewer, ..Principal::local() };
        self.local.principal = Arc::new(principal);
        self
    }

    /// Whether there is any credential that would let somebody in.
    pub fn has_credentials(&self) -> bool {
        self.has_key.load(Ordering::Acquire) || self.server_key.is_some() || self.tokens.is_some()
    }

    /// Whether this machine's own callers are let in without a key.
    pub fn is_open(&self) -> bool {
        !self.is_exposed && !self.has_credentials()
    }

    /// Whoever comes without a credential while nobody asks for one.
    pub fn local(&self) -> Option<Caller> {
        self.is_open().then(|| self.local.clone())
    }

    /// Who shows a key or token.
    ///
    /// # Errors
    ///
    /// `unauthenticated` if it is not, or no longer, good; `unavailable` if nobody can tell now.
    pub async fn by_secret(&self, secret: &str) -> Result<Caller, Problem> {
        // Both sides are hashes: how long comparing them takes tells nothing about the key.
        let hash = key::hash(secret);
        if self.server_key.as_ref() == Some(&hash) {
            return Ok(Caller::new(self.server_principal()));
        }
        if secret.starts_with(key::PREFIX) {
            let principal = self.by_hash(&hash).await?;
            return Ok(Caller { principal, session: None });
        }
        match &self.tokens {
            Some(tokens) if secret.matches('.').count() == 2 => {
                tokens.principal(secret).await.map(Caller::new)
            }
            _ => Err(refused("the key is not known here")),
        }
    }

    /// The worker of a plugin, by its token.
    pub fn by_plugin_token(&self, secret: &str) -> Option<Caller> {
        let hash = key::hash(secret);
        let found = self.plugins.iter().find(|one| one.hash == hash)?;
        Some(Caller::new(Principal {
            name: format!("plugin:{}", found.plugin),
            role: Role::Worker,
            scopes: None,
            project: PROJECT.to_owned(),
            proof: Proof::Plugin(found.plugin.clone()),
        }))
    }

    /// The token of a plugin whose worker the server starts.
    pub fn plugin_token(&self, plugin: &str) -> Option<&Secret> {
        self.plugins.iter().find(|one| one.plugin == plugin).map(|one| &one.token)
    }

    fn server_principal(&self) -> Principal {
        Principal {
            name: "key:SERVER_API_KEY".to_owned(),
            role: Role::Admin,
            scopes: None,
            project: PROJECT.to_owned(),
            proof: Proof::ServerKey,
        }
    }

    /// Who has the key of this hash.
    async fn by_hash(&self, hash: &str) -> Result<Arc<Principal>, Problem> {
        let known = self.known.read().get(hash).cloned();
        if let Some((principal, expires_at, seen)) = known
            && seen.elapsed() < KNOWN_FOR
        {
            return self.if_in_time(principal, expires_at);
        }
        let (store, wanted) = (self.engine.store().clone(), hash.to_owned());
        let row = tokio::task::spawn_blocking(move || store.api_key_by_hash(&wanted))
            .await
            .map_err(|error| Problem::new(problem::INTERNAL, error.to_string()))??;
        let Some(row) = row.filter(|row| row.revoked_at.is_none()) else {
            self.known.write().remove(hash);
            return Err(refused("the key is not known here, or was taken back"));
        };
        let expires_at = row.expires_at;
        let principal = Arc::new(principal_of(row)?);
        let mut all = self.known.write();
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        all.insert(hash.to_owned(), (principal.clone(), expires_at, Instant::now()));
        drop(all);
        self.if_in_time(principal, expires_at)
    }

    fn if_in_time(
        &self,
        principal: Arc<Principal>,
        expires_at: Option<Time>,
    ) -> Result<Arc<Principal>, Problem> {
        match expires_at.filter(|end| *end <= self.engine.clock().now()) {
            Some(end) => Err(refused(format!("the key was good until {end}"))),
            None => Ok(principal),
        }
    }

    /// Who has the session of a cookie.
    ///
    /// # Errors
    ///
    /// `unauthenticated` if it is over, or what it stands on is.
    pub async fn by_cookie(&self, cookie: &str) -> Result<Caller, Problem> {
        let session = self.sessions.open(cookie, self.engine.clock().now());
        let session = session.ok_or_else(|| refused("the session is over"))?;
        let principal = match session.proof {
            session::Stands::Key(hash) => self.by_hash(&hash).await?,
            session::Stands::ServerKey(mark) => {
                let is_same = self
                    .server_key
                    .as_ref()
                    .is_some_and(|hash| self.sessions.mark_of(hash) == mark);
                match is_same {
                    true => Arc::new(self.server_principal()),
                    false => return Err(refused("the server's key has changed")),
                }
            }
            session::Stands::Dev if self.is_dev => Arc::new(Principal {
                name: "dev".to_owned(),
                proof: Proof::Dev,
                ..Principal::local()
            }),
            session::Stands::Dev => return Err(refused("this is no `windlass dev`")),
            session::Stands::Token { name, role, project, end, settings } => {
                let is_same = self
                    .tokens
                    .as_ref()
                    .is_some_and(|tokens| self.sessions.mark_of(&tokens.settings) == settings);
                if !is_same {
                    return Err(refused("what tokens are checked by has changed"));
                }
                let proof = Proof::Token(Time::from_micros(end));
                Arc::new(Principal { name, role, scopes: None, project, proof })
            }
        };
        Ok(Caller { principal, session: Some(session.nonce.into()) })
    }

    /// A session for who has shown a key.
    ///
    /// # Errors
    ///
    /// `unauthenticated` if the caller is one that cannot have any.
    pub fn session_for(&self, principal: &Principal) -> Result<String, Problem> {
        let stands = match &principal.proof {
            Proof::Key(hash) => session::Stands::Key(hash.clone()),
            Proof::ServerKey => {
                let hash = self.server_key.as_deref().unwrap_or_default();
                session::Stands::ServerKey(self.sessions.mark_of(hash))
            }
            Proof::Dev => session::Stands::Dev,
            Proof::Token(end) => session::Stands::Token {
                name: principal.name.clone(),
                role: principal.role,
                project: principal.project.clone(),
                end: end.micros(),
                settings: self
                    .tokens
                    .as_ref()
                    .map(|tokens| self.sessions.mark_of(&tokens.settings))
                    .unwrap_or_default(),
            },
            Proof::Local | Proof::Plugin(_) => return Err(refused("sign in with a key")),
        };
        self.sessions.seal(stands, self.engine.clock().now()).map_err(|_| no_random())
    }

    /// Makes a key and keeps its hash. The key itself is only in the answer.
    ///
    /// # Errors
    ///
    /// If it cannot be kept.
    pub async fn create(&self, mut row: ApiKeyRow) -> Result<(String, ApiKeyRow), Problem> {
        let secret = key::generate().map_err(|_| no_random())?;
        row.hash = key::hash(&secret);
        row.prefix = key::shown(&secret);
        let (store, kept) = (self.engine.store().clone(), row.clone());
        tokio::task::spawn_blocking(move || store.create_api_key(&kept))
            .await
            .map_err(|error| Problem::new(problem::INTERNAL, error.to_string()))??;
        self.has_key.store(true, Ordering::Release);
        self.changed();
        Ok((secret, row))
    }

    /// What is known is asked for anew, and streams look whether they may go on.
    pub fn changed(&self) {
        self.known.write().clear();
        self.changes.send_modify(|count| *count += 1);
    }

    /// Waits until a caller may no longer be here: their key is taken back or has run out.
    pub async fn until_out(&self, caller: &Caller) {
        /// A key may also be taken back by somebody who opened the database.
        const LOOK_AGAIN: Duration = Duration::from_secs(5);
        let mut changes = self.changes.subscribe();
        loop {
            let is_good = match &caller.principal.proof {
                Proof::Local => caller.session.is_none() || self.is_open(),
                Proof::ServerKey | Proof::Dev | Proof::Plugin(_) => true,
                Proof::Token(end) => *end > self.engine.clock().now(),
                // That nobody can tell now is no reason to hang up.
                Proof::Key(hash) => !matches!(
                    self.by_hash(hash).await,
                    Err(problem) if problem.code == problem::UNAUTHENTICATED
                ),
            };
            if !is_good {
                return;
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
        }
    }
}

fn plugin_tokens(config: &Config) -> anyhow::Result<Vec<PluginToken>> {
    let children = config.plugins.iter().filter(|(_, section)| section.command.is_some());
    let token = |(plugin, _): (&String, _)| {
        let token =
            key::generate().map_err(|_| anyhow::anyhow!("the system has no random bytes"))?;
        let hash = key::hash(&token);
        Ok(PluginToken { plugin: plugin.clone(), token: Secret::from(token.as_str()), hash })
    };
    children.map(token).collect()
}

fn principal_of(row: ApiKeyRow) -> Result<Principal, Problem> {
    // A role of a later version is none that this one could grant anything for.
    let role = Role::parse(&row.role)
        .ok_or_else(|| refused(format!("the key has the role `{}`, unknown here", row.role)))?;
    // Likewise a scope: what is unknown grants nothing.
    let scopes = row.scopes.map(|words| {
        words.iter().filter_map(|word| Permission::parse(word)).collect::<Vec<Permission>>()
    });
    Ok(Principal {
        name: format!("key:{}", row.name),
        role,
        scopes,
        project: row.project,
        proof: Proof::Key(row.hash),
    })
}

pub(super) fn refused(detail: impl Into<String>) -> Problem {
    Problem::new(problem::UNAUTHENTICATED, detail)
}

fn no_random() -> Problem {
    Problem::new(problem::UNAVAILABLE, "the system has no random bytes to give")
}
