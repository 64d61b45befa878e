//! Tokens (JWT) that another system signs: with a shared secret, or with one of the keys of a JWKS.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use parking_lot::{Mutex, RwLock};
use serde::Deserialize;
use windlass_core::Time;

use super::gate::refused;
use super::key;
use super::principal::{Principal, Proof};
use super::role::Role;
use super::verify;
use crate::app::PROJECT;
use crate::config::AccessSection;
use crate::http::problem::Problem;

/// The longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// How far the clocks of two machines may differ, in seconds.
const LEEWAY_SECS: u64 = 30;
/// How often the keys of a JWKS are read at most, however many tokens name unknown ones.
const READ_AGAIN: Duration = Duration::from_secs(30);
/// How long reading them may take.
const READ_TIME_MAX: Duration = Duration::from_secs(5);
/// The largest JWKS, in bytes.
const JWKS_BYTES_MAX: usize = 1024 * 1024;
/// Algorithms by which others sign with a key of a JWKS. None takes a shared secret, so a public key
/// cannot be passed off as one.
const BY_KEY: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Checks tokens.
pub struct Tokens {
    secret: Option<(DecodingKey, Algorithm)>,
    jwks: Option<Jwks>,
    issuer: Option<String>,
    audience: Option<String>,
    /// A hash of what tokens are checked by. A session that one of them has given ends when that
    /// changes.
    pub(super) settings: String,
}

struct Jwks {
    place: Place,
    keys: RwLock<JwkSet>,
    read_at: Mutex<Option<Instant>>,
}

enum Place {
    File(PathBuf),
    Url(reqwest::Client, String),
}

/// What a token says.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    role: String,
    #[serde(default)]
    project: Option<String>,
    exp: u64,
}

impl Tokens {
    /// By the settings; `None` if they name neither a secret nor keys.
    ///
    /// # Errors
    ///
    /// If the keys are in a file that cannot be read.
    pub fn new(access: &AccessSection) -> anyhow::Result<Option<Tokens>> {
        if access.jwt_secret.is_none() && access.jwks.is_none() {
            return Ok(None);
        }
        verify::install();
        let secret = access.jwt_secret.as_ref().map(|secret| {
            let key = DecodingKey::from_secret(secret.reveal().as_bytes());
            (key, access.algorithm().unwrap_or(Algorithm::HS256))
        });
        let jwks = access.jwks.as_deref().map(Jwks::new).transpose()?;
        let secret_text = access.jwt_secret.as_ref().map(|secret| secret.reveal());
        let settings = (secret_text, &access.jwks, &access.jwt_issuer, &access.jwt_audience);
        Ok(Some(Tokens {
            settings: key::hash(&format!("{settings:?}")),
            secret,
            jwks,
            issuer: access.jwt_issuer.clone(),
            audience: access.jwt_audience.clone(),
        }))
    }

    /// Whose token this is.
    ///
    /// # Errors
    ///
    /// `unauthenticated`, with what is wrong with it.
    pub async fn principal(&self, token: &str) -> Result<Principal, Problem> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(refused("the token is too long"));
        }
        let header = decode_header(token).map_err(|_| refused("the token cannot be read"))?;
        let claims = match &self.secret {
            Some((key, algorithm)) if header.alg == *algorithm => {
                self.claims(token, key, *algorithm)
            }
            _ => match &self.jwks {
                Some(jwks) if BY_KEY.contains(&header.alg) => {
                    let key = jwks.key(header.kid.as_deref()).await?;
                    self.claims(token, &key, header.alg)
                }
                _ => Err(refused("the token is signed by an algorithm that is not taken here")),
            },
        }?;
        let role = Role::parse(&claims.role)
            .ok_or_else(|| refused(format!("the token's role `{:.40}` is none", claims.role)))?;
        if claims.sub.is_empty() || claims.sub.len() > 200 {
            return Err(refused("the token's `sub` has 1 to 200 bytes"));
        }
        let expires_at =
            i64::try_from(claims.exp).ok().and_then(|secs| secs.checked_mul(1_000_000));
        Ok(Principal {
            name: format!("token:{}", claims.sub),
            role,
            scopes: None,
            project: claims.project.unwrap_or_else(|| PROJECT.to_owned()),
            proof: Proof::Token(Time::from_micros(expires_at.unwrap_or(i64::MAX))),
        })
    }

    fn claims(
        &self,
        token: &str,
        key: &DecodingKey,
        algorithm: Algorithm,
    ) -> Result<Claims, Problem> {
        use jsonwebtoken::errors::ErrorKind;
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECS;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "sub"]);
        match &self.audience {
            Some(audience) => validation.set_audience(&[audience]),
            None => validation.validate_aud = false,
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
        }
        let decoded = decode::<Claims>(token, key, &validation);
        decoded.map(|data| data.claims).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => refused("the token has expired"),
            ErrorKind::ImmatureSignature => refused("the token is not good yet"),
            ErrorKind::InvalidAudience => refused("the token is for another audience"),
            ErrorKind::InvalidIssuer => refused("the token is from another issuer"),
            ErrorKind::MissingRequiredClaim(claim) => {
                refused(format!("the token has no `{claim}`"))
            }
            ErrorKind::Json(_) => refused("the token needs the claims `sub`, `role` and `exp`"),
            _ => refused("the token's signature is not good"),
        })
    }
}

impl Jwks {
    fn new(place: &str) -> anyhow::Result<Jwks> {
        let empty = JwkSet { keys: Vec::new() };
        if place.starts_with("http://") || place.starts_with("https://") {
            crate::client::install_tls();
            let client = reqwest::Client::builder().timeout(READ_TIME_MAX).build()?;
            let place = Place::Url(client, place.to_owned());
            return Ok(Jwks { place, keys: RwLock::new(empty), read_at: Mutex::new(None) });
        }
        let path = PathBuf::from(place);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{place}`"))?;
        let keys =
            serde_json::from_slice(&bytes).with_context(|| format!("`{place}` is no JWKS"))?;
        let place = Place::File(path);
        Ok(Jwks { place, keys: RwLock::new(keys), read_at: Mutex::new(Some(Instant::now())) })
    }

    /// The key of an id; the only one there is, if a token names none.
    async fn key(&self, kid: Option<&str>) -> Result<DecodingKey, Problem> {
        if let Some(key) = self.at_hand(kid) {
            return key;
        }
        // An issuer that changes its keys signs with one that is not known yet.
        let is_due = {
            let mut read_at = self.read_at.lock();
            let is_due = read_at.is_none_or(|at| at.elapsed() >= READ_AGAIN);
            if is_due {
                *read_at = Some(Instant::now());
            }
            is_due
        };
        if is_due {
            match self.read().await {
                Ok(keys) => *self.keys.write() = keys,
                Err(error) => tracing::warn!(error = %format!("{error:#}"), "no JWKS"),
            }
        }
        self.at_hand(kid).unwrap_or_else(|| Err(refused("the token's key is not known here")))
    }

    fn at_hand(&self, kid: Option<&str>) -> Option<Result<DecodingKey, Problem>> {
        let keys = self.keys.read();
        let found = match kid {
            Some(kid) => keys.find(kid),
            None => keys.keys.first().filter(|_| keys.keys.len() == 1),
        }?;
        Some(DecodingKey::from_jwk(found).map_err(|_| refused("the token's key cannot be used")))
    }

    async fn read(&self) -> anyhow::Result<JwkSet> {
        let bytes = match &self.place {
            Place::File(path) => std::fs::read(path)?,
            Place::Url(client, url) => {
                let mut response = client.get(url).send().await?.error_for_status()?;
                let mut bytes = Vec::new();
                while let Some(chunk) = response.chunk().await? {
                    if bytes.len() + chunk.len() > JWKS_BYTES_MAX {
                        return Err(anyhow!("the JWKS has more than {JWKS_BYTES_MAX} bytes"));
                    }
                    bytes.extend_from_slice(&chunk);
                }
                bytes
            }
        };
        Ok(serde_json::from_slice(&bytes)?)
    }
}
