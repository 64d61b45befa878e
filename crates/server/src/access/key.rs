//! Keys: random, shown once, kept as a hash.

use std::fmt::Write as _;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// What every key begins with, so that people and scanners know one when they see it.
pub const PREFIX: &str = "wl_";
/// Random bytes of a key.
const KEY_BYTES: usize = 32;
/// Characters of a key that lists show: its beginning, which tells keys apart and gives none away.
const SHOWN_LENGTH: usize = 9;

/// A new key.
///
/// # Errors
///
/// If the system has no random bytes to give.
pub fn generate() -> Result<String, ring::error::Unspecified> {
    Ok(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random::<KEY_BYTES>()?)))
}

/// Random bytes.
///
/// # Errors
///
/// If the system has none to give.
pub(super) fn random<const N: usize>() -> Result<[u8; N], ring::error::Unspecified> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(bytes)
}

/// The hash under which a key is kept. A key has 256 random bits, so it needs no salt and no slow
/// hash.
pub fn hash(key: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in digest(&SHA256, key.as_bytes()).as_ref() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// The beginning of a key, to know it by.
pub fn shown(key: &str) -> String {
    key.chars().take(SHOWN_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_256_random_bits_behind_their_prefix() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(one.strip_prefix(PREFIX).unwrap()).unwrap();
        assert_eq!(bytes.len() * 8, 256);
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
