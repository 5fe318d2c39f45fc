//! What stands in Redis under the name of a copy: one string, which one command reads and whose head scripts look at.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | mark, 0xc1, which no UTF-8 text has |
//! | 1 | flags: the levels that the PUT named (1, 2, 4); 16, a share follows the head; 32, the end of its value's life follows |
//! | 8 | version |
//! | 10 | the as-of position: ms (6), number (4) |
//! | 6 | when that was certified (ms) |
//! | 5 | reads by the fleet |
//! | 6 | when it was last read (ms); 0 for never |
//! | 2 | bytes of its tags |
//! | 4 | bytes of its envelope; 0 of a tombstone |
//! | 29 | share: name of the API key in whose stock it is (16), the second till which it counts (5), bytes (4), bytes of indexes (4) |
//! | 6 | when its value expires (ms), where the copy is kept beyond that |
//! | n | tags, a line feed before and after each; nothing without tags |
//! | rest | envelope |
//!
//! Numbers begin with their greatest byte: versions and positions sort byte by byte. The tags stand there once more than in
//! the envelope, whose header scripts cannot read.

use super::{Found, Life, WriteCopy};
use crate::{
    level::Levels,
    redis::{Down, link::read, meaning::Meaning},
    version::{Position, Version},
};
use bytes::Bytes;
use redis::Value;

const MARK: u8 = 0xc1;
const HAS_SHARE: u8 = 16;
const HAS_END: u8 = 32;
/// Bytes before the share.
pub(super) const HEAD_BYTES: usize = 43;
const SHARE_BYTES: usize = 29;
const END_BYTES: usize = 6;
/// Bytes of a copy up to the end of its share.
pub(super) const MOST_OF_SHARE: usize = HEAD_BYTES + SHARE_BYTES;
/// Bytes of a share before the second till which it counts.
const NAME_BYTES: usize = 16;
/// How much may stand before an envelope: with 50 tags of 128 bytes, 6,529 bytes.
const MOST_BEFORE: usize = 8 << 10;
/// Greatest length of an envelope that a head can tell.
const MOST_ENVELOPE: usize = u32::MAX as usize;
/// Greatest number in 6 bytes.
const MOST_MS: u64 = (1 << 48) - 1;

/// In whose stock a copy is.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::redis) struct WrittenShare {
    /// What stands for the API key, in bytes.
    pub name: [u8; NAME_BYTES],
    /// The second till which it counts.
    pub till: u64,
    pub bytes: u64,
    pub index_bytes: u64,
}

/// A copy as far as it was read.
pub(in crate::redis) struct Beginning {
    /// Bytes of its envelope, also of what was not read; 0 of a tombstone.
    pub envelope_bytes: usize,
    pub share: Option<WrittenShare>,
    /// The copy, with so much of the envelope as was read.
    pub found: Found,
}

/// A version as scripts compare it.
pub(super) fn version(version: Version) -> [u8; 8] {
    version.0.to_be_bytes()
}

/// Reads what [`version`] made; `None` for anything else.
pub(super) fn to_version(bytes: &[u8]) -> Option<Version> {
    Some(Version(u64::from_be_bytes(bytes.try_into().ok()?)))
}

/// A position as scripts compare it. One with a number beyond 32 bits becomes one before it.
pub(super) fn as_of_bytes(at: Position) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[..6].copy_from_slice(&ms(at.ms));
    bytes[6..].copy_from_slice(&u32::try_from(at.seq).unwrap_or(u32::MAX).to_be_bytes());
    bytes
}

/// Reads what [`as_of_bytes`] made.
pub(super) fn to_position(bytes: &[u8]) -> Option<Position> {
    let (ms, seq) = bytes.split_at_checked(6)?;
    (seq.len() == 4).then(|| Position { ms: number(ms), seq: number(seq) })
}

fn ms(ms: u64) -> [u8; 6] {
    *ms.min(MOST_MS).to_be_bytes().last_chunk().expect("6 of 8 bytes")
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn small(bytes: &[u8]) -> usize {
    usize::try_from(number(bytes)).expect("at most 32 bits")
}

/// The head of a copy that nobody has read.
pub(super) fn head(copy: &WriteCopy<'_>, tags: &str) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[0] = MARK;
    head[1] = copy.levels.bits() | copy.life.ends_ms().map_or(0, |_| HAS_END);
    head[2..10].copy_from_slice(&version(copy.version));
    head[10..20].copy_from_slice(&as_of_bytes(copy.as_of));
    head[20..26].copy_from_slice(&ms(u64::try_from(copy.certified_ms).unwrap_or_default()));
    let tag_bytes = u16::try_from(tags.len()).expect("an entry has at most 50 tags of 128 bytes");
    head[37..39].copy_from_slice(&tag_bytes.to_be_bytes());
    let envelope_bytes = u32::try_from(copy.envelope.len()).expect("an envelope is far below 4 GiB");
    head[39..43].copy_from_slice(&envelope_bytes.to_be_bytes());
    head
}

/// When the value of a copy expires that is kept beyond that; nothing of any other.
pub(super) fn ends(life: Life) -> Vec<u8> {
    life.ends_ms().map(|ends_ms| ms(u64::try_from(ends_ms).unwrap_or_default()).to_vec()).unwrap_or_default()
}

/// How much of a copy is to be read so that tags of so many bytes are whole.
pub(super) const fn most_of_tags(tag_bytes: usize) -> usize {
    HEAD_BYTES + SHARE_BYTES + END_BYTES + tag_bytes
}

/// The version of a copy that has exactly these tags, by its beginning, and the levels that its PUT named.
pub(super) fn with_tags(text: &[u8], tags: &str) -> Option<(Version, Levels)> {
    let head: &[u8; HEAD_BYTES] = text.first_chunk()?;
    let share_bytes = if head[1] & HAS_SHARE != 0 { SHARE_BYTES } else { 0 };
    let end_bytes = if head[1] & HAS_END != 0 { END_BYTES } else { 0 };
    let behind = text.get(HEAD_BYTES + share_bytes + end_bytes..)?;
    let has_them = small(&head[37..39]) == tags.len() && behind.starts_with(tags.as_bytes());
    let is_copy = head[0] == MARK && number(&head[39..43]) > 0;
    Some((to_version(&head[2..10])?, Levels::from_bits(head[1]))).filter(|_| has_them && is_copy)
}

/// How much of a copy is to be read so that an envelope of so many bytes is whole.
pub(super) fn most_of(envelope_bytes: usize) -> usize {
    MOST_BEFORE + envelope_bytes.min(MOST_ENVELOPE)
}

impl Beginning {
    /// Reads the beginning of what has the name of a copy; `None` where that is nothing, or no copy.
    pub(in crate::redis) fn of(text: Bytes) -> Option<Beginning> {
        let head: &[u8; HEAD_BYTES] = text.first_chunk()?;
        if head[0] != MARK {
            return None;
        }
        let in_head = |from: usize, to: usize| number(&head[from..to]);
        let has_share = head[1] & HAS_SHARE != 0;
        let behind_head = &text[HEAD_BYTES..];
        let share = if has_share { behind_head.first_chunk::<SHARE_BYTES>().map(WrittenShare::of) } else { None };
        let share_bytes = if has_share { SHARE_BYTES } else { 0 };
        let end_bytes = if head[1] & HAS_END != 0 { END_BYTES } else { 0 };
        let begins_at = HEAD_BYTES + share_bytes + end_bytes + small(&head[37..39]);
        let envelope_bytes = small(&head[39..43]);
        let envelope = text.slice(begins_at.min(text.len())..);
        let found = Found {
            version: to_version(&head[2..10])?,
            as_of: to_position(&head[10..20])?,
            certified_ms: in_head(20, 26).cast_signed(),
            reads: in_head(26, 31),
            last_read_ms: in_head(31, 37).cast_signed(),
            envelope,
        };
        (found.envelope.len() <= envelope_bytes).then_some(Beginning { envelope_bytes, share, found })
    }
}

impl WrittenShare {
    fn of(bytes: &[u8; SHARE_BYTES]) -> WrittenShare {
        let (name, numbers) = bytes.split_first_chunk().expect("a share is longer than a name");
        let [till, bytes, index_bytes] = [&numbers[..5], &numbers[5..9], &numbers[9..]].map(number);
        WrittenShare { name: *name, till, bytes, index_bytes }
    }
}

/// Reads the reply to a command that reads a string from its beginning: nothing where there is none, or something else has
/// its name.
pub(super) fn text(reply: Value) -> Result<Bytes, Down> {
    if Meaning::of_reply(&reply) == Some(Meaning::WrongType) {
        return Ok(Bytes::new());
    }
    read::<Option<Vec<u8>>>(reply, "a copy").map(|text| text.map(Bytes::from).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::source_of_truth::Expected;

    fn copy(envelope: &[u8]) -> WriteCopy<'_> {
        WriteCopy {
            key: "k",
            version: Version(u64::MAX - 7),
            as_of: Position { ms: 1_700_000_000_000, seq: 9 },
            certified_ms: 1_700_000_000_001,
            life: Life::until(5, 5),
            envelope,
            tags: &[],
            levels: Levels::ALL,
            distrusted: None,
            expected: Expected::Anything,
            share: None,
            room: None,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let tags = "\na\nb\n";
        let written = [&head(&copy(b"envelope"), tags)[..], tags.as_bytes(), b"envelope"].concat();
        let read = Beginning::of(written.clone().into()).unwrap();
        assert_eq!((&read.found.envelope[..], read.envelope_bytes, read.share), (&b"envelope"[..], 8, None));
        let Found { version, as_of, certified_ms, reads, last_read_ms, .. } = read.found;
        assert_eq!((version, as_of), (Version(u64::MAX - 7), Position { ms: 1_700_000_000_000, seq: 9 }));
        assert_eq!((certified_ms, reads, last_read_ms), (1_700_000_000_001, 0, 0));
        let beginning = Beginning::of(written[..written.len() - 3].to_vec().into()).unwrap();
        assert_eq!((&beginning.found.envelope[..], beginning.envelope_bytes), (&b"envel"[..], 8));
        assert!(
            Beginning::of(written[..HEAD_BYTES].to_vec().into()).is_some_and(|read| read.found.envelope.is_empty())
        );
        assert!(Beginning::of([&written[..], b"more"].concat().into()).is_none(), "no copy has more than it says");
        for odd in [&b""[..], b"no copy", &written[..HEAD_BYTES - 1], &[0; 100]] {
            assert!(Beginning::of(odd.to_vec().into()).is_none(), "{odd:?}");
        }
    }

    #[test]
    fn a_share_stands_before_the_tags() {
        let mut written = head(&copy(b"e"), "").to_vec();
        written[1] |= HAS_SHARE;
        written.extend([7; NAME_BYTES]);
        written.extend([0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
        written.extend(b"e");
        let read = Beginning::of(written.into()).unwrap();
        let share = WrittenShare { name: [7; NAME_BYTES], till: 256, bytes: 2, index_bytes: 3 };
        assert_eq!((&read.found.envelope[..], read.share), (&b"e"[..], Some(share)));
    }

    #[test]
    fn the_end_of_a_life_stands_there_where_the_copy_is_kept_beyond_it() {
        let kept = WriteCopy { life: Life::until(5, 6), ..copy(b"e") };
        assert_eq!((ends(kept.life), ends(Life::until(5, 5))), (vec![0, 0, 0, 0, 0, 5], vec![]));
        let written = [&head(&kept, "")[..], &ends(kept.life), b"e"].concat();
        assert_eq!(&Beginning::of(written.into()).unwrap().found.envelope[..], b"e");
    }

    #[test]
    fn the_version_of_a_copy_is_told_by_its_tags() {
        let tags = "\na\nb\n";
        let known = Some((Version(u64::MAX - 7), Levels::ALL));
        let kept = WriteCopy { life: Life::until(5, 6), ..copy(b"envelope") };
        let mut with_share = head(&kept, tags).to_vec();
        with_share[1] |= HAS_SHARE;
        with_share.extend([7; SHARE_BYTES]);
        with_share.extend(ends(kept.life));
        for beginning in [head(&copy(b"envelope"), tags).to_vec(), with_share] {
            let written = [&beginning[..], tags.as_bytes(), b"envelope"].concat();
            let read = &written[..written.len().min(most_of_tags(tags.len()))];
            assert_eq!(with_tags(read, tags), known);
            for others in ["\na\n", "\nb\na\n", "\na\nb\nc\n", ""] {
                assert_eq!(with_tags(&written, others), None, "{others:?}");
            }
            assert_eq!(with_tags(&written[..beginning.len() + 2], tags), None, "cut off");
        }
        let tombstone = [&head(&copy(b""), tags)[..], tags.as_bytes()].concat();
        assert_eq!((with_tags(&tombstone, tags), with_tags(b"no copy", tags)), (None, None));
    }

    #[test]
    fn no_bound_is_a_number_that_redis_takes() {
        assert!(i64::try_from(most_of(usize::MAX)).is_ok_and(|bytes| bytes > 0));
    }

    #[test]
    fn bytes_sort_like_what_they_stand_for() {
        let at = |ms, seq| Position { ms, seq };
        let rising = [Position::ZERO, at(0, 1), at(255, u64::from(u32::MAX)), at(256, 0), at(1 << 40, 0)];
        assert!(rising.is_sorted_by(|a, b| a < b && as_of_bytes(*a) < as_of_bytes(*b)));
        assert!(rising.iter().all(|position| to_position(&as_of_bytes(*position)) == Some(*position)));
        assert_eq!(to_position(&as_of_bytes(at(1, 1 << 40))), Some(at(1, u64::from(u32::MAX))), "one before it");
        assert!(version(Version(255)) < version(Version(256)));
        assert_eq!(to_version(&version(Version(3))), Some(Version(3)));
    }
}
