//! Catching up with the fleet: what an operation begins with, and the one place that knows what follows a sync.
//!
//! 1. Commands that need no round trip of their own are sent along with the sync ([`piggyback`](super::sync::piggyback)).
//! 2. What the sync brings is applied: the journal, the configuration, and their effect on L1 ([`sync`](super::sync)).
//! 3. What Redis still has to be told of is put into the journal ([`outbox`](super::outbox)).
//! 4. The configuration is put beside the journal, if it was lost there.
//!
//! Only then does the operation go on: an incomplete journal vouches for nothing.

use super::{
    TieredCache,
    sync::{About, Learnt, Synced},
    view::{CaughtUp, Stop, View},
};
use crate::{
    clock::elapsed_ms,
    level::Level,
    outcome::CacheError,
    redis::{Command, Down, Reply},
};

/// How old a sync may be that a mutation begins with, in ms: its operation lives that much shorter.
const SHARED_MS: u64 = 1000;

impl TieredCache {
    /// The cache under the configuration in force, once it is known which one that is.
    pub(super) async fn caught_up(&self) -> Result<View<'_>, CacheError> {
        loop {
            let view = self.view();
            match view.catch_up().await {
                Ok(_) => return Ok(view),
                Err(Stop::Superseded) => {}
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
    }
}

impl View<'_> {
    /// Learns of every change that was acknowledged: by a sync, or else of the configuration by the control table.
    pub(crate) async fn catch_up(&self) -> Result<CaughtUp, Stop> {
        self.catch_up_asking(Vec::new()).await
    }

    async fn catch_up_asking(&self, more: Vec<Command>) -> Result<CaughtUp, Stop> {
        let synced = match self.uses(Level::L2) {
            true => self.sync(more).await,
            false => Err(Down::Skipped),
        };
        let followed = synced.is_ok() || self.follow(0).await;
        self.in_force()?;
        let (synced, answers) = synced.map_or_else(|down| (Err(down), Vec::new()), |answers| (Ok(()), answers));
        Ok(CaughtUp { synced, followed, answers })
    }

    /// The same for a mutation, which may ask something besides: where Redis takes no writes it is as good as out of reach.
    pub(crate) async fn catch_up_to_write(&self, more: Vec<Command>) -> Result<CaughtUp, Stop> {
        let mut caught_up = self.catch_up_asking(more).await?;
        if caught_up.synced.is_ok() && self.link.is_refusing() {
            caught_up.synced = Err(Down::Refusing);
        }
        Ok(caught_up)
    }

    /// What is known by a sync that was made for many mutations, if it was made a moment ago.
    pub(crate) fn caught_up_with_others(&self) -> Result<Option<CaughtUp>, Stop> {
        self.in_force()?;
        let age_ms = elapsed_ms(self.as_of().sent_ms, self.clock.steady_ms());
        let synced = if self.link.is_refusing() { Err(Down::Refusing) } else { Ok(()) };
        Ok((age_ms <= SHARED_MS).then_some(CaughtUp { synced, followed: true, answers: Vec::new() }))
    }

    /// Syncs, with the commands of `more` in the same round trip; returns the replies to those.
    pub(crate) async fn sync(&self, more: Vec<Command>) -> Result<Vec<Reply>, Down> {
        self.sync_about(About::default(), more).await.map(|synced| synced.replies)
    }

    /// The same, and what the index says of keys, where it was asked.
    ///
    /// When nobody has read the outage notes lately, they are read before this returns, so that what it says may be
    /// trusted.
    pub(crate) async fn sync_about(&self, about: About<'_>, more: Vec<Command>) -> Result<Synced, Down> {
        self.prefetches.allow(false);
        let Learnt { synced, sent, outbox_due, audited, began } = self.round_trip(about, more).await?;
        // Seldom more than nothing, and the deepest of all futures.
        let outbox_applied = Box::pin(self.complete_journal(outbox_due)).await;
        self.knowledge().outbox_applied(&sent, outbox_applied.is_ok());
        if let Err(down) = &outbox_applied
            && down.is_refusal()
        {
            // With notes that the journal cannot take, what it says is of no use.
            self.link.spare();
            self.link.leave_alone();
        }
        outbox_applied?;
        if let Some((sample, truth)) = audited {
            self.audit(&sample, truth, synced.looked.as_ref());
        }
        self.prefetches.allow(began.elapsed() < self.prefetch_time());
        Ok(synced)
    }

    /// Gives the journal what it lacks: the outbox, where that is due, then the configuration.
    async fn complete_journal(&self, outbox_due: bool) -> Result<(), Down> {
        if outbox_due {
            self.apply_outbox().await?;
        }
        self.put_back().await
    }

    /// Publishes the configuration that this container knows, where Redis has lost it or never had it.
    async fn put_back(&self) -> Result<(), Down> {
        match self.unpublished() {
            Some(document) if !self.link.is_refusing() => {
                self.then_sync(vec![self.journal.configure(&document)], 0).await.map(|_| ())
            }
            _ => Ok(()),
        }
    }
}
