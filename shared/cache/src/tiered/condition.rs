//! Conditional PUT: what stands in the register, and what the write must therefore find.

use super::view::View;
use crate::{
    codec,
    config::LARGEST_ENTRY_BYTES,
    dynamo::Content,
    entry::Entry,
    key::Key,
    level::Level,
    outcome::{CacheError, Condition},
    redis::Found,
    register::{Expected, Register},
    version::Version,
};
use bytes::Bytes;

impl View<'_> {
    /// What the write must find for the condition to hold, or that it does not hold already.
    pub(super) async fn expectation(
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
        if own.is_some_and(|own| expected == Expected::Version(own)) {
            // What stands is what this very PUT has written, when the condition held.
            return Ok(expected);
        }
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => current.is_none(),
            Condition::Present => current.is_some(),
            Condition::Matches(checksums) => current.is_some_and(|checksum| checksums.contains(&checksum)),
        };
        if holds { Ok(expected) } else { Err(CacheError::PreconditionFailed) }
    }

    /// What stands for a key in the register, and the checksum of its live value.
    async fn current(&self, key: &Key, redis: bool) -> Result<(Expected, Option<u128>), CacheError> {
        let live = |entry: Entry| (!entry.is_expired(self.clock.now_ms())).then_some(entry.checksum);
        if self.register() == Register::L2 {
            // A copy from before L2 became the register does not exist.
            let copy = self.copy_in_redis(key).await?.filter(|copy| copy.stamp >= self.setup.switched);
            let checksum = copy.as_ref().and_then(|copy| self.decode(&copy.envelope)).and_then(live);
            let expected = match (copy, checksum) {
                (Some(copy), Some(_)) => Expected::Version(copy.version),
                (Some(_), None) => Expected::Anything,
                (None, _) => Expected::Absent,
            };
            return Ok((expected, checksum));
        }
        self.know_barriers(redis, self.setup.config.l1_config.coherence_window_ms).await?;
        let row = self.store.read(key.as_str()).await?;
        let Some(row) = row else { return Ok((Expected::Absent, None)) };
        let live = |level: Level, entry: Entry| {
            let hidden = self.knowledge().hides(level, key, &entry.tags, entry.version);
            live(entry).filter(|_| !hidden)
        };
        let checksum = match row.content {
            Content::Gone => None,
            Content::Value { envelope, .. } => self.decode(&envelope).and_then(|entry| live(Level::L3, entry)),
            Content::Elsewhere { expires_at_ms } if self.clock.now_ms() >= expires_at_ms => None,
            Content::Elsewhere { .. } if redis => {
                let copy = self.copy_in_redis(key).await?.filter(|copy| copy.version == row.version);
                copy.and_then(|copy| self.decode(&copy.envelope)).and_then(|entry| live(Level::L2, entry))
            }
            Content::Elsewhere { .. } => {
                return Err(CacheError::unavailable(Level::L2, "the value is kept in L2 only"));
            }
        };
        Ok((Expected::Version(row.version), checksum))
    }

    async fn copy_in_redis(&self, key: &Key) -> Result<Option<Found>, CacheError> {
        let reply = self.ask(self.setup.copies.read(key.as_str())).await.and_then(Found::parse);
        Ok(reply?)
    }

    fn decode(&self, envelope: &Bytes) -> Option<Entry> {
        codec::decode(envelope, LARGEST_ENTRY_BYTES).ok()
    }
}
