//! Filling what is missing: who loads a value, and what makes sure that it is not stored after something newer.
//!
//! A caller that misses a key and is granted the *lease* loads the value; others wait, or try again. The loaded value is
//! stored with the *token* of the miss, and only if nothing has touched the key since: no PUT, no DELETE, no invalidation.
//! The lease only saves loads. That nothing stale is stored rests on the token alone.

use crate::{
    dynamo::{RowKind, RowState},
    key::Key,
    version::{Position, Version},
};
use std::time::Duration;

/// Longest life of a lease, in seconds: for this long the journal is certain to remember every invalidation.
pub const MAX_LEASE_SECONDS: u32 = 60;
/// Longest time that a read waits for somebody else's fill, in seconds: less than a function's time limit.
pub const MAX_WAIT_SECONDS: u32 = 10;

/// How to read what may be missing.
#[derive(Debug, Clone)]
pub struct Lease {
    /// How long the value may take to be loaded and stored, in seconds, 1 to [`MAX_LEASE_SECONDS`].
    pub seconds: u32,
    /// How long to wait if somebody else is loading it, at most [`MAX_WAIT_SECONDS`]; zero for not at all.
    pub wait: Duration,
    /// The API key that the wait counts for; empty for none.
    pub api_key: String,
}

/// What the caller of a read that found nothing should do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fill {
    /// Load the value and store it with this token.
    Granted {
        /// For [`Put::fill`](crate::Put::fill).
        token: FillToken,
        /// For how long the token is valid, in seconds.
        expires_in: u32,
    },
    /// Somebody else is loading it: try again.
    Held {
        /// After this many seconds.
        retry_after: u32,
    },
    /// No lease can be had, because a level that is needed for it is switched off or unreachable.
    Unavailable,
}

/// The state of the key at a miss, so that a PUT can be refused if anything has touched the key since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillToken {
    /// The key, hashed.
    pub(crate) key: u128,
    /// Up to where the journal was known at the miss.
    pub(crate) since: Position,
    /// The epoch of the journal then.
    pub(crate) epoch: Position,
    /// The moment of the miss: what begins later is newer. The value that is stored has this version.
    pub(crate) version: Version,
    /// What stood in L3 then.
    pub(crate) seen: Option<RowState>,
    /// The lease's name.
    pub(crate) lease: u64,
    /// How long it lives.
    pub(crate) seconds: u32,
}

impl FillToken {
    /// Length of a token's bytes.
    pub const BYTES: usize = 16 + 16 + 16 + 8 + 1 + 8 + 8 + 4;

    /// The token as opaque bytes.
    pub fn to_bytes(&self) -> [u8; FillToken::BYTES] {
        let (kind, seen) = match self.seen {
            None => (0, Version::ZERO),
            Some(RowState { version, kind }) => (kind.number(), version),
        };
        let mut bytes = Vec::with_capacity(FillToken::BYTES);
        bytes.extend(self.key.to_be_bytes());
        for position in [self.since, self.epoch] {
            bytes.extend(position.ms.to_be_bytes());
            bytes.extend(position.seq.to_be_bytes());
        }
        bytes.extend(self.version.0.to_be_bytes());
        bytes.push(kind);
        bytes.extend(seen.0.to_be_bytes());
        bytes.extend(self.lease.to_be_bytes());
        bytes.extend(self.seconds.to_be_bytes());
        bytes.try_into().expect("the lengths are those of the parts")
    }

    /// Reads what [`to_bytes`](FillToken::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<FillToken> {
        let mut rest = Some(bytes).filter(|bytes| bytes.len() == FillToken::BYTES)?;
        let key = u128::from_be_bytes(take(&mut rest)?);
        let mut number = || Some(u64::from_be_bytes(take(&mut rest)?));
        let since = Position { ms: number()?, seq: number()? };
        let epoch = Position { ms: number()?, seq: number()? };
        let version = Version(number()?);
        let [kind] = take::<1>(&mut rest)?;
        let seen = Version(u64::from_be_bytes(take(&mut rest)?));
        let seen = match kind {
            0 => None,
            kind => Some(RowState { version: seen, kind: RowKind::of(kind)? }),
        };
        let lease = u64::from_be_bytes(take(&mut rest)?);
        let seconds = u32::from_be_bytes(take(&mut rest)?);
        Some(FillToken { key, since, epoch, version, seen, lease, seconds })
    }

    /// Whether it is from a miss of that key.
    pub fn is_of(&self, key: &Key) -> bool {
        self.key == hash(key)
    }
}

/// By what a token knows its key.
pub(crate) fn hash(key: &Key) -> u128 {
    xxhash_rust::xxh3::xxh3_128(key.as_str().as_bytes())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_bytes() {
        let key = Key::new("a").expect("it is a key");
        let seen = |kind| Some(RowState { version: Version(7), kind });
        let kinds = [RowKind::Value, RowKind::Stub, RowKind::Gone, RowKind::Claim];
        for seen in [None].into_iter().chain(kinds.map(seen)) {
            let at = |ms| Position { ms, seq: ms + 1 };
            let token = FillToken {
                key: hash(&key),
                since: at(1),
                epoch: at(3),
                version: Version(u64::MAX),
                seen,
                lease: 5,
                seconds: 60,
            };
            let bytes = token.to_bytes();
            assert_eq!(FillToken::from_bytes(&bytes), Some(token));
            assert!(token.is_of(&key) && !token.is_of(&Key::new("b").expect("it is a key")));
            assert_eq!(FillToken::from_bytes(&bytes[1..]), None);
        }
        let mut odd = [0; FillToken::BYTES];
        odd[56] = 9;
        assert_eq!(FillToken::from_bytes(&odd), None);
    }
}
