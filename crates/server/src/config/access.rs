use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use windlass_core::HumanDuration;

use super::{Secret, within};

/// Who may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessSection {
    /// A key that is always good, with the role `admin` in the project `default`. `windlass key`
    /// makes better ones.
    pub server_api_key: Option<Secret>,
    /// The secret that tokens (JWT) are signed with.
    pub jwt_secret: Option<Secret>,
    /// How they are signed with it: `HS256`, `HS384` or `HS512`.
    pub jwt_algorithm: String,
    /// A file or URL with the public keys (JWKS) that tokens may be signed with.
    pub jwks: Option<String>,
    /// The `iss` that tokens must have. Left out: any.
    pub jwt_issuer: Option<String>,
    /// The `aud` that tokens must have. Left out: any.
    pub jwt_audience: Option<String>,
    /// How long somebody who has signed in to the pages stays so.
    pub session_time: HumanDuration,
    /// Requests a second that each principal may send. 0: as many as they like.
    pub requests_per_second: u64,
    /// How many of them may come at once. 0: as many as in a second.
    pub request_burst: u64,
}

impl Default for AccessSection {
    fn default() -> AccessSection {
        AccessSection {
            server_api_key: None,
            jwt_secret: None,
            jwt_algorithm: "HS256".to_owned(),
            jwks: None,
            jwt_issuer: None,
            jwt_audience: None,
            session_time: HumanDuration::from_secs(12 * 3_600),
            requests_per_second: 0,
            request_burst: 0,
        }
    }
}

impl AccessSection {
    /// How tokens are signed with the secret.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match self.jwt_algorithm.as_str() {
            "HS256" => Some(Algorithm::HS256),
            "HS384" => Some(Algorithm::HS384),
            "HS512" => Some(Algorithm::HS512),
            _ => None,
        }
    }

    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.algorithm().is_none() {
            let message = format!(
                "`{}` is none of HS256, HS384 and HS512; tokens by public keys need `access.jwks`",
                self.jwt_algorithm
            );
            found.push(("access.jwt_algorithm", message));
        }
        for (key, secret) in [
            ("access.server_api_key", &self.server_api_key),
            ("access.jwt_secret", &self.jwt_secret),
        ] {
            if secret.as_ref().is_some_and(|secret| secret.reveal().trim().len() < SECRET_BYTES_MIN)
            {
                let message = format!("a secret has {SECRET_BYTES_MIN} bytes at least");
                found.push((key, message));
            }
        }
        found.extend(within("access.requests_per_second", self.requests_per_second, 0..=1_000_000));
        found.extend(within("access.request_burst", self.request_burst, 0..=1_000_000));
        found
    }
}

/// Shorter secrets can be guessed by trying.
const SECRET_BYTES_MIN: usize = 8;
