//! What L3 says of a key: its newest value, or where that is.

use crate::tiered::{source::Source, sync::unfinished::CopyWrite, view::View};
use crate::{
    codec,
    coherence::AsOf,
    config::LARGEST_ENTRY_BYTES,
    dynamo::{Content, Row},
    entry::Entry,
    grace::Freshness,
    key::Key,
    level::Level,
    memory::CachedEntry,
    outcome::{CacheError, Hit, Path, Read, Step},
    quota::share_of,
    redis::{Found, Life, WriteCopy},
    source_of_truth::Expected,
};
use bytes::Bytes;
use std::sync::Arc;

/// The newest value of a key, and where it was.
pub(crate) struct Newest {
    pub(crate) entry: Arc<Entry>,
    pub(crate) envelope: Bytes,
    pub(crate) level: Level,
    pub(crate) reads: u64,
    pub(crate) last_read_ms: i64,
    /// It has expired, and the reader takes it.
    pub(crate) stale: bool,
    /// In whose stock it is in L2, where L3 said so.
    pub(crate) owner: Option<Arc<str>>,
}

impl Newest {
    /// It on its way into L1, under `as_of`; L3 was asked at `asked_ms`, in steady ms at `read_at_ms`.
    pub(crate) fn source(&self, as_of: AsOf, asked_ms: i64, read_at_ms: i64) -> Source {
        Source {
            entry: Arc::clone(&self.entry),
            as_of: as_of.position,
            certified_ms: asked_ms,
            read_at_ms: Some(read_at_ms),
            reads: self.reads,
            last_read_ms: self.last_read_ms,
        }
    }

    /// Its copy for L2, over the one that was found there and that is not trusted.
    pub(crate) fn copy<'a>(
        &'a self,
        key: &'a Key,
        as_of: AsOf,
        asked_ms: i64,
        distrusted: Option<&Found>,
    ) -> WriteCopy<'a> {
        WriteCopy {
            key: key.as_str(),
            version: self.entry.version,
            as_of: as_of.position,
            certified_ms: asked_ms,
            life: Life::of(&self.entry),
            envelope: &self.envelope,
            tags: &self.entry.tags,
            levels: self.entry.levels,
            distrusted: distrusted.map(|found| (found.version, found.as_of)),
            expected: Expected::Anything,
            share: share_of(self.owner.as_ref(), key, &self.entry, self.envelope.len()),
        }
    }

    /// What is written with that.
    pub(crate) fn written<'a>(&'a self, key: &'a Key) -> CopyWrite<'a> {
        CopyWrite { key, tags: &self.entry.tags, version: self.entry.version, bytes: self.envelope.len() }
    }
}

impl View<'_> {
    /// The answer where L3 points to a copy in L2, and L2 cannot be asked: L1 may hold that very value.
    pub(crate) fn answer_for_stub(
        &self,
        key: &Key,
        row: Option<&Row>,
        known_ms: i64,
        path: &mut Path,
    ) -> Option<Result<Option<Hit>, CacheError>> {
        let now_ms = self.clock.now_ms();
        let row = row.filter(|_| path.l2 == Step::Unavailable)?;
        if !matches!(row.content, Content::Stub { expires_at_ms } if now_ms < expires_at_ms) {
            return None;
        }
        path.l3 = Step::Miss;
        let is_known = |copy: &Arc<CachedEntry>| self.confirm_or_drop(key, copy, None) == Some(true);
        let copy = self.memory.get(key, now_ms).filter(|copy| copy.entry.version == row.version && is_known(copy));
        if copy.as_ref().is_some_and(|copy| self.is_masked(Level::L2, key, &copy.entry)) {
            return Some(Ok(None));
        }
        Some(match copy {
            Some(copy) => {
                path.l1 = Step::Hit;
                copy.confirm(known_ms);
                Ok(Some(self.hit(key, &copy, Level::L1)))
            }
            None => Err(CacheError::unavailable(Level::L2, "the value is kept in L2 only")),
        })
    }

    /// The newest value by what L3 says, as far as the reader takes it; it may be the copy in L2 that L3 only points to.
    pub(crate) fn newest(
        &self,
        key: &Key,
        read: Read,
        row: Option<Row>,
        copy: Option<&(Box<Found>, Option<Arc<Entry>>)>,
        path: &mut Path,
    ) -> Option<Newest> {
        path.l3 = Step::Miss;
        let row = row?;
        let now_ms = self.clock.now_ms();
        let stale = |entry: &Entry| match Freshness::of(entry, read, now_ms) {
            Freshness::Live => Some(false),
            Freshness::Stale => Some(true),
            Freshness::InNeed | Freshness::Over => None,
        };
        match row.content {
            Content::Gone => None,
            Content::Stub { .. } => {
                let (found, entry) = copy.filter(|(found, _)| found.version == row.version)?;
                let entry = entry.clone()?;
                let stale = stale(&entry)?;
                if self.knowledge().is_invalidated(Level::L2, key, &entry.tags, found.as_of) {
                    return None;
                }
                path.l2 = Step::Hit;
                Some(Newest {
                    entry,
                    envelope: found.envelope.clone(),
                    level: Level::L2,
                    reads: found.reads,
                    last_read_ms: found.last_read_ms,
                    stale,
                    owner: None,
                })
            }
            Content::Value { envelope, .. } => match codec::decode(&envelope, LARGEST_ENTRY_BYTES) {
                Ok(entry) => {
                    let stale = stale(&entry)?;
                    path.l3 = Step::Hit;
                    // L2 keeps the counters of a copy that is only certified anew.
                    let known = copy.filter(|(found, _)| found.version == row.version);
                    let (reads, last_read_ms) = known.map_or((0, 0), |(found, _)| (found.reads, found.last_read_ms));
                    let (entry, owner) = (Arc::new(entry), row.owner);
                    Some(Newest { entry, envelope, level: Level::L3, reads, last_read_ms, stale, owner })
                }
                Err(error) => {
                    // Left where it is: another release may be able to read what was promised to be durable.
                    tracing::warn!(%error, level = %Level::L3, "unreadable envelope");
                    None
                }
            },
        }
    }
}
