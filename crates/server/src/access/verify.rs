//! The cryptography of tokens, by ring, which TLS brings along anyway.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::{hmac, signature as algorithms};
use signature::{Error, Verifier};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Chooses it for this process. That it is chosen already is fine.
pub(super) fn install() {
    let _ = PROVIDER.install_default();
}

/// Nothing here signs tokens.
fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

struct ByRing {
    algorithm: Algorithm,
    key: DecodingKey,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    // A public key is no secret that one could sign with: the families must be the same.
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(ByRing { algorithm: *algorithm, key: key.clone() }))
}

impl JwtVerifier for ByRing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for ByRing {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> std::result::Result<(), Error> {
        let is_good = match self.algorithm {
            Algorithm::HS256 => self.by_secret(hmac::HMAC_SHA256, message, tag),
            Algorithm::HS384 => self.by_secret(hmac::HMAC_SHA384, message, tag),
            Algorithm::HS512 => self.by_secret(hmac::HMAC_SHA512, message, tag),
            Algorithm::RS256 => self.by_rsa(&algorithms::RSA_PKCS1_2048_8192_SHA256, message, tag),
            Algorithm::RS384 => self.by_rsa(&algorithms::RSA_PKCS1_2048_8192_SHA384, message, tag),
            Algorithm::RS512 => self.by_rsa(&algorithms::RSA_PKCS1_2048_8192_SHA512, message, tag),
            Algorithm::PS256 => self.by_rsa(&algorithms::RSA_PSS_2048_8192_SHA256, message, tag),
            Algorithm::PS384 => self.by_rsa(&algorithms::RSA_PSS_2048_8192_SHA384, message, tag),
            Algorithm::PS512 => self.by_rsa(&algorithms::RSA_PSS_2048_8192_SHA512, message, tag),
            Algorithm::ES256 => self.by_key(&algorithms::ECDSA_P256_SHA256_FIXED, message, tag),
            Algorithm::ES384 => self.by_key(&algorithms::ECDSA_P384_SHA384_FIXED, message, tag),
            Algorithm::EdDSA => self.by_key(&algorithms::ED25519, message, tag),
            _ => false,
        };
        if is_good { Ok(()) } else { Err(Error::new()) }
    }
}

impl ByRing {
    fn bytes(&self) -> Option<&[u8]> {
        self.key.try_get_as_bytes().ok()
    }

    fn by_secret(&self, algorithm: hmac::Algorithm, message: &[u8], tag: &[u8]) -> bool {
        self.bytes().is_some_and(|secret| {
            hmac::verify(&hmac::Key::new(algorithm, secret), message, tag).is_ok()
        })
    }

    fn by_rsa(
        &self,
        parameters: &'static algorithms::RsaParameters,
        message: &[u8],
        tag: &[u8],
    ) -> bool {
        match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                let key = algorithms::RsaPublicKeyComponents { n, e };
                key.verify(parameters, message, tag).is_ok()
            }
            DecodingKeyKind::SecretOrDer(_) => self.by_key(parameters, message, tag),
        }
    }

    fn by_key(
        &self,
        algorithm: &'static dyn algorithms::VerificationAlgorithm,
        message: &[u8],
        tag: &[u8],
    ) -> bool {
        self.bytes().is_some_and(|key| {
            algorithms::UnparsedPublicKey::new(algorithm, key).verify(message, tag).is_ok()
        })
    }
}
