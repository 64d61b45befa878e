//! Sessions of pages: a signed cookie that stands on a key, and a token in every form that no other
//! site can read.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use windlass_core::Time;

use super::key::random;
use super::role::Role;

/// The cookie.
const COOKIE: &str = "windlass_session";
/// The file in the data directory with the secret. It is not in the database, so who has a copy of
/// that cannot make sessions.
const FILE: &str = "session.key";

/// Signs and reads cookies.
#[derive(Debug)]
pub struct Sessions {
    secret: hmac::Key,
    /// How long a session lasts.
    time: Duration,
}

/// A session.
#[derive(Debug, Serialize, Deserialize)]
pub struct Session {
    /// What it stands on.
    #[serde(rename = "p")]
    pub proof: Stands,
    /// What tells it from others.
    #[serde(rename = "n")]
    pub nonce: String,
    /// When it ends, in microseconds since 1970.
    #[serde(rename = "e")]
    expires_at: i64,
}

/// What a session stands on. It ends with it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// The key of this hash.
    Key(String),
    /// The key in the settings, by its mark.
    ServerKey(String),
    /// That this is `windlass dev`.
    Dev,
    /// What a token said. Its session ends when the token would have.
    Token {
        /// Who.
        name: String,
        /// What they are.
        role: Role,
        /// The project they see and change.
        project: String,
        /// When the token ends, in microseconds since 1970.
        end: i64,
        /// What it was checked by, by its mark.
        settings: String,
    },
}

impl Sessions {
    /// With the secret of a data directory, which is made if there is none; without a directory,
    /// with one of this process.
    ///
    /// # Errors
    ///
    /// If the secret can neither be read nor made.
    pub fn new(directory: Option<&Path>, time: Duration) -> anyhow::Result<Sessions> {
        let no_random = |_| anyhow::anyhow!("the system has no random bytes to give");
        let secret = match directory {
            Some(directory) => {
                let path = directory.join(FILE);
                match std::fs::read(&path) {
                    Ok(secret) if secret.len() == 32 => secret,
                    _ => {
                        let secret = random::<32>().map_err(no_random)?.to_vec();
                        write_private(&path, &secret)
                            .with_context(|| format!("cannot write `{}`", path.display()))?;
                        secret
                    }
                }
            }
            None => random::<32>().map_err(no_random)?.to_vec(),
        };
        Ok(Sessions { secret: hmac::Key::new(hmac::HMAC_SHA256, &secret), time })
    }

    /// The cookie of a new session.
    pub(super) fn seal(
        &self,
        proof: Stands,
        now: Time,
    ) -> Result<String, ring::error::Unspecified> {
        let nonce = BASE64_URL_SAFE_NO_PAD.encode(random::<16>()?);
        let mut expires_at = now.plus(self.time).micros();
        if let Stands::Token { end, .. } = &proof {
            expires_at = expires_at.min(*end);
        }
        let session = Session { proof, nonce, expires_at };
        let body = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&session).unwrap_or_default());
        let tag = self.sign("session", &body);
        Ok(format!("{body}.{tag}"))
    }

    /// The session of a cookie, if we made it and it is not over.
    pub(super) fn open(&self, cookie: &str, now: Time) -> Option<Session> {
        let (body, tag) = cookie.split_once('.')?;
        if !self.is_signed("session", body, tag) {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(body).ok()?;
        let session: Session = serde_json::from_slice(&bytes).ok()?;
        (session.expires_at > now.micros()).then_some(session)
    }

    /// A mark of a key that says nothing about it.
    pub(super) fn mark_of(&self, hash: &str) -> String {
        self.sign("mark", hash)
    }

    /// The token for the forms of a session.
    pub fn form_token(&self, nonce: &str) -> String {
        self.sign("form", nonce)
    }

    /// Whether a token is that of a session.
    pub fn is_form_token(&self, nonce: &str, token: &str) -> bool {
        self.is_signed("form", nonce, token)
    }

    fn sign(&self, what: &str, text: &str) -> String {
        let tag = hmac::sign(&self.secret, format!("{what}:{text}").as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(tag)
    }

    fn is_signed(&self, what: &str, text: &str, tag: &str) -> bool {
        let Ok(tag) = BASE64_URL_SAFE_NO_PAD.decode(tag) else { return false };
        hmac::verify(&self.secret, format!("{what}:{text}").as_bytes(), &tag).is_ok()
    }

    /// The `Set-Cookie` of a session. Browsers send it back to pages that are reached by a link, but
    /// never with what another site posts.
    pub fn set_cookie(&self, cookie: &str, is_secure: bool) -> HeaderValue {
        let age = self.time.as_secs();
        header_value(&format!("{COOKIE}={cookie}; Path=/; Max-Age={age}"), is_secure)
    }

    /// The `Set-Cookie` that ends a session.
    pub fn clear_cookie(is_secure: bool) -> HeaderValue {
        header_value(&format!("{COOKIE}=; Path=/; Max-Age=0"), is_secure)
    }
}

fn header_value(text: &str, is_secure: bool) -> HeaderValue {
    let secure = if is_secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{text}; HttpOnly; SameSite=Lax{secure}"))
        .unwrap_or(HeaderValue::from_static(""))
}

/// The session's cookie of a request.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).map(str::trim);
    pairs.find_map(|pair| pair.strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Whether a proxy says that the browser came by TLS. Who lies about it only loses their cookie.
pub fn is_secure(headers: &HeaderMap) -> bool {
    let proto = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    proto.is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        Sessions::new(None, Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn a_cookie_is_only_good_as_it_was_made_and_in_time() {
        let (sessions, now) = (sessions(), Time::from_micros(1_000_000));
        let cookie = sessions.seal(Stands::Key("abc".into()), now).unwrap();
        assert!(sessions.open(&cookie, now).is_some());
        assert!(sessions.open(&cookie, now.plus(Duration::from_secs(61))).is_none());
        let (body, tag) = cookie.split_once('.').unwrap();
        let other = BASE64_URL_SAFE_NO_PAD.encode(r#"{"p":"dev","n":"","e":9000000000000000}"#);
        for forged in [format!("{other}.{tag}"), format!("{body}."), body.to_owned()] {
            assert!(sessions.open(&forged, now).is_none(), "{forged}");
        }
        let other = Sessions::new(None, Duration::from_secs(60)).unwrap();
        assert!(other.open(&cookie, now).is_none(), "another secret");
    }

    #[test]
    fn a_form_belongs_to_its_session() {
        let sessions = sessions();
        let token = sessions.form_token("a");
        assert!(sessions.is_form_token("a", &token));
        assert!(!sessions.is_form_token("b", &token));
        assert!(!sessions.is_form_token("a", ""));
    }

    #[test]
    fn the_secret_stays_and_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let make = || Sessions::new(Some(directory.path()), Duration::from_secs(60)).unwrap();
        let now = Time::from_micros(0);
        let cookie = make().seal(Stands::Dev, now).unwrap();
        assert!(make().open(&cookie, now).is_some());
        let file = std::fs::metadata(directory.path().join(FILE)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}
