//! Prefetching: what a warm job has just brought into L2 comes into the L1 of every container before it is asked for.
//!
//! Nothing can be sent to a frozen container, so the job names the entries in the journal, and each container finds them
//! with its next sync. The first GET to end after that, mostly the one that synced, takes some of them out of L2 in one
//! more round trip; the rest waits for the sync after. Only later reads gain by that, so it is bounded in entries, in
//! bytes and above all in time, and a mutation never waits for it. What does not come in time is not asked for again: a
//! read brings it up, as ever.
//!
//! A copy that is prefetched is judged as one that a read found in L2, and goes into L1 by the same rules. So a record
//! need not be true any more, and decides nothing: it says what is worth looking at.

use crate::tiered::{TieredCache, read::Shared, view::View, warm::prefetch_queue::worth_naming};
use crate::{
    coherence::{AsOf, Looked, Said},
    key::Key,
    level::Level,
    outcome::{Path, Read},
    redis::{Down, Found, Reply, appended},
    stats::Count,
};
use futures_util::FutureExt;
use tokio::time::Instant;
impl TieredCache {
    /// Brings some of what waits into L1, when a sync has allowed it since the last time.
    pub(crate) async fn prefetch(&self) {
        if self.prefetches.begin() {
            // Boxed, because it is seldom needed, and every read would carry the room for it.
            self.view().prefetch().boxed().await;
        }
    }
}

impl View<'_> {
    /// Tells every container to bring entries into its L1, which L2 holds by now: their keys, and bytes of their envelopes.
    /// Passes over those too large to be prefetched, and those beyond one record has room for.
    ///
    /// # Errors
    /// When the journal cannot be told.
    pub(crate) async fn broadcast(&self, entries: &[(Key, usize)]) -> Result<(), Down> {
        let named = worth_naming(entries);
        if named.is_empty() {
            return Ok(());
        }
        let operation = self.operation(self.as_of());
        let reply = self.ask(self.journal.warm(operation, &named)).await?;
        appended(reply)?.map(|_| ()).ok_or(Down::Odd("a broadcast came too late"))
    }

    async fn prefetch(&self) {
        if !self.uses(Level::L1) || !self.uses(Level::L2) {
            return self.prefetches.clear();
        }
        let until = Instant::now() + self.prefetch_time();
        let now_ms = self.clock.now_ms();
        let keys = {
            let knowledge = self.knowledge();
            self.prefetches.take(|key| self.holds(key, now_ms, &knowledge))
        };
        if keys.is_empty() {
            return;
        }
        // From before L2 is asked. While L3 is the source of truth, the certificate of a copy says since when it holds:
        // it is judged by the journal up to this sync, and what is recorded later the next sync applies, as with any
        // copy in L1. With L2 as the source of truth it is this position: L2 is written before the journal, so whatever
        // is recorded up to here is in what L2 is about to say.
        let as_of = self.as_of();
        let reads = keys.iter().map(|key| self.setup.copies.read(key.as_str()));
        let question = self.journal.ask(as_of.position, &keys);
        let batch = [question].into_iter().chain(reads).collect();
        let mut replies = match self.link.run_spare(&batch, until).await {
            Ok(replies) if self.in_force().is_ok() => replies.into_iter(),
            Ok(_) => return,
            Err(down) => return tracing::debug!(%down, "prefetching given up"),
        };
        let said = replies.next().and_then(|reply| Said::parse(reply).ok().flatten());
        let looked = said.map(|said| Looked::of(&keys, &said, as_of.generation));
        for (key, reply) in keys.iter().zip(replies).take_while(|_| Instant::now() < until) {
            self.fill_ahead(key, as_of, looked.as_ref(), reply);
        }
    }

    /// Fills L1 with what L2 holds of a key, if a read could answer with it. That is no read: it counts as none of the
    /// value, nor as a hit or a miss.
    fn fill_ahead(&self, key: &Key, as_of: AsOf, looked: Option<&Looked>, reply: Reply) {
        let found = Found::parse(reply).unwrap_or_else(|down| {
            tracing::debug!(%down, "not prefetched");
            None
        });
        if let Shared::Trusted(found, entry) = self.judge(key, Read::default(), found, looked, &mut Path::default()) {
            let source = self.source_in_redis(as_of.position, &found, entry);
            if self.fill(key, as_of, &source).is_some() {
                self.counters.add(Count::L1Promotions, 1);
            }
        }
    }
}
