//! Texts from outside that are stored as they are, and not as JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// `text` without NUL characters: Postgres refuses them, and SQLite stops reading at one. Each
/// becomes the visible symbol `␀`. In JSON they are escapes and need no such care.
pub fn nul_safe(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{2400}")) } else { text.into() }
}

/// Makes each of these texts NUL-safe in its place.
pub(crate) fn make_safe<'a>(texts: impl IntoIterator<Item = &'a mut String>) {
    for text in texts {
        if let Cow::Owned(safe) = nul_safe(text) {
            *text = safe;
        }
    }
}

/// The SHA-256 of some bytes, hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_shown() {
        assert_eq!(nul_safe("a\0b"), "a␀b");
        assert!(matches!(nul_safe("ab"), Cow::Borrowed("ab")));
    }
}
