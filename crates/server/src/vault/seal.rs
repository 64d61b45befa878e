//! Sealing: AES-256-GCM with a random nonce, bound to the place of the secret, so that a row that is
//! put in the place of another one does not open.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;

/// Where a secret belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) project: &'a str,
    pub(super) name: &'a str,
}

impl Place<'_> {
    fn aad(self) -> Aad<Vec<u8>> {
        // Neither may hold a NUL, so no two places read the same.
        Aad::from(format!("windlass\0{}\0{}", self.project, self.name).into_bytes())
    }
}

/// A key to seal with.
pub(super) struct SealingKey {
    /// What rows call it: the beginning of a hash of it.
    pub(super) id: String,
    key: LessSafeKey,
}

impl SealingKey {
    /// A key of these bytes.
    pub(super) fn new(bytes: &[u8; KEY_BYTES]) -> SealingKey {
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("the key has the length of its kind");
        let hash = digest(&SHA256, &[b"windlass key ".as_slice(), bytes].concat());
        let id = hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        SealingKey { id, key: LessSafeKey::new(key) }
    }

    /// The bytes that a text stands for, in base64 or hexadecimal.
    ///
    /// # Errors
    ///
    /// If they are not 32.
    pub(super) fn parse(text: &str) -> Result<SealingKey, String> {
        let text = text.trim();
        let hex = || {
            let digits = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2));
            digits.map(|two| u8::from_str_radix(two?, 16).ok()).collect::<Option<Vec<u8>>>()
        };
        let bytes = if text.len() == 2 * KEY_BYTES { hex() } else { STANDARD.decode(text).ok() };
        let bytes: Option<[u8; KEY_BYTES]> = bytes.and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or("a key is 32 bytes in base64 or hexadecimal")?;
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err("the key is no random one".to_owned());
        }
        Ok(SealingKey::new(&bytes))
    }

    /// A text that only this key opens, and only at this place.
    pub(super) fn seal(&self, place: &Place<'_>, text: &str) -> Result<String, String> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| "the system gives no random bytes")?;
        let mut bytes = text.as_bytes().to_vec();
        let sealing = Nonce::assume_unique_for_key(nonce);
        let sealed = self.key.seal_in_place_append_tag(sealing, place.aad(), &mut bytes);
        sealed.map_err(|_| "it cannot be sealed")?;
        Ok(STANDARD.encode([nonce.as_slice(), &bytes].concat()))
    }

    /// What was sealed.
    pub(super) fn open(&self, place: &Place<'_>, sealed: &str) -> Result<String, String> {
        let broken = || "it is not as it was sealed".to_owned();
        let mut bytes = STANDARD.decode(sealed).map_err(|_| broken())?;
        if bytes.len() < NONCE_LEN {
            return Err(broken());
        }
        let mut sealed = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| broken())?;
        let opened = self.key.open_in_place(nonce, place.aad(), &mut sealed);
        let opened = opened.map_err(|_| broken())?;
        String::from_utf8(opened.to_vec()).map_err(|_| broken())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place<'a>(project: &'a str, name: &'a str) -> Place<'a> {
        Place { project, name }
    }

    #[test]
    fn only_the_same_key_opens_it_and_only_in_its_place() {
        let (key, other) = (SealingKey::new(&[1; 32]), SealingKey::new(&[2; 32]));
        let sealed = key.seal(&place("a", "token"), "s3cret").unwrap();
        assert_eq!(key.open(&place("a", "token"), &sealed).as_deref(), Ok("s3cret"));
        assert!(other.open(&place("a", "token"), &sealed).is_err());
        assert!(key.open(&place("b", "token"), &sealed).is_err(), "a row moved elsewhere");
        assert!(key.open(&place("a", "pin"), &sealed).is_err());
        assert!(key.open(&place("a", "token"), &sealed[4..]).is_err());
        assert!(key.open(&place("a", "token"), "").is_err());
        let again = key.seal(&place("a", "token"), "s3cret").unwrap();
        assert_ne!(sealed, again, "nobody sees that two are the same");
        assert_ne!(key.id, other.id);
    }

    #[test]
    fn a_key_is_written_in_two_ways() {
        let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let bytes: Vec<u8> = (0..32).collect();
        let base64 = STANDARD.encode(&bytes);
        let id = |text: &str| SealingKey::parse(text).map(|key| key.id);
        assert_eq!(id(&format!("{hex}\n")), id(&base64));
        for bad in ["", "short", &hex[2..], &"0".repeat(64), &"zz".repeat(32)] {
            assert!(id(bad).is_err(), "{bad}");
        }
    }
}
