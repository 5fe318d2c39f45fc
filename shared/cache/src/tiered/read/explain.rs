//! What is asked of everybody for an explanation. Nothing is changed by it: no sync, no fill, no read that counts.

use crate::tiered::{TieredCache, fleet::history::mutation, view::View};
use crate::{
    clock::elapsed_ms,
    codec,
    config::LARGEST_ENTRY_BYTES,
    dynamo::{FoundRow, RowKind},
    explain::{
        Explained,
        facts::{Asked, Certified, Facts, Held, Row, Says, Shared},
        judge,
        past::{Changed, Past, Swept},
    },
    key::Key,
    level::Level,
    memory::CachedEntry,
    outcome::Read,
    redis::{Batch, Down, Fields, Found, Order, PastReply, Reply},
    selector::WrittenInvalidation,
    version::{Position, Version},
};
use std::collections::HashMap;

impl TieredCache {
    /// Why a read of `key` is answered as it is, here and now. A level that cannot be reached is part of the answer; each is
    /// waited for as long as a read would.
    pub async fn explain(&self, key: &Key) -> Explained {
        self.view().explain(key).await
    }
}

impl View<'_> {
    async fn explain(&self, key: &Key) -> Explained {
        let synced_ms = self.synced_ms();
        // Before the others are asked, as a read does it.
        let l1 = match self.uses(Level::L1) {
            true => Asked::Said(self.held(key)),
            false => Asked::Disabled,
        };
        let (l2, past) = match self.uses(Level::L2) {
            true => self.ask_redis_why(key).await.unwrap_or_else(|down| {
                tracing::debug!(%down, "an explanation without L2");
                (Asked::Unavailable, Past::default())
            }),
            false => (Asked::Disabled, Past::default()),
        };
        let l3 = match self.uses(Level::L3) {
            true => self.store.found(key.as_str()).await.map_or_else(
                |error| {
                    tracing::debug!(%error, "an explanation without L3");
                    Asked::Unavailable
                },
                |found| Asked::Said(found.map(|found| self.row(key, found))),
            ),
            false => Asked::Disabled,
        };
        let (now_ms, source_of_truth, revalidate_ms) =
            (self.clock.now_ms(), self.source_of_truth(), self.revalidate_ms());
        let facts = Facts { key, now_ms, source_of_truth, revalidate_ms, l1, l2, l3, past };
        let window_ms = self.window_ms(Read::default());
        judge(&facts, self.reporter.container().to_owned(), window_ms, synced_ms)
    }

    /// When the journal was read last, in ms since the Unix epoch.
    fn synced_ms(&self) -> Option<i64> {
        let sent_ms = self.as_of().sent_ms;
        let age_ms = elapsed_ms(sent_ms, self.clock.steady_ms());
        (sent_ms != i64::MIN).then(|| self.clock.now_ms().saturating_sub_unsigned(age_ms))
    }

    /// The copy in own L1, and what this container makes of it.
    fn held(&self, key: &Key) -> Option<Held> {
        let now_ms = self.clock.steady_ms();
        let window_ms = self.window_ms(Read::default());
        let (is_due, _) = self.outlook(now_ms, window_ms);
        let copy = self.memory.peek(key, self.clock.now_ms())?;
        let good = self.opinion(key, &copy);
        let until = match good {
            Some(true) => self.knowledge().known().max(copy.known()),
            _ => copy.known(),
        };
        let answers = good == Some(true) && (!is_due || self.is_recent(&copy, now_ms, window_ms));
        let certified = Certified {
            version: copy.entry.version,
            as_of: copy.as_of,
            expires_at_ms: copy.entry.expires_at_ms,
            kept_until_ms: copy.entry.kept_until_ms(),
            tags: copy.entry.tags.to_vec(),
            levels: copy.entry.levels,
        };
        let good_until = (good != Some(false)).then_some(until);
        Some(Held { copy: certified, good_until, is_settled: good == Some(true), answers })
    }

    /// Whether the copy is good, as far as this container knows without asking; nothing becomes of it.
    fn opinion(&self, key: &Key, copy: &CachedEntry) -> Option<bool> {
        self.opinion_by(key, copy, &self.knowledge())
    }

    async fn ask_redis_why(&self, key: &Key) -> Result<(Asked<Shared>, Past), Down> {
        let batch = Batch::from_iter([self.journal.past(key), self.setup.copies.read(key.as_str())]);
        let mut replies = self.link.run(&batch, Order::Any).await?.into_iter();
        let mut next = || replies.next().ok_or(Down::Odd("no reply"));
        let past = past(PastReply::parse(next()?)?);
        Ok((Asked::Said(self.shared(next()?)?), past))
    }

    /// What L2 has.
    fn shared(&self, reply: Reply) -> Result<Option<Shared>, Down> {
        let tombstone = Found::tombstone(&reply);
        let Some(found) = Found::parse(reply)? else { return Ok(tombstone.map(Shared::Tombstone)) };
        let Ok(entry) = codec::decode(&found.envelope, LARGEST_ENTRY_BYTES) else {
            return Ok(Some(Shared::Unreadable));
        };
        let copy = Certified {
            version: found.version,
            as_of: found.as_of,
            expires_at_ms: entry.expires_at_ms,
            kept_until_ms: entry.kept_until_ms(),
            tags: entry.tags.to_vec(),
            levels: entry.levels,
        };
        Ok(Some(Shared::Copy(copy, found.certified_ms)))
    }

    fn row(&self, key: &Key, found: FoundRow) -> Row {
        let FoundRow { version, kind, expires_at_ms, kept_until_ms, tags, levels, is_from_before } = found;
        let (says, level) = match kind {
            RowKind::Value => (Says::Value, Level::L3),
            // A fill is under way: for a read it is a stub that has expired.
            RowKind::Stub | RowKind::Claim => (Says::Stub, Level::L2),
            RowKind::Gone => (Says::Gone, Level::L3),
        };
        let is_masked = self.knowledge().masks(level, key, &tags, version);
        Row { version, says, expires_at_ms, kept_until_ms, tags, levels, is_from_before, is_masked }
    }
}

fn past(reply: PastReply) -> Past {
    let PastReply { now_ms, epoch, switched, floor, swept, last, open, invalidations } = reply;
    let last = last.map(|(recorded, fields)| {
        let version = fields.get("version").and_then(|version| Version::parse(version));
        Changed {
            greatest: recorded.greatest,
            at: recorded.last,
            record: version.zip(mutation(recorded.last, &fields, None)),
        }
    });
    let count = open.len();
    let open: Vec<Swept> = open.into_iter().filter_map(swept_by).collect();
    let has_unreadable_invalidation = open.len() < count;
    let invalidations = invalidations.into_iter().rev().filter_map(swept_by).collect();
    Past { epoch, switched, floor, swept, last, invalidations, open, has_unreadable_invalidation, now_ms }
}

fn swept_by((at, body): (Position, String)) -> Option<Swept> {
    let invalidation = WrittenInvalidation::read(at, &body)?;
    let fields: Fields = HashMap::from([("kind".to_owned(), "invalidate".to_owned()), ("body".to_owned(), body)]);
    Some(Swept { invalidation, mutation: mutation(at, &fields, None)? })
}
