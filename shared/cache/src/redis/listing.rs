//! What L2 says of copies and tags for a list.

use super::{
    Down,
    copies::{Copies, range},
    link::read,
    scripts,
};
use crate::{
    codec::{self, Described},
    version::{Position, Version},
};
use redis::{Cmd, Value};
use std::sync::Arc;

/// Up to so many keys of a shard and tag it is looked which of them have a copy still; of more their number is taken.
const FEW: usize = 16;

/// A tag of more than 59 bytes stands in the list of all by so many of its first bytes, or a little less so that no character
/// is cut, and by its hash behind [`BY_HASH`]. `lua/tags.lua` has the same figures.
const LISTED_BYTES: usize = 42;
const BY_HASH: char = '\u{1}';

/// What all tags that begin with `prefix` begin with in the list of all.
pub(crate) fn listed_prefix(prefix: &str) -> &str {
    &prefix[..prefix.floor_char_boundary(LISTED_BYTES)]
}

/// What a shard has of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagFound {
    pub entries: u64,
    /// Its text, where the list has it by its hash and a copy was found that tells it.
    pub text: Option<String>,
}

/// Whether a tag stands in the list by its hash.
pub(crate) fn is_by_hash(listed: &str) -> bool {
    listed.contains(BY_HASH)
}

/// What a copy says but for its value.
#[derive(Debug)]
pub(crate) struct Head {
    pub version: Version,
    pub as_of: Position,
    pub entry: Described,
}

impl Copies {
    /// The command that reads what the copies of `keys`, all of one shard, say but for their values.
    pub(crate) fn heads(&self, shard: u64, keys: &[&str]) -> Cmd {
        let mut call = scripts::HEADS.call(&[self.keys.index(shard)]);
        call.arg(self.keys.copies(shard)).arg(self.since()).arg(keys);
        call
    }

    /// The command that counts the keys of a shard that begin with one of `prefixes`, none of which begins with another,
    /// and have each of `tags`, which are given as they stand in the list of all.
    pub(crate) fn tagged(&self, shard: u64, prefixes: &[Arc<str>], tags: &[&str]) -> Cmd {
        let mut call = scripts::TAGGED.call(&[self.keys.index(shard)]);
        call.arg(self.keys.shard(shard)).arg(FEW).arg(prefixes.len());
        for (from, to) in prefixes.iter().map(|prefix| range(prefix)) {
            call.arg(from).arg(to);
        }
        call.arg(tags);
        call
    }
}

type RawHead = (String, String, Vec<u8>, usize);

/// Reads the reply to [`Copies::heads`]: for each key the head of its copy, if there is one that can be read; and the bytes
/// of all of them.
pub(crate) fn heads(reply: Value) -> Result<(Vec<Option<Head>>, usize), Down> {
    let raw: Vec<RawHead> = read(reply, "heads of copies")?;
    let bytes = raw.iter().map(|(_, _, _, bytes)| bytes).sum();
    Ok((raw.into_iter().map(Head::of).collect(), bytes))
}

/// Reads the reply to [`Copies::tagged`].
pub(crate) fn tags_found(reply: Value) -> Result<Vec<TagFound>, Down> {
    let (counts, texts): (Vec<u64>, Vec<String>) = read(reply, "counts of tags")?;
    let found = counts.into_iter().zip(texts);
    Ok(found.map(|(entries, text)| TagFound { entries, text: (!text.is_empty()).then_some(text) }).collect())
}

impl Head {
    fn of((version, as_of, head, _): RawHead) -> Option<Head> {
        let (version, as_of) = (Version::parse(&version)?, Position::parse(&as_of)?);
        Some(Head { version, as_of, entry: codec::describe(&head).ok()? })
    }
}
