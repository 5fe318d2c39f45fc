//! Versions order the mutations of one key; positions order the records of the journal.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Bits of a version that number the container; the rest are microseconds of Redis time.
const CONTAINER_BITS: u32 = 12;
/// Bits of a position in one word that number the records of a millisecond; the others do for 500 years.
const SEQ_BITS: u32 = 20;
const MOST_SEQ: u64 = (1 << SEQ_BITS) - 1;

/// Which mutation of a key a value comes from: Redis TIME in microseconds at its start, and a container number
/// that tells apart two that started in the same microsecond.
///
/// Where that time is behind a version that is known already, the version is one just above that: a hybrid logical
/// clock. No two mutations may ever have the same, because what belongs to a value is named after its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Version(pub u64);

impl Version {
    /// Lower than every version that is given out.
    pub const ZERO: Version = Version(0);

    /// The version of an operation that began at `micros` of Redis time in container number `container`.
    pub const fn at(micros: u64, container: u16) -> Version {
        Version((micros << CONTAINER_BITS) | (container as u64 & ((1 << CONTAINER_BITS) - 1)))
    }

    /// The smallest version that is greater.
    #[must_use]
    pub const fn next(self) -> Version {
        Version(self.0 + 1)
    }

    /// The microseconds of Redis time in it.
    pub const fn micros(self) -> u64 {
        self.0 >> CONTAINER_BITS
    }

    /// Twenty digits: sorts as text like the number does, which is how Lua scripts compare versions
    /// (a Lua number has 53 bits).
    pub fn sortable(self) -> String {
        format!("{:020}", self.0)
    }

    /// Reads what [`sortable`](Version::sortable) wrote.
    pub fn parse(text: &str) -> Option<Version> {
        text.parse().ok().map(Version)
    }
}

/// A position in the journal: the ID of a Redis Stream entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Milliseconds of Redis time when the record was appended.
    pub ms: u64,
    /// Number of the record within that millisecond.
    pub seq: u64,
}

impl Position {
    /// Before every record.
    pub const ZERO: Position = Position { ms: 0, seq: 0 };

    /// Reads a stream ID, or what [`sortable`](Position::sortable) wrote: zeros in front do not matter.
    pub fn parse(text: &str) -> Option<Position> {
        let (ms, seq) = text.split_once('-')?;
        Some(Position { ms: ms.parse().ok()?, seq: seq.parse().ok()? })
    }

    /// The same in one word, or a position before it where more records than [`MOST_SEQ`] share its millisecond.
    pub(crate) fn packed(self) -> u64 {
        self.ms << SEQ_BITS | self.seq.min(MOST_SEQ)
    }

    /// The same in one word, or a position after it where `packed` would be before it.
    pub(crate) fn packed_up(self) -> u64 {
        if self.seq > MOST_SEQ { (self.ms + 1) << SEQ_BITS } else { self.packed() }
    }

    /// What [`packed`](Position::packed) made a word of.
    pub(crate) const fn unpacked(word: u64) -> Position {
        Position { ms: word >> SEQ_BITS, seq: word & MOST_SEQ }
    }

    /// Fixed width: sorts as text like the position does.
    pub fn sortable(self) -> String {
        format!("{:015}-{:012}", self.ms, self.seq)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_sorts_like_the_number() {
        let low = Version::at(1_700_000_000_000_000, 4095);
        let high = Version::at(1_700_000_000_000_001, 0);
        assert!(low < high && low.sortable() < high.sortable());
        assert_eq!(Version::parse(&high.sortable()), Some(high));
        let (low, high) = (Position { ms: 9, seq: 10 }, Position { ms: 10, seq: 9 });
        assert!(low < high && low.sortable() < high.sortable());
        assert_eq!(Position::parse(&high.sortable()), Some(high));
        assert_eq!(Position::parse("10-9"), Some(high));
        assert_eq!(Position::parse("10"), None);
    }

    #[test]
    fn a_position_in_one_word_is_never_a_later_one() {
        let at = |ms, seq| Position { ms, seq };
        let now = 1_700_000_000_000;
        for exact in [Position::ZERO, at(now, 0), at(now, MOST_SEQ)] {
            assert_eq!(Position::unpacked(exact.packed()), exact);
        }
        assert_eq!(Position::unpacked(at(now, MOST_SEQ + 1).packed()), at(now, MOST_SEQ));
    }
}
