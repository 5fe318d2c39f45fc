//! Keyed hashes, which only the deployment can compute: for names that must be the same in every container, and that nobody
//! may find out or predict by guessing.
//!
//! The key fills a whole block of the hash, so that it is processed once. No digest is ever shown whole, which rules out
//! length extension, so nothing more is needed of a message authentication code.

use sha2::{Digest, Sha256};
use std::sync::OnceLock;

/// The hash with its key taken in.
static KEYED: OnceLock<Keyed> = OnceLock::new();

/// A hash with its key taken in.
struct Keyed(Sha256);

impl Keyed {
    fn with(secret: &[u8]) -> Keyed {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&Sha256::digest(secret));
        Keyed(Sha256::new().chain_update(block))
    }

    /// The purpose keeps the hashes of one text for two purposes apart.
    fn hash(&self, purpose: &str, text: impl AsRef<[u8]>) -> u128 {
        let digest = self.0.clone().chain_update(purpose).chain_update([0]).chain_update(text).finalize();
        digest.iter().take(16).fold(0, |hash, byte| hash << 8 | u128::from(*byte))
    }
}

/// Goes by this key from now on. Before, as in a test, by one of this process's own.
pub(crate) fn init(secret: &str) {
    KEYED.get_or_init(|| Keyed::with(secret.as_bytes()));
}

pub(crate) fn hash(purpose: &str, text: impl AsRef<[u8]>) -> u128 {
    KEYED.get_or_init(|| Keyed::with(&fastrand::u128(..).to_le_bytes())).hash(purpose, text)
}

/// What stands for a cache key in the log: 64 bits.
pub(crate) fn in_log(key: &str) -> String {
    format!("{:016x}", hash("log", key) >> 64)
}

/// A name for what `text` names, the same in every container, which nobody can tell who knows the text alone.
pub fn name(text: &str) -> String {
    format!("{:032x}", hash("name", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_depends_on_secret_purpose_and_text() {
        let hash = |secret: &str, purpose: &str, text: &str| Keyed::with(secret.as_bytes()).hash(purpose, text);
        let one = hash("a", "log", "k");
        assert_eq!(one, hash("a", "log", "k"));
        for other in [hash("b", "log", "k"), hash("", "log", "k"), hash("a", "name", "k"), hash("a", "log", "l")] {
            assert_ne!(one, other);
        }
    }
}
