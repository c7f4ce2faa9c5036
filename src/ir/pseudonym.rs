//! Pseudonyms: a value that is not told, as a text that stands for it everywhere.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The length of a block of SHA-256 in bytes.
const BLOCK: usize = 64;

/// The secret of pseudonyms, as HMAC takes it: filled up with zeros to a block, or hashed first if it is
/// longer. It is never shown.
///
/// A pseudonym is the HMAC-SHA-256 of a text, of which the first 16 bytes are written as 32 hexadecimal
/// digits: `hmac.new(secret, text, "sha256").hexdigest()[:32]` in Python. Two of a thousand million texts have
/// the same one with a probability of about 10⁻²¹.
///
/// Expressions hold it, so it is small: the block stands apart and lives as long as the process, which has one key for
/// each pipeline that it reads.
///
/// Reference: Krawczyk, H., Bellare, M., Canetti, R. (1997), RFC 2104.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PseudonymKey(&'static [u8; BLOCK]);

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(***)")
    }
}

impl PseudonymKey {
    /// The key of a secret.
    pub fn new(secret: &str) -> Self {
        let mut block = [0; BLOCK];
        let hashed = Sha256::digest(secret);
        let bytes = if secret.len() > BLOCK { hashed.as_slice() } else { secret.as_bytes() };
        block[..bytes.len()].copy_from_slice(bytes);
        PseudonymKey(Box::leak(Box::new(block)))
    }

    /// What makes the pseudonym of a text: 32 lower-case hexadecimal digits.
    pub fn maker(&self) -> impl Fn(&str) -> String + use<> {
        let keyed = Hmac::<Sha256>::new_from_slice(self.0).expect("HMAC takes keys of any length");
        move |text| {
            let mut hash = keyed.clone();
            hash.update(text.as_bytes());
            let bytes = hash.finalize().into_bytes();
            bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test cases 1 and 2 of RFC 4231, and a key longer than a block by Python's `hmac`.
    #[test]
    fn pseudonyms_are_hmac_sha_256() {
        let check = |secret: &str, text: &str, expected: &str| {
            assert_eq!(PseudonymKey::new(secret).maker()(text), expected);
        };
        let short = "\u{b}".repeat(20);
        check(&short, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b");
        check("Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c7");
        check(&"k".repeat(100), "long", "4dd3092b43746ec0be32cb349f06ef7c");
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = PseudonymKey::new("a secret that is not told");
        assert_eq!(format!("{key:?}"), "PseudonymKey(***)");
    }
}
