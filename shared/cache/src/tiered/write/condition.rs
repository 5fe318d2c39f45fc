//! Conditional PUT and PATCH: what stands in the source of truth, and what the write must therefore find.

use crate::tiered::view::View;
use crate::{
    codec,
    config::LARGEST_ENTRY_BYTES,
    dynamo::Content,
    entry::Entry,
    key::Key,
    level::Level,
    outcome::CacheError,
    put::Condition,
    redis::Found,
    source_of_truth::{Expected, SourceOfTruth},
    version::Version,
};
use bytes::Bytes;
use std::sync::Arc;

/// The live value of a key by what the source of truth says.
pub(crate) struct Current {
    pub(crate) entry: Entry,
    pub(crate) envelope: Bytes,
    /// In whose stock it is, where L3 says so.
    pub(crate) owner: Option<Arc<str>>,
}

impl View<'_> {
    /// What the write must find for the condition to hold, or that it does not hold already.
    pub(crate) async fn expectation(
        &self,
        key: &Key,
        condition: &Condition,
        redis: bool,
        own: Option<Version>,
    ) -> Result<Expected, CacheError> {
        if *condition == Condition::Always {
            return Ok(Expected::Anything);
        }
        let (expected, current) = self.current(key, redis).await?;
        let current = current.map(|current| current.entry.checksum);
        if own.is_some_and(|own| expected == Expected::Version(own)) {
            // What stands is what this very PUT has written, when the condition held.
            return Ok(expected);
        }
        condition.check(current)?;
        Ok(expected)
    }

    /// What stands for a key in the source of truth, and its live value.
    pub(crate) async fn current(&self, key: &Key, redis: bool) -> Result<(Expected, Option<Current>), CacheError> {
        let live = |current: Current| (!current.entry.is_expired(self.clock.now_ms())).then_some(current);
        if self.source_of_truth() == SourceOfTruth::L2 {
            // A copy from before L2 became the source of truth does not exist.
            let copy = self.copy_in_redis(key).await?.filter(|copy| copy.as_of >= self.setup.switched);
            let Some(copy) = copy else { return Ok((Expected::Absent, None)) };
            let Some(current) = decode(copy.envelope) else { return Ok((Expected::Anything, None)) };
            let Some(current) = live(current) else { return Ok((Expected::Version(copy.version), None)) };
            let swept = self.knowledge().is_invalidated(Level::L2, key, &current.entry.tags, copy.as_of);
            return Ok((Expected::Version(copy.version), Some(current).filter(|_| !swept)));
        }
        self.learn_open_invalidations(redis, self.setup.config.l1_config.coherence_window_ms).await?;
        let row = self.store.read(key.as_str()).await?;
        let Some(row) = row else { return Ok((Expected::Absent, None)) };
        let live = |level: Level, current: Current| {
            let hidden = self.is_masked(level, key, &current.entry);
            live(current).filter(|_| !hidden)
        };
        let current = match row.content {
            Content::Gone => None,
            Content::Value { envelope, .. } => decode(envelope).and_then(|current| live(Level::L3, current)),
            Content::Stub { expires_at_ms } if self.clock.now_ms() >= expires_at_ms => None,
            Content::Stub { .. } if redis => {
                let copy = self.copy_in_redis(key).await?.filter(|copy| copy.version == row.version);
                copy.and_then(|copy| decode(copy.envelope)).and_then(|current| live(Level::L2, current))
            }
            Content::Stub { .. } => {
                return Err(CacheError::unavailable(Level::L2, "the value is kept in L2 only"));
            }
        };
        let current = current.map(|current| Current { owner: row.owner, ..current });
        Ok((Expected::Version(row.version), current))
    }

    async fn copy_in_redis(&self, key: &Key) -> Result<Option<Found>, CacheError> {
        let reply = self.ask(self.setup.copies.read(key.as_str())).await.and_then(Found::parse);
        Ok(reply?)
    }
}

impl Condition {
    /// Whether it holds where the live value, if there is one, has that checksum.
    pub(crate) fn check(&self, current: Option<u128>) -> Result<(), CacheError> {
        let holds = match self {
            Condition::Always => true,
            Condition::Absent => current.is_none(),
            Condition::Present => current.is_some(),
            Condition::Matches(checksums) => current.is_some_and(|checksum| checksums.contains(&checksum)),
        };
        if holds { Ok(()) } else { Err(CacheError::PreconditionFailed) }
    }
}

fn decode(envelope: Bytes) -> Option<Current> {
    let entry = codec::decode(&envelope, LARGEST_ENTRY_BYTES).ok()?;
    Some(Current { entry, envelope, owner: None })
}
