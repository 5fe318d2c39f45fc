//! L2: one string per entry, written by script only over what is older.

mod form;
mod life;
mod reads;
mod stock;
mod sweep;

pub(super) use form::Beginning;
pub(crate) use life::Life;
pub(crate) use reads::{size, with_tags};
pub(crate) use stock::{owner, share, stock};
pub(crate) use sweep::Slice;

use super::{Down, Keyspace, journal::Operation, link::read, scripts};
use crate::{
    coherence::FreshnessProof,
    key::Key,
    level::Levels,
    quota::{Share, Stock},
    selector::{KeyRange, Tagged},
    shard::{SHARDS, shard},
    source_of_truth::Expected,
    version::{Position, Version},
};
use bytes::Bytes;
use redis::{Cmd, Value, cmd};
use std::sync::Arc;

/// How long an L2 tombstone stays when L2 is the source of truth: 2T, by when every older operation has ended.
const TOMBSTONE_MS: u64 = 70_000;

/// Names copies and makes their commands.
#[derive(Debug)]
pub(crate) struct Copies {
    pub(super) keys: Keyspace,
    /// While L2 decides which value of a key is the newest (L3 is switched off): since which position. Copies from before
    /// do not exist.
    source_of_truth: Option<Position>,
}

/// A copy as it stands in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its envelope.
    pub envelope: Bytes,
    /// Which mutation it comes from.
    pub version: Version,
    /// The journal position at which L3 had that version.
    pub as_of: Position,
    /// When that was last confirmed, in ms by the clock of the container that did.
    pub certified_ms: i64,
    /// Reads of the value by the fleet.
    pub reads: u64,
    /// When it was last read, in ms; 0 for never.
    pub last_read_ms: i64,
}

/// A copy to write.
#[derive(Debug)]
pub(crate) struct WriteCopy<'a> {
    pub key: &'a str,
    pub version: Version,
    pub as_of: Position,
    pub certified_ms: i64,
    pub life: Life,
    pub envelope: &'a [u8],
    pub tags: &'a [Arc<str>],
    /// The levels its PUT named.
    pub levels: Levels,
    /// A distrusted copy that was seen and may be overwritten whatever its version.
    pub distrusted: Option<(Version, Position)>,
    /// What must stand there; used only when L2 is the source of truth.
    pub expected: Expected,
    /// Whose stock it is in; `None` for nobody's, or for that which a copy of this version is in already.
    pub share: Option<Share>,
    /// How much of that stock the shard may have; `None` for as much as there is. What finds no room is not written, and an
    /// older copy that stands in its place is removed.
    pub room: Option<Stock>,
}

/// What a write or a removal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub done: Done,
    /// Whether a live copy stood there before.
    pub was_live: bool,
    /// The levels its PUT named.
    pub named: Levels,
    /// The version that stood there before.
    pub before: Option<Version>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// The copy is written, or nothing older is left.
    Yes,
    /// A newer copy stands.
    Newer,
    /// The operation was too old to go on.
    Late,
    /// What was expected is not there.
    Unexpected,
    /// There was no room for the copy.
    Full,
}

/// Reads of one copy to add to its counter.
#[derive(Debug)]
pub(crate) struct Touch {
    pub key: Key,
    pub version: Version,
    pub reads: u64,
    pub last_ms: i64,
}

/// Which copies to remove.
#[derive(Debug, Default)]
pub(crate) struct Eviction<'a> {
    /// Those older than this; without a version none is removed, and it is only looked.
    pub version: Option<Version>,
    /// Those with these tags.
    pub tags: Tagged<'a>,
    /// Whether to say which tags they had.
    pub tell_tags: bool,
}

/// A live copy that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meant {
    pub version: Version,
    /// Its as-of position; `None` where it was removed before, by a command whose answer was lost.
    pub as_of: Option<Position>,
    /// Its tags, where they were asked for.
    pub tags: Vec<Arc<str>>,
}

/// A page of an index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    pub key_range: KeyRange<'a>,
    pub after: Option<&'a str>,
    /// Most keys of it.
    pub limit: usize,
}

/// Keys of one page of a removal. Evicting them holds Redis up for about a millisecond.
pub(crate) const PAGE_KEYS: usize = 500;

/// Tags as scripts read them: a line feed before and after each. No tag has a control character.
fn lines(tags: &[Arc<str>]) -> String {
    if tags.is_empty() { String::new() } else { format!("\n{}\n", tags.join("\n")) }
}

/// Where the members of an index that begin with `prefix` begin and end.
pub(super) fn range(prefix: &str) -> (Vec<u8>, Vec<u8>) {
    match prefix.as_bytes() {
        b"" => (b"-".to_vec(), b"+".to_vec()),
        // No byte of UTF-8 is 0xff, so every key that begins with the prefix sorts before it.
        prefix => ([b"[", prefix].concat(), [b"(", prefix, b"\xff"].concat()),
    }
}

impl Copies {
    pub(crate) fn new(keys: Keyspace, source_of_truth: Option<Position>) -> Copies {
        Copies { keys, source_of_truth }
    }

    /// The command that writes copies, at least one, and all of one shard.
    pub(crate) fn write(&self, operation: Operation, copies: &[WriteCopy<'_>]) -> Cmd {
        let shard = copies.first().map_or(0, |copy| shard(copy.key));
        let names = copies.iter().map(|copy| self.keys.copy(copy.key));
        let keys: Vec<String> = [self.keys.index(shard)].into_iter().chain(names).collect();
        let mut call = scripts::STORE.call(&keys);
        call.arg(operation.started_us).arg(operation.life_us).arg(self.since()).arg(self.keys.shard(shard));
        copies.iter().for_each(|copy| self.add(copy, &mut call));
        call
    }

    fn add(&self, copy: &WriteCopy<'_>, call: &mut Cmd) {
        let seen =
            copy.distrusted.map(|(version, as_of)| [&form::version(version)[..], &form::as_of_bytes(as_of)].concat());
        let expected = match copy.expected {
            // While L3 decides, what stands in L2 says nothing.
            _ if self.source_of_truth.is_none() => Vec::new(),
            Expected::Anything | Expected::Claim(_) => Vec::new(),
            Expected::Absent => b"none".to_vec(),
            Expected::Version(version) => form::version(version).to_vec(),
        };
        let tags = lines(copy.tags);
        call.arg(copy.life.kept_until_ms())
            .arg(copy.key)
            .arg(seen.unwrap_or_default())
            .arg(expected)
            .arg(copy.share.as_ref().map(stock::written).unwrap_or_default())
            .arg(copy.room.map(stock::bound).unwrap_or_default())
            .arg(&form::head(copy, &tags))
            .arg(form::ends(copy.life))
            .arg(tags)
            .arg(copy.envelope);
    }

    /// The command that removes every copy of `key` older than `version`.
    pub(crate) fn remove(&self, operation: Operation, key: &str, version: Version) -> Cmd {
        self.removal(operation, key, version, &[], self.source_of_truth.is_some())
    }

    /// The command that removes exactly the copy of that version and as-of position.
    pub(crate) fn undo(&self, operation: Operation, key: &str, version: Version, as_of: Position) -> Cmd {
        self.removal(operation, key, version, &form::as_of_bytes(as_of), false)
    }

    fn removal(&self, operation: Operation, key: &str, version: Version, exact: &[u8], tombstone: bool) -> Cmd {
        let mut call = scripts::REMOVE.call(&[self.keys.copy(key), self.keys.index(shard(key))]);
        call.arg(operation.started_us)
            .arg(operation.life_us)
            .arg(&form::version(version))
            .arg(key)
            .arg(exact)
            .arg(if tombstone { TOMBSTONE_MS.to_string() } else { String::new() })
            .arg(self.keys.shard(shard(key)))
            .arg(self.since());
        call
    }

    /// As scripts read it: empty while L3 decides.
    pub(super) fn since(&self) -> Vec<u8> {
        self.source_of_truth.map(|since| form::as_of_bytes(since).to_vec()).unwrap_or_default()
    }

    /// The command that reads the next keys of a shard which an invalidation may mean: at most `page.limit`, those
    /// after `after`. With a tag, of the keys that have it.
    pub(crate) fn page(&self, page: &Page<'_>) -> Cmd {
        let KeyRange { shard, tag, prefix, exact } = page.key_range;
        if let Some(tag) = tag {
            let mut read = scripts::PAGE.call(&[self.keys.index(shard)]);
            let after = page.after.unwrap_or_default();
            read.arg(self.keys.shard(shard)).arg(tag).arg(prefix).arg(after).arg(page.limit);
            return read;
        }
        let (first, last) = range(prefix);
        let from = page.after.map_or(first, |after| [b"(", after.as_bytes()].concat());
        let to = if exact { [b"[", prefix.as_bytes()].concat() } else { last };
        let mut read = cmd("ZRANGEBYLEX");
        read.arg(self.keys.index(shard)).arg(from).arg(to).arg("LIMIT").arg(0).arg(page.limit);
        read
    }

    /// The command that removes those of the copies of `keys`, all of one shard, that an eviction means.
    pub(crate) fn evict(&self, operation: Operation, shard: u64, eviction: &Eviction<'_>, keys: &[String]) -> Cmd {
        let Eviction { version, tags, tell_tags } = eviction;
        let mut call = scripts::EVICT.call(&[self.keys.index(shard)]);
        call.arg(operation.started_us)
            .arg(operation.life_us)
            .arg(version.map(|version| form::version(version).to_vec()).unwrap_or_default())
            .arg(u8::from(*tell_tags))
            .arg(if self.source_of_truth.is_some() { TOMBSTONE_MS.to_string() } else { String::new() })
            .arg(self.keys.shard(shard))
            .arg(lines(tags.any))
            .arg(self.since())
            .arg(lines(tags.all))
            .arg(lines(tags.none))
            .arg(keys);
        call
    }

    /// The commands that add reads to counters, one for each shard, with the touches each one carries.
    pub(crate) fn touch(&self, touches: Vec<Touch>) -> Vec<(Cmd, Vec<Touch>)> {
        let mut by_shard: Vec<Vec<Touch>> = (0..SHARDS).map(|_| Vec::new()).collect();
        for touch in touches {
            let shard = usize::try_from(shard(touch.key.as_str())).expect("a shard is a small number");
            by_shard[shard].push(touch);
        }
        by_shard.retain(|touches| !touches.is_empty());
        by_shard
            .into_iter()
            .map(|touches| {
                let keys: Vec<String> = touches.iter().map(|touch| self.keys.copy(touch.key.as_str())).collect();
                let mut call = scripts::TOUCH.call(&keys);
                for touch in &touches {
                    call.arg(&form::version(touch.version)).arg(touch.reads).arg(touch.last_ms);
                }
                (call, touches)
            })
            .collect()
    }
}

impl Found {
    /// What it rests on.
    pub(crate) fn certificate(&self) -> FreshnessProof {
        FreshnessProof { version: self.version, as_of: self.as_of, certified_ms: self.certified_ms }
    }
}

/// Reads the reply to [`Copies::page`]: the keys, in order.
pub(crate) fn keys(reply: Value) -> Result<Vec<String>, Down> {
    read(reply, "an index")
}

/// Reads the reply to [`Copies::evict`]: the live copy that was meant, for each key; `None` when the operation was too
/// old to go on.
pub(crate) fn evicted(reply: Value, keys: usize) -> Result<Option<Vec<Option<Meant>>>, Down> {
    let counter: Vec<Vec<u8>> = read(reply, "an eviction")?;
    Ok((counter.len() == keys).then(|| counter.iter().map(|counter| Meant::parse(counter)).collect()))
}

impl Meant {
    /// Reads a version, an as-of position, and the tags, each in a line of its own.
    fn parse(text: &[u8]) -> Option<Meant> {
        let (version, rest) = text.split_at_checked(8)?;
        let (as_of, tags) = rest.split_at_checked(10).unwrap_or_default();
        let tags = tags.split(|byte| *byte == b'\n').filter_map(|tag| std::str::from_utf8(tag).ok());
        let tags = tags.filter(|tag| !tag.is_empty()).map(Arc::from).collect();
        Some(Meant { version: form::to_version(version)?, as_of: form::to_position(as_of), tags })
    }
}

/// Reads the reply to one command of [`Copies::touch`]: the fleet's reads of each copy, or none where it is gone.
pub(crate) fn totals(reply: Value) -> Vec<Option<u64>> {
    let totals = read::<Vec<i64>>(reply, "totals").unwrap_or_default();
    totals.into_iter().map(|total| u64::try_from(total).ok()).collect()
}

impl Outcome {
    /// Reads the reply to [`Copies::remove`], [`Copies::undo`], and [`Copies::write`] of one copy.
    pub(crate) fn parse(reply: Value) -> Result<Outcome, Down> {
        match Outcome::parse_all(reply)?[..] {
            [outcome] => Ok(outcome),
            _ => Err(Down::Odd("the outcomes of a write")),
        }
    }

    /// Reads the reply to [`Copies::write`]: what it did for each copy.
    pub(crate) fn parse_all(reply: Value) -> Result<Vec<Outcome>, Down> {
        let raw: Vec<(i64, u8, Vec<u8>, u8)> = read(reply, "the outcomes of a write")?;
        raw.into_iter().map(Outcome::of).collect()
    }

    fn of((done, live, before, named): (i64, u8, Vec<u8>, u8)) -> Result<Outcome, Down> {
        let done = match done {
            1 => Done::Yes,
            0 => Done::Newer,
            -1 => Done::Late,
            -2 => Done::Unexpected,
            -3 => Done::Full,
            _ => return Err(Down::Odd("a write's outcome")),
        };
        Ok(Outcome { done, was_live: live == 1, named: Levels::from_bits(named), before: form::to_version(&before) })
    }
}
