//! Index rows of tags, and what it takes not to write them again with every PUT.
//!
//! An index row has a *name*: that of the PUT that wrote it, which its row says as `parts`. Whatever keeps the tags of a
//! value keeps the name, and the index rows stay as they are. So:
//!
//! - A name has one list of tags for ever, and no row that was replaced comes back: its index rows are dropped by whoever
//!   has put a row of another name, or a tombstone that keeps nothing, in its place; and by a writer that was refused, of
//!   its own name, unless that is the name that stands. What is left over misleads nobody, for no row has its name, and
//!   goes with the table's time to live.
//! - Index rows are written before their row, and live for as long again as its value: until `parts_until`. What keeps
//!   the tags may live that long.
//! - A name is never greater than the version of its value: releases that know of no names take one for the version under
//!   which the tags were first put, and what stands for a later one with the same tags.

use super::{
    Item,
    chunks::{chunk_keys, delete},
    client::Store,
    error::L3Error,
    number,
    schema::{INLINE_BYTES, index_key},
};
use crate::{entry::Entry, lock::whole, source_of_truth::Expected, version::Version};
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio::time::timeout;

/// The attribute that says until when the index rows of a value live, in seconds since the Unix epoch.
pub(super) const PARTS_UNTIL: &str = "parts_until";
/// Index rows that wait to be dropped beside the next write, at most: one batch.
pub(super) const MOST_OWED: usize = 25;
/// The same of those that no row was sent for. What is more is left to the time to live.
const MOST_UNUSED: usize = 200;

/// Index rows that are written before their row has a version. Unless a row is sent that has their name, they are dropped.
#[derive(Debug)]
pub(crate) struct Ahead<'a> {
    store: &'a Store,
    key: &'a str,
    tags: &'a [Arc<str>],
    name: Version,
    /// Until when they live, in seconds since the Unix epoch.
    until: i64,
    /// A row was sent with their name.
    is_used: AtomicBool,
}

/// What is known of the tags of a new value.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KnownTags<'a> {
    /// A version that has the same, and stands there or has stood.
    pub(super) same: Option<Version>,
    /// Their index rows, where they stand already.
    pub(super) ahead: Option<&'a Ahead<'a>>,
}

/// Whether a value of so many bytes is kept in its row, as far as that is known before it is compressed. Only such a one can
/// have index rows that were written ahead: releases that know of no names look for chunks under the version.
pub(crate) const fn fits_row(bytes: usize) -> bool {
    bytes < INLINE_BYTES
}

/// When a value ends at the latest, in seconds since the Unix epoch.
pub(super) fn end_of(entry: &Entry) -> i64 {
    end_in_seconds(entry.latest_ms(), entry.grace_seconds)
}

fn end_in_seconds(latest_ms: i64, grace_seconds: u32) -> i64 {
    latest_ms.saturating_add(i64::from(grace_seconds) * 1000) / 1000 + 1
}

/// Until when the index rows of a value live, in seconds since the Unix epoch.
pub(super) fn parts_until(entry: &Entry) -> i64 {
    rows_until(entry.created_at_ms, entry.latest_ms(), entry.grace_seconds)
}

/// The same of one that is put then, ends then at the latest, and has so much grace.
pub(crate) fn rows_until(put_ms: i64, latest_ms: i64, grace_seconds: u32) -> i64 {
    let end = end_in_seconds(latest_ms, grace_seconds);
    end.saturating_add((end - put_ms / 1000).max(0))
}

impl<'a> KnownTags<'a> {
    /// What may be gone by where that is expected.
    pub(crate) fn new(same: Option<Version>, expected: Expected, ahead: Option<&'a Ahead<'a>>) -> KnownTags<'a> {
        let same = match expected {
            Expected::Anything => same,
            Expected::Version(version) => same.filter(|same| *same == version),
            Expected::Absent | Expected::Claim(_) => None,
        };
        KnownTags { same, ahead }
    }
}

impl<'a> Ahead<'a> {
    pub(crate) async fn write(&self) -> Result<(), L3Error> {
        self.store.write_index(self.key, self.name, self.tags, self.until).await
    }

    pub(super) fn name(&self) -> Version {
        self.name
    }

    pub(super) fn until(&self) -> i64 {
        self.until
    }

    /// Whether a row may have their name. One that is above its version, or from before its level was switched on again,
    /// would not lead there; nor do index rows that end before.
    pub(super) fn is_fit(&self, version: Version, entry: &Entry) -> bool {
        self.store.floors().l3 <= self.name && self.name < version && self.until >= end_of(entry)
    }

    /// A row is sent that has their name.
    pub(super) fn used(&self) {
        self.is_used.store(true, Relaxed);
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        if !self.is_used.load(Relaxed) {
            let rows = self.tags.iter().map(|tag| index_key(self.key, self.name, tag));
            self.store.owe(rows, MOST_UNUSED);
        }
    }
}

impl Store {
    /// Index rows of that name, which nobody else has.
    pub(crate) fn ahead<'a>(&'a self, key: &'a str, tags: &'a [Arc<str>], name: Version, until: i64) -> Ahead<'a> {
        Ahead { store: self, key, tags, name, until, is_used: AtomicBool::new(false) }
    }

    /// Writes the index rows of tags.
    pub(super) async fn write_index(
        &self,
        key: &str,
        name: Version,
        tags: &[Arc<str>],
        until: i64,
    ) -> Result<(), L3Error> {
        let requests = tags
            .iter()
            .map(|tag| {
                let mut item = index_key(key, name, tag);
                item.insert("ttl".to_owned(), number(until));
                let put = PutRequest::builder().set_item(Some(item)).build().expect("the item is given");
                WriteRequest::builder().put_request(put).build()
            })
            .collect();
        self.write_batches(&self.entries, requests).await
    }

    /// Drops what has one name. What is left over goes with the table's time to live.
    pub(super) async fn discard<'a>(
        &self,
        key: &str,
        name: Version,
        chunks: usize,
        tags: impl Iterator<Item = &'a str>,
    ) {
        let index = tags.map(|tag| index_key(key, name, tag));
        self.drop_parts(chunk_keys(key, name, chunks).chain(index)).await;
    }

    async fn drop_parts(&self, keys: impl Iterator<Item = Item>) {
        let requests = keys.map(delete).collect();
        if let Err(error) = self.write_batches(&self.entries, requests).await {
            tracing::warn!(%error, "parts of a replaced value are left to the time to live");
        }
    }

    /// Leaves them to the next write, if there is room for so many.
    pub(super) fn owe(&self, rows: impl ExactSizeIterator<Item = Item>, most: usize) -> bool {
        let mut owed = self.owed.enter(whole);
        let has_room = owed.len() + rows.len() <= most;
        if has_room {
            owed.extend(rows);
        }
        has_room
    }

    /// Drops what was left to the next write, for no longer than an attempt of one takes.
    pub(crate) async fn drop_owed(&self) {
        let owed = mem::take(&mut *self.owed.enter(whole));
        if !owed.is_empty() && timeout(self.attempt_time(), Box::pin(self.drop_parts(owed.into_iter()))).await.is_err()
        {
            tracing::warn!("parts of replaced values may be left to the time to live");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, config::L3Config, dynamo::Identity};

    fn store() -> Store {
        let identity = Identity { control: "control".into(), key_prefix: "strata".into() };
        Store::new(&L3Config::default(), identity, None, Clock::manual(0))
    }

    #[test]
    fn index_rows_that_no_row_was_sent_for_are_dropped() {
        let (store, tags) = (store(), ["a".into(), "b".into()]);
        store.ahead("k", &tags, Version(1), 0).used();
        assert!(store.owed.enter(whole).is_empty());
        drop(store.ahead("k", &tags, Version(1), 0));
        assert_eq!(store.owed.enter(whole).len(), 2);
    }
}
