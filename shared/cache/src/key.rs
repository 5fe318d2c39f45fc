//! Cache keys: opaque UTF-8 text that every level can hold as it is.
//!
//! A key is looked up several times on its way through a request, in L1 and in the window of recent changes, so it is
//! hashed once, when it is made. Clients choose keys: the hash is SipHash with a seed of this process, so that nobody
//! can make keys collide.

use std::{
    cmp::Ordering,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher},
    sync::{Arc, LazyLock},
};

#[cfg(not(feature = "in-memory"))]
use std::hash::RandomState;

/// Longest key in bytes. DynamoDB's sort key would hold 1,024; half of it leaves room for prefixes.
pub const MAX_KEY_BYTES: usize = 512;

/// Where clients are the program's own tests, the same keys have the same hashes in every run.
#[cfg(feature = "in-memory")]
type RandomState = BuildHasherDefault<std::hash::DefaultHasher>;

/// What hashes the keys of this process.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// A valid cache key: 1 to [`MAX_KEY_BYTES`] bytes of UTF-8 without control characters, never normalised.
///
/// Cloning shares the text.
#[derive(Clone, Eq)]
pub struct Key {
    text: Arc<str>,
    hash: u64,
}

/// Why a text is not a valid key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// The text is empty.
    Empty,
    /// The text has this many bytes, which is over [`MAX_KEY_BYTES`].
    TooLong(usize),
    /// There is a control character at this byte offset.
    Control(usize),
}

impl Key {
    /// Checks `text` and makes it a key.
    pub fn new(text: impl Into<Arc<str>> + AsRef<str>) -> Result<Key, KeyError> {
        let bytes = text.as_ref();
        if bytes.is_empty() {
            return Err(KeyError::Empty);
        }
        if bytes.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLong(bytes.len()));
        }
        match bytes.char_indices().find(|(_, c)| c.is_control()) {
            Some((at, _)) => Err(KeyError::Control(at)),
            None => Ok(Key { hash: SEED.hash_one(bytes), text: text.into() }),
        }
    }

    /// The text of the key.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The hash of the text: the same throughout this process, and different in every other.
    pub(crate) fn seeded_hash(&self) -> u64 {
        self.hash
    }

    /// The key whose text that is: it was checked when it became one.
    pub(crate) fn again(text: &Arc<str>) -> Key {
        Key { hash: SEED.hash_one(&**text), text: Arc::clone(text) }
    }

    /// The text, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }
}

/// Takes the hash of a key as it is, for maps of keys and of their hashes.
#[derive(Debug, Default)]
pub(crate) struct KeyHasher(u64);

/// Makes such hashers.
pub(crate) type KeyHashing = BuildHasherDefault<KeyHasher>;

impl Hasher for KeyHasher {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only keys and their hashes are hashed");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.hash == other.hash && self.text == other.text
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Empty => write!(f, "must have at least 1 byte"),
            KeyError::TooLong(bytes) => {
                write!(f, "must have at most {MAX_KEY_BYTES} bytes of UTF-8, has {bytes}")
            }
            KeyError::Control(at) => write!(f, "must have no control character, has one at byte {at}"),
        }
    }
}

impl std::error::Error for KeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        assert_eq!(Key::new(""), Err(KeyError::Empty));
        assert!(Key::new("é".repeat(256)).is_ok());
        assert_eq!(Key::new("é".repeat(256) + "x"), Err(KeyError::TooLong(513)));
        assert_eq!(Key::new("a\nb"), Err(KeyError::Control(1)));
        assert_eq!(Key::new("ab\u{85}"), Err(KeyError::Control(2)));
        assert!(Key::new("a/b c%2F..?#😀").is_ok());
    }

    #[test]
    fn are_equal_and_hashed_and_sorted_by_their_texts() {
        let [a, again, b] = ["a", "a", "b"].map(|text| Key::new(text).expect("it is a key"));
        assert_eq!((&a, a.seeded_hash()), (&again, again.seeded_hash()));
        assert!(a != b && a.seeded_hash() != b.seeded_hash() && a < b);
        assert_ne!(a, Key { hash: a.hash, ..b.clone() }, "two texts may have one hash");
    }
}
