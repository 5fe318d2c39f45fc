//! A PUT with the token of a miss: stored only where nothing has touched the key since.
//!
//! 1. The row of L3 is claimed, with the version of the miss, if it is as it was then; beside that the index rows of its
//!    tags are written and the outage notes are read.
//! 2. The journal is read, from the miss on. An invalidation whose record comes later finds the claim, or what takes its
//!    place: its version is greater.
//! 3. The value takes the place of the claim, and all goes on as with any PUT.
//!
//! An invalidation without Redis has no record, but a note. It waits between leaving that and removing anything from L3 for
//! longer than [`CLAIM_TIME`]: so either the note is found here, or the claim is found there.

use super::super::{
    TieredCache, ended,
    sync::{About, Synced},
    view::{Stop, View},
    write::commit::{Begun, Ended, Plan},
};
use crate::{
    chance,
    coherence::AsOf,
    dynamo::{Before, Claim, KnownTags, Noted, Notes},
    entry::Entry,
    fill::FillToken,
    key::Key,
    level::{Level, Levels},
    outcome::{CacheError, Stored},
    planted::{Bug, planted},
    put::Put,
    quota::{name_of, share_of},
    record::Change,
    selector::WrittenInvalidation,
    source_of_truth::{Expected, SourceOfTruth},
    version::Position,
};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use std::time::Duration;
use tokio::{join, time::Instant};

/// How long a claim may take from when the notes are asked for until it is known to be there.
pub(crate) const CLAIM_TIME: Duration = Duration::from_millis(500);
/// How much longer an invalidation without Redis waits.
pub(crate) const OUTWAIT: Duration = Duration::from_millis(700);
/// How long before a miss a generation of notes must have begun, in ms, for nothing to be missing that was left in the one
/// before: longer than clocks differ, and than anybody takes to begin the epoch in its place.
const SETTLED_MS: u64 = 60_000;

/// A fill under way, also under a configuration that is not in force any more.
struct Filling {
    /// The name of its claim.
    name: u64,
    /// What it has claimed the row for.
    claimed: Option<Entry>,
}

impl TieredCache {
    /// Stores a value unless something has touched the key since the miss of its token.
    pub(crate) fn fill_with<'a>(
        &'a self,
        key: &'a Key,
        put: &'a Put,
        token: &'a FillToken,
    ) -> BoxFuture<'a, Result<Stored, CacheError>> {
        // On the heap, so that it does not make every PUT as large.
        self.fill_fenced(key, put, token).boxed()
    }

    async fn fill_fenced(&self, key: &Key, put: &Put, token: &FillToken) -> Result<Stored, CacheError> {
        let mut filling = Filling { name: chance::u64(1..), claimed: None };
        let stored = loop {
            if let Some(ended) = ended(self.view().store_filled(key, put, token, &mut filling).await) {
                break ended;
            }
        };
        match stored {
            Ok(_) => self.leave_lease(key, token.lease),
            Err(_) => self.view().give_up(key, token, &filling).await,
        }
        self.count_mutation(stored, |stored| stored.degraded)
    }
}

impl View<'_> {
    async fn store_filled(
        &self,
        key: &Key,
        put: &Put,
        token: &FillToken,
        filling: &mut Filling,
    ) -> Result<Stored, Stop> {
        if !token.is_of(key) || self.source_of_truth() == SourceOfTruth::L2 || !self.uses(Level::L2) {
            return Err(CacheError::LeaseLost.into());
        }
        self.allow(put)?;
        let named = put.levels.unwrap_or(Levels::ALL).and(self.setup.config.enabled());
        let payload = self.payload(put);
        let (began_ms, asked_ms) = (self.clock.now_ms(), self.clock.steady_ms());
        let version = token.version;
        let (entry, envelope) = self.seal(&payload, put, named, (version, began_ms));
        let before = self.claim_for_fill(key, &entry, token, filling).await?;
        // What belongs to the row before is of no use any more.
        let dropped = self.store.drop_replaced(key.as_str(), &before);
        let (synced, ()) = join!(self.fence(key, put, token, named), dropped);
        let Synced { replies: answers, as_of, fenced, .. } = synced?;
        let fenced = fenced.ok_or(CacheError::LeaseLost)?;
        if !self.knowledge().proves(token, key, &entry.tags, &fenced) {
            return Err(CacheError::LeaseLost.into());
        }
        let share = share_of(name_of(&put.api_key).as_ref(), key, &entry, envelope.len());
        let counted = share.as_ref().filter(|_| named.has(Level::L2));
        let _admitted = counted.map(|share| self.allow_share_now(key, share, &answers)).transpose()?;
        // Another operation may have read the journal further: of what came then, nothing is proven.
        let as_of = AsOf { position: as_of.position.min(fenced.end), ..as_of };
        let before = Before::default();
        let begun =
            Begun { as_of, version, redis: true, followed: true, began_ms, asked_ms, before, held: false, answers };
        self.put_claimed(key, put, (entry, &envelope), Expected::Claim(filling.name), &begun, share).await
    }

    async fn put_claimed(
        &self,
        key: &Key,
        put: &Put,
        (entry, envelope): (Entry, &Bytes),
        expected: Expected,
        begun: &Begun,
        share: Option<crate::quota::Share>,
    ) -> Result<Stored, Stop> {
        let mut path = self.path();
        let plan = Plan {
            key,
            change: Change::Put,
            by: &put.by,
            value: Some((&entry, envelope)),
            expected,
            share,
            undo: None,
            together: None,
            tags: KnownTags::default(),
        };
        match self.commit(&plan, begun, &mut path).await? {
            Ended::Done(effect) => Ok(self.stored(key, entry, begun, effect, path)),
            // The claim is gone; or what a stub points to was taken back from L2.
            Ended::Overtaken(_) | Ended::Repeat { .. } => Err(CacheError::LeaseLost.into()),
        }
    }

    /// Claims the row, and makes sure that no note means it; returns what the row said before.
    async fn claim_for_fill(
        &self,
        key: &Key,
        entry: &Entry,
        token: &FillToken,
        filling: &mut Filling,
    ) -> Result<Before, Stop> {
        let claim = Claim { key: key.as_str(), entry, seen: token.seen, name: filling.name };
        let known_ms = self.knowledge().notes_known_ms(self.clock.now_ms(), self.clock.steady_ms());
        let began = Instant::now();
        let (claimed, indexed, notes) = join!(
            self.store.claim_row(claim),
            self.store.index_for_long(key.as_str(), entry),
            self.store.notes(known_ms)
        );
        let before = claimed.map_err(CacheError::from)?.ok_or(CacheError::LeaseLost)?;
        filling.claimed = Some(Entry { text: Bytes::new(), ..entry.clone() });
        indexed.map_err(CacheError::from)?;
        let notes = notes.map_err(CacheError::from)?;
        if began.elapsed() > CLAIM_TIME || is_noted(&notes, key, entry, token) {
            return Err(CacheError::LeaseLost.into());
        }
        Ok(before)
    }

    /// Reads the journal from the miss on. Without Redis nothing can be proven.
    async fn fence(&self, key: &Key, put: &Put, token: &FillToken, named: Levels) -> Result<Synced, Stop> {
        let question = self.stock_question(key, put, named, false).commands;
        let about = About { fence: Some(token.since), ..About::default() };
        let synced = self.sync_about(about, question).await;
        self.in_force()?;
        match synced {
            Ok(synced) if !self.link.is_refusing() => Ok(synced),
            Ok(_) => Err(CacheError::LeaseLost.into()),
            Err(down) => {
                tracing::debug!(%down, "a fill is refused for want of the journal");
                Err(CacheError::LeaseLost.into())
            }
        }
    }

    /// Gives up what a fill has taken that is not stored: its claim, and its lease, so that another may load the value.
    async fn give_up(&self, key: &Key, token: &FillToken, filling: &Filling) {
        let unclaim = async {
            if let Some(entry) = &filling.claimed {
                let claim = Claim { key: key.as_str(), entry, seen: token.seen, name: filling.name };
                if let Err(error) = self.store.unclaim(claim).await {
                    tracing::warn!(%error, "a claim is left to the time to live");
                }
            }
        };
        let release = async {
            if self.uses(Level::L2) && token.is_of(key) && !self.link.is_refusing() {
                let released = self.ask(self.setup.copies.release(key.as_str(), token.lease)).await;
                released.inspect_err(|down| tracing::debug!(%down, "a lease is left to its end")).ok();
            }
        };
        join!(unclaim, release);
    }
}

/// Whether an invalidation that Redis was not told of, or may have lost, means the key, or may do so.
fn is_noted(notes: &Notes, key: &Key, entry: &Entry, token: &FillToken) -> bool {
    if planted(Bug::FillNotFenced) {
        return false;
    }
    let means = |written: &WrittenInvalidation| {
        let invalidation = written.clone().recorded_at(Position::ZERO);
        invalidation.is_none_or(|invalidation| invalidation.selector.touches(key.as_str(), &entry.tags))
    };
    let is_outlived = notes.generation.number.saturating_add(SETTLED_MS) > token.version.micros() / 1000;
    let of_outage = notes.notes.iter().any(|note| match &note.noted {
        // That has replaced the row.
        Noted::Changed { .. } => false,
        Noted::Invalidated(written) => means(written),
    });
    let of_job = notes.bulletin.open_invalidations.iter().any(|text| {
        let written = serde_json::from_str::<WrittenInvalidation>(text);
        written.map_or(true, |written| written.version > token.version && means(&written))
    });
    notes.too_many || is_outlived || of_outage || of_job
}
