//! How much of the fleet's mutations a caller has seen: every outcome has such a position, and a read can be told to return
//! nothing older.
//!
//! The position of a mutation, and of the value it stored, is that of its record in the journal: a container that has read
//! the journal that far returns nothing older. A mutation without a record (Redis could not be reached, or the operation has
//! not come that far) has only a time by which the record will be there; until then only the source of truth can be asked.
//!
//! A position never says how far a container has read the journal: that changes with everybody's writes, would cause syncs
//! for nothing, and would reveal when others write.

use crate::{coherence::OPERATION_LIFE, entry::Entry, version::Position};

/// How long after a mutation began the journal has it for sure, in ms: its operation has ended, or its outage note has been
/// found (Λ), and clocks that differ a little agree that it is so.
const RECORDED_MS: u64 = OPERATION_LIFE.as_millis() as u64 + 5_000;

/// What an operation knew of, or a read must know of. The default is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CachePosition {
    /// The journal up to here, as a word: the smallest that is not before it.
    journal: u64,
    /// Before this time, in ms since the Unix epoch, the journal may lack some of it.
    unrecorded_until_ms: u64,
}

impl CachePosition {
    /// The position of a caller that has seen nothing.
    pub const NOTHING: CachePosition = CachePosition { journal: 0, unrecorded_until_ms: 0 };
    /// Length of its bytes.
    pub const BYTES: usize = 16;

    /// What was recorded there.
    pub(crate) fn recorded(at: Position) -> CachePosition {
        CachePosition { journal: at.packed_up(), unrecorded_until_ms: 0 }
    }

    /// What has no record that is known, and happened at that time at the latest.
    pub(crate) fn unrecorded(at_ms: u64) -> CachePosition {
        CachePosition { journal: 0, unrecorded_until_ms: at_ms.saturating_add(RECORDED_MS) }
    }

    /// A value, of which it is known at most where it was recorded: as a word, and 0 where that is not known. Then it counts
    /// from when it was put, or got another life.
    pub(crate) fn of_value(entry: &Entry, recorded: u64) -> CachePosition {
        match recorded {
            0 => CachePosition::unrecorded(begun_ms(entry)),
            recorded => CachePosition { journal: recorded, unrecorded_until_ms: 0 },
        }
    }

    /// Whether it asks for nothing.
    pub fn is_nothing(&self) -> bool {
        *self == CachePosition::NOTHING
    }

    /// What both of them have seen.
    #[must_use]
    pub fn and(self, other: CachePosition) -> CachePosition {
        CachePosition {
            journal: self.journal.max(other.journal),
            unrecorded_until_ms: self.unrecorded_until_ms.max(other.unrecorded_until_ms),
        }
    }

    /// Whether who has read the journal up to `cursor` knows of all of it that is recorded.
    pub(crate) fn is_read_at(&self, cursor: Position) -> bool {
        self.journal <= cursor.packed()
    }

    /// Whether the journal may lack some of it for who has read that at `now_ms`.
    pub(crate) fn may_lack_record(&self, now_ms: u64) -> bool {
        now_ms < self.unrecorded_until_ms
    }

    /// Whether it is certain at `now_ms`, without the journal, that all of it is recorded since.
    pub(crate) fn is_over(&self, now_ms: u64) -> bool {
        let recorded_ms = Position::unpacked(self.journal).ms;
        now_ms >= self.unrecorded_until_ms && (self.journal == 0 || now_ms >= recorded_ms.saturating_add(RECORDED_MS))
    }

    /// It as bytes, which say nothing to others.
    pub fn to_bytes(&self) -> [u8; CachePosition::BYTES] {
        (u128::from(self.journal) << 64 | u128::from(self.unrecorded_until_ms)).to_be_bytes()
    }

    /// Reads what [`to_bytes`](CachePosition::to_bytes) wrote.
    #[expect(clippy::cast_possible_truncation, reason = "it is taken apart")]
    pub fn from_bytes(bytes: [u8; CachePosition::BYTES]) -> CachePosition {
        let both = u128::from_be_bytes(bytes);
        CachePosition { journal: (both >> 64) as u64, unrecorded_until_ms: both as u64 }
    }
}

/// Whether the record of a value is certainly in the journal, or never will be, for who has read it at `now_ms`.
pub(crate) fn is_over(entry: &Entry, now_ms: u64) -> bool {
    now_ms >= begun_ms(entry).saturating_add(RECORDED_MS)
}

/// When the mutation began that a value comes from, in ms. A PATCH has the version just above that of the value it keeps, and
/// is found out by the life it gives.
fn begun_ms(entry: &Entry) -> u64 {
    let ends_ms = entry.sliding.map_or(entry.expires_at_ms, |sliding| sliding.latest_ms);
    let lives_since_ms = ends_ms.saturating_sub(i64::from(entry.ttl_seconds) * 1000);
    (entry.version.micros() / 1000).max(u64::try_from(lives_since_ms).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Levels, Version, config::Format, sliding::Sliding};
    use std::sync::Arc;

    fn at(ms: u64, seq: u64) -> Position {
        Position { ms, seq }
    }

    fn entry(put_ms: u64, expires_at_ms: i64, sliding: Option<Sliding>) -> Entry {
        Entry {
            text: "1".into(),
            created_at_ms: 0,
            expires_at_ms,
            ttl_seconds: 10,
            grace_seconds: 0,
            sliding,
            tags: Arc::default(),
            levels: Levels::ALL,
            version: Version::at(put_ms * 1000, 1),
            checksum: 0,
            compression: None,
            stored_bytes: 1,
            format: Format::Bincode,
        }
    }

    #[test]
    fn it_comes_back_from_its_bytes() {
        let both = CachePosition::recorded(at(1_700_000_000_000, 3)).and(CachePosition::unrecorded(7));
        assert_eq!(CachePosition::from_bytes(both.to_bytes()), both);
        assert!(CachePosition::from_bytes([0; 16]).is_nothing() && !both.is_nothing());
    }

    #[test]
    fn who_has_read_up_to_the_record_knows_of_it() {
        let recorded = CachePosition::recorded(at(10, 2));
        assert!(!recorded.is_read_at(at(10, 1)) && recorded.is_read_at(at(10, 2)) && recorded.is_read_at(at(11, 0)));
        assert!(!recorded.may_lack_record(0));
        let later = recorded.and(CachePosition::recorded(at(11, 0)));
        assert!(!later.is_read_at(at(10, 2)) && later == later.and(recorded), "the greater of both counts");
        // As many records in a millisecond as no word can number: never said to be read too soon.
        let many = CachePosition::recorded(at(10, 1 << 20));
        assert!(
            !many.is_read_at(at(10, (1 << 20) - 1)) && !many.is_read_at(at(10, 1 << 21)) && many.is_read_at(at(11, 0))
        );
    }

    #[test]
    fn what_has_no_record_is_not_believed_to_be_read_for_a_time() {
        let unrecorded = CachePosition::unrecorded(1_000).and(CachePosition::recorded(at(5, 0)));
        assert!(unrecorded.is_read_at(at(5, 0)) && unrecorded.may_lack_record(40_999));
        assert!(!unrecorded.may_lack_record(41_000));
        assert!(!unrecorded.is_over(40_999) && unrecorded.is_over(41_000));
        let recorded = CachePosition::recorded(at(1_000, 0));
        assert!(!recorded.is_over(40_999) && recorded.is_over(41_000));
    }

    #[test]
    fn a_value_counts_from_when_it_was_put_or_got_another_life() {
        for (entry, begun_ms) in [
            (entry(50_000, 60_000, None), 50_000),
            (entry(50_000, 75_000, None), 65_000),
            (entry(50_000, 52_000, Some(Sliding { idle_seconds: 1, latest_ms: 61_000 })), 51_000),
            (entry(50_000, 0, None), 50_000),
        ] {
            assert_eq!(CachePosition::of_value(&entry, 0), CachePosition::unrecorded(begun_ms));
            assert!(!is_over(&entry, begun_ms + 39_999) && is_over(&entry, begun_ms + 40_000));
            assert_eq!(CachePosition::of_value(&entry, at(9, 1).packed_up()), CachePosition::recorded(at(9, 1)));
        }
    }
}
