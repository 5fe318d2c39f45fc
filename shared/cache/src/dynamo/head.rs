//! What a row says but for its value.

use super::{
    Item,
    client::Store,
    ends::ENDED_AT,
    floors::Floors,
    kept::BORN,
    number_of,
    row_state::{RowKind, RowState},
    rows::{Before, Content, Row},
    schema::PARTS,
    text_of,
};
use crate::{
    codec,
    level::{Level, Levels},
    stats::Kept,
    version::Version,
};
use bytes::Bytes;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Value,
    Stub,
    Gone,
}

/// For how long values are there, to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until they expire.
    Expiry,
    /// Until their grace is over as well.
    EndOfGrace,
}

/// What an item says but for its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub version: Version,
    pub(super) kind: Kind,
    pub(super) expires_at_ms: i64,
    /// When its grace is over; the same where it has none.
    pub(super) kept_until_ms: i64,
    /// When an invalidation made an end of the value's life; its row says that it expired at the beginning of time.
    pub(super) ended_at_ms: Option<i64>,
    /// Of its envelope.
    pub(super) bytes: u64,
    pub(super) chunks: usize,
    /// The name of its chunks and index rows: its own version, unless it was brought back, is kept, or says another.
    pub(super) parts: Version,
    /// Of a tombstone that keeps a value: the version of that.
    pub(super) born: Option<Version>,
    pub(super) levels: Levels,
    /// What stands there, whatever it counts for.
    pub(super) row_kind: RowKind,
}

impl Head {
    /// The same, or nothing where the row is from before its level was switched on again.
    pub(super) fn above(self, floors: Floors) -> Head {
        let floor = if self.kind == Kind::Stub { floors.l2.max(floors.l3) } else { floors.l3 };
        if self.version < floor { Head { kind: Kind::Gone, ..self } } else { self }
    }

    /// Whether the row holds a value that is live at `now_ms`.
    pub(crate) fn is_live(self, now_ms: i64) -> bool {
        self.kind == Kind::Value && !self.is_expired(now_ms)
    }

    /// Whether the row says that a value which is live at `now_ms` is in L2.
    pub(super) fn is_in_l2(self, now_ms: i64) -> bool {
        self.kind == Kind::Stub && !self.is_expired(now_ms) && self.levels.has(Level::L2)
    }

    /// Whether it is kept beyond its life.
    pub(super) fn has_grace(self) -> bool {
        self.kind == Kind::Value && self.kept_until_ms > self.expires_at_ms
    }

    /// The value that the row holds, live or not.
    pub(super) fn kept(self) -> Option<Kept> {
        (self.kind == Kind::Value).then_some(Kept { bytes: self.bytes, expires_at_ms: self.expires_at_ms })
    }

    /// What a mutation that replaces the row wants to know of it.
    pub(super) fn before(self, tags: Vec<Arc<str>>, now_ms: i64) -> Before {
        let kept = self.kind != Kind::Gone && !self.is_expired(now_ms);
        let named = if kept { self.levels } else { Levels::NONE };
        Before {
            version: self.version,
            tags,
            live: self.is_live(now_ms),
            named,
            kept: self.kept(),
            chunks: self.chunks,
            parts: self.parts,
            keeps_parts: false,
        }
    }

    pub(super) fn is_expired(self, now_ms: i64) -> bool {
        now_ms >= self.expires_at_ms
    }

    pub(super) fn is_over(self, until: Until, now_ms: i64) -> bool {
        match until {
            Until::Expiry => self.is_expired(now_ms),
            Until::EndOfGrace => now_ms >= self.kept_until_ms,
        }
    }

    pub(super) fn of(item: &Item) -> Head {
        let expires_at_ms = number_of(item, "expires_at").unwrap_or_default();
        let kind = match text_of(item, "kind") {
            Some("value") => Kind::Value,
            Some("elsewhere") => Kind::Stub,
            _ => Kind::Gone,
        };
        let version = Version(number_of(item, "version").unwrap_or_default());
        Head {
            version,
            parts: number_of(item, PARTS).map_or(version, Version),
            born: number_of(item, BORN).map(Version).filter(|_| kind == Kind::Gone),
            kind,
            row_kind: RowKind::of_row(kind, item),
            expires_at_ms,
            ended_at_ms: number_of(item, ENDED_AT),
            kept_until_ms: number_of(item, "kept_until").unwrap_or(expires_at_ms),
            bytes: number_of(item, "bytes").unwrap_or_default(),
            chunks: number_of(item, "chunks").unwrap_or_default(),
            levels: Levels::from_bits(number_of(item, "levels").unwrap_or_default()),
        }
    }

    /// An envelope that the row holds, as one of its version: what was brought back still says which one it had.
    pub(super) fn sealed(self, envelope: Bytes) -> Bytes {
        let sealed = match self.ended_at_ms {
            Some(ended_at_ms) => codec::made_stale(&envelope, self.version, (ended_at_ms, self.kept_until_ms)),
            None if self.parts == self.version => return envelope,
            None => codec::with_version(&envelope, self.version),
        };
        // What cannot be read is for its reader to find.
        sealed.unwrap_or(envelope)
    }

    pub(super) fn row(self, envelope: Option<Bytes>, owner: Option<Arc<str>>) -> Row {
        let content = match (self.kind, envelope.map(|envelope| self.sealed(envelope))) {
            (Kind::Value, Some(envelope)) => Content::Value { expires_at_ms: self.expires_at_ms, envelope },
            (Kind::Stub, _) => Content::Stub { expires_at_ms: self.expires_at_ms },
            _ => Content::Gone,
        };
        let state = RowState { version: self.version, kind: self.row_kind };
        Row { version: self.version, content, owner, state }
    }
}

impl Store {
    /// What an item says but for its body. A row from before its level was switched on again says that the key is gone.
    pub(super) fn head_of(&self, item: &Item) -> Head {
        Head::of(item).above(self.floors())
    }
}
