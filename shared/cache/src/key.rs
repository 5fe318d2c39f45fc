//! Cache keys: opaque UTF-8 text that every level can hold as it is.

use std::{borrow::Borrow, fmt, sync::Arc};

/// Longest key in bytes. DynamoDB's sort key would hold 1,024; half of it leaves room for prefixes.
pub const MAX_KEY_BYTES: usize = 512;

/// A valid cache key: 1 to [`MAX_KEY_BYTES`] bytes of UTF-8 without control characters, never normalised.
///
/// Cloning shares the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// The text is empty.
    Empty,
    /// The text has this many bytes, which is over [`MAX_KEY_BYTES`].
    TooLong(usize),
    /// A control character stands at this byte.
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
            None => Ok(Key(text.into())),
        }
    }

    /// The text of the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
}
