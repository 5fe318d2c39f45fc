//! What rows and index rows are made of, and how that is read.

use super::{Item, number, text, text_of};
use crate::{
    planted::{Bug, planted},
    shard::shard,
    version::Version,
};
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use std::sync::Arc;

/// How long a tombstone or a marker stays at least, in seconds: far longer than any operation lives.
pub(super) const KEEP_SECONDS: i64 = 3600;
/// Largest envelope kept in the row itself. An item has at most 400 KiB with its names, its key (512 bytes) and the
/// tags inside the envelope.
pub(super) const INLINE_BYTES: usize = 390_000;
/// The attribute that says whose claim a row is.
pub(super) const CLAIM: &str = "claim";
/// The attribute that says the name of the chunks and index rows of a value, where that is not its own version.
pub(super) const PARTS: &str = "parts";
/// The partition of the [bulletin](super::Bulletin). The release before kept its notes there as well.
pub(super) const BULLETIN: &str = "note";
/// Stands between key and name in the sort key of an index row; no key has a control character.
pub(super) const SEPARATOR: char = '\u{1}';

/// The key of a row in the table.
pub(super) fn row_key(key: &str) -> Item {
    Item::from([("pk".to_owned(), partition(key)), ("sk".to_owned(), text(key))])
}

pub(super) fn partition(key: &str) -> AttributeValue {
    text(partition_name(shard(key)))
}

pub(super) fn partition_name(shard: u64) -> String {
    format!("e#{shard:x}")
}

/// The row of a key that is gone. It is newer than what it takes the place of.
pub(super) fn tombstone(key: &str, version: Version, now_ms: i64) -> Item {
    let version = if planted(Bug::TombstoneWithoutVersion) { Version::ZERO } else { version };
    Item::from([
        ("pk".to_owned(), partition(key)),
        ("sk".to_owned(), text(key)),
        ("version".to_owned(), number(version.0)),
        ("kind".to_owned(), text("gone")),
        ("ttl".to_owned(), number(now_ms / 1000 + KEEP_SECONDS)),
    ])
}

/// The tags of a row.
pub(super) fn tags_of(item: &Item) -> Vec<String> {
    let tags = item.get("tags").and_then(|tags| tags.as_l().ok());
    tags.into_iter().flatten().filter_map(|tag| tag.as_s().ok().cloned()).collect()
}

/// In whose stock the value of a row is in L2.
pub(super) fn owner_of(item: &Item) -> Option<Arc<str>> {
    text_of(item, "owner").map(Arc::from)
}

pub(super) fn inline_body(mut item: Item) -> Option<Bytes> {
    match item.remove("body") {
        Some(AttributeValue::B(body)) => Some(body.into_inner().into()),
        _ => None,
    }
}

pub(super) fn tag_partition(shard: u64, tag: &str) -> String {
    format!("t#{shard:x}#{tag}")
}

pub(super) fn index_key(key: &str, name: Version, tag: &str) -> Item {
    Item::from([
        ("pk".to_owned(), text(tag_partition(shard(key), tag))),
        ("sk".to_owned(), text(format!("{key}{SEPARATOR}{}", name.sortable()))),
    ])
}

/// Tags as an attribute of a row.
pub(super) fn tags_attribute(tags: &[Arc<str>]) -> AttributeValue {
    AttributeValue::L(tags.iter().map(|tag| text(&**tag)).collect())
}

/// Whether a row is a claim.
pub(super) fn is_claim(item: &Item) -> bool {
    item.contains_key(CLAIM)
}
