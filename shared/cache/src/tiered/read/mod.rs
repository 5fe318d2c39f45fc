//! Reading: L1 while the window lasts, else a sync and L2 in one round trip, else L3 and up again.

pub(crate) mod confirm;
pub(crate) mod deliver;
mod doubt;
mod explain;
mod judge;
pub(crate) mod many;
pub(crate) mod newest;
pub(crate) mod promote;
pub(crate) mod rows;
pub(crate) mod stale;
pub(crate) mod wanted;

pub(crate) use judge::Shared;

use crate::tiered::{
    fill::Miss,
    fleet::follow::FOLLOW_INTERVAL_MS,
    read::{newest::Newest, stale::Kept},
    sync::{About, Synced},
    view::{Stop, View},
};
use crate::{
    coherence::{AsOf, Looked, Since},
    key::Key,
    level::Level,
    memory::CachedEntry,
    outcome::{CacheError, Hit, Lookup, Path, Read, Step},
    planted::{Bug, planted},
    redis::{Down, Found, Outcome, Reply},
    source_of_truth::SourceOfTruth,
    version::Position,
};
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// What a read of L1 and L2 gave.
enum Asked {
    /// L1 has a copy that nothing covers.
    Memory(Arc<CachedEntry>),
    /// L3 has the version of the copy that L1 has.
    Confirmed(Arc<CachedEntry>),
    /// L2 was read under `as_of`; what was known before reached to `known`. The index was asked where that does not
    /// reach back.
    Redis { reply: Reply, known: Position, as_of: AsOf, looked: Option<Looked> },
}

impl View<'_> {
    pub(crate) async fn get(&self, key: &Key, read: Read) -> Result<Lookup, Stop> {
        let mut path = self.path();
        let found = match self.look_up(key, read, None, &mut path).await {
            Err(Stop::Superseded) => return Err(Stop::Superseded),
            Err(Stop::Failed(error)) => Err(error),
            Ok(hit) => Ok(hit),
        };
        self.count_lookup(&path, &found);
        Ok(found.map(|hit| Lookup { hit, path })?)
    }

    /// Looks for the value; of a `miss` that is to be filled, learns what it was.
    pub(crate) async fn look_up(
        &self,
        key: &Key,
        read: Read,
        mut miss: Option<&mut Miss>,
        path: &mut Path,
    ) -> Result<Option<Hit>, Stop> {
        let read = self.honour_position(read);
        if !self.uses(Level::L2) {
            self.follow(FOLLOW_INTERVAL_MS).await;
            self.in_force()?;
        }
        if let Some(hit) = self.get_from_memory(key, read, path) {
            return Ok(Some(hit));
        }
        if !self.uses(Level::L2) {
            return Ok(self.get_without_redis(key, read, path).await?);
        }
        let asked = self.ask_redis(key, read, miss.as_deref_mut(), path).await;
        if asked.is_err() {
            self.follow(FOLLOW_INTERVAL_MS).await;
        }
        self.in_force()?;
        match asked.and_then(|asked| self.get_from_redis(key, read, asked, path)) {
            Ok(Ok(hit)) => Ok(Some(hit)),
            Ok(Err(Shared::Expired(kept))) => Ok(self.get_past_expiry(key, read, miss, kept, path).await?),
            Ok(Err(shared)) => Ok(self.get_from_register(key, read, miss, Some(shared), path).await?),
            Err(down) => {
                path.l2 = Step::Unavailable;
                tracing::debug!(%down, "L2 skipped");
                let held = planted(Bug::MemoryTrustedWithoutRedis).then(|| self.memory.get(key, self.clock.now_ms()));
                if let Some(copy) = held.flatten() {
                    return Ok(Some(self.hit(key, &copy, Level::L1)));
                }
                if self.source_of_truth() == SourceOfTruth::L2 {
                    return Err(CacheError::from(down).into());
                }
                Ok(self.get_from_register(key, read, None, None, path).await?)
            }
        }
    }

    /// The copy in L1, if what the container knows of the journal is fresh enough to trust it.
    pub(crate) fn get_from_memory(&self, key: &Key, read: Read, path: &mut Path) -> Option<Hit> {
        // Asked before L1 is: a sync that comes in between may vouch for what L1 holds then, and not for this copy.
        let now_ms = self.clock.steady_ms();
        let window_ms = self.window_ms(read);
        let (is_due, settled) = self.outlook(now_ms, window_ms);
        self.get_if(key, path, settled, |copy| {
            !read.no_cache && (!is_due || self.is_recent(copy, now_ms, window_ms)) && !self.awaits_record(copy, read)
        })
    }

    /// The copy in L1, if it is one that may be trusted, and nothing is known that speaks against it: where it is known to be
    /// good where what was `settled` says, nothing is asked for that.
    pub(crate) fn get_if(
        &self,
        key: &Key,
        path: &mut Path,
        settled: Position,
        may_be_trusted: impl Fn(&CachedEntry) -> bool,
    ) -> Option<Hit> {
        if path.l1 == Step::Disabled {
            return None;
        }
        path.l1 = Step::Miss;
        let copy = self.memory.get(key, self.clock.now_ms())?;
        let is_good = if copy.known() >= settled { Some(true) } else { self.confirm_or_drop(key, &copy, None) };
        if is_good == Some(false) {
            return None;
        }
        path.l1 = Step::Stale;
        if is_good.is_none() || !may_be_trusted(&copy) {
            return None;
        }
        path.l1 = Step::Hit;
        Some(self.hit(key, &copy, Level::L1))
    }

    /// Syncs when that is due, or asks the index where what is known does not reach back, and reads L2 unless L1 may answer
    /// now: one round trip.
    async fn ask_redis(&self, key: &Key, read: Read, miss: Option<&mut Miss>, path: &mut Path) -> Result<Asked, Down> {
        let due = miss.is_some()
            || read.no_cache
            || !read.at_least.is_nothing()
            || self.has_undelivered_notes()
            || self.is_due(i64::MIN, self.clock.steady_ms(), self.window_ms(read));
        let held = path.l1 == Step::Stale;
        // In cluster mode L2 may be read before the journal is: only what was known before vouches for it.
        let before = self.as_of();
        let known = before.position;
        let wanted = miss.as_ref().map(|miss| miss.wanted);
        let read_copy = || match wanted {
            Some(wanted) => self.setup.copies.read_or_lease(key.as_str(), wanted, false, self.clock.now_ms()),
            None => self.setup.copies.read(key.as_str()),
        };
        let unsure = self.is_unsure(key, held);
        let mut more = Vec::new();
        if !held {
            if miss.is_some() {
                // Before it asks for one: this process may have left that very lease.
                more = self.give_back_leases();
            }
            more.push(read_copy());
        }
        let Synced { mut replies, looked, as_of, .. } = match due {
            true => self.sync_about(About { keys: &[key], always: unsure, fence: None }, more).await?,
            false if unsure => self.ask_index(&[key], more).await?,
            false if held => Synced::unasked(Vec::new(), before),
            false => Synced::unasked(vec![self.ask(read_copy()).await?], before),
        };
        if held
            && !self.journal_may_lack(read)
            && let Some(copy) = self.memory.get(key, self.clock.now_ms())
        {
            let settled = self.confirm_or_drop(key, &copy, looked.as_ref());
            if settled == Some(true) {
                copy.sought_record();
                path.l1 = Step::Hit;
                return Ok(Asked::Memory(copy));
            }
            if settled.is_none() && self.confirm(key, &copy, read, path).await {
                return Ok(Asked::Confirmed(copy));
            }
        }
        let reply = match replies.pop() {
            Some(reply) => reply,
            None => self.ask(read_copy()).await?,
        };
        let reply = match miss {
            Some(miss) => miss.take_lease(reply)?,
            None => reply,
        };
        Ok(Asked::Redis { reply, known, as_of, looked })
    }

    /// L1 after a sync, or else L2. The inner error says what L2 had when it could not answer.
    fn get_from_redis(
        &self,
        key: &Key,
        read: Read,
        asked: Asked,
        path: &mut Path,
    ) -> Result<Result<Hit, Shared>, Down> {
        let (reply, known, as_of, looked) = match asked {
            Asked::Memory(copy) => return Ok(Ok(self.hit(key, &copy, Level::L1))),
            Asked::Confirmed(copy) => return Ok(Ok(self.hit(key, &copy, Level::L3))),
            Asked::Redis { reply, known, as_of, looked } => (reply, known, as_of, looked),
        };
        Ok(match self.judge(key, read, Found::parse(reply)?, looked.as_ref(), path) {
            Shared::Trusted(found, entry) => {
                Ok(self.deliver(key, as_of, self.source_in_redis(known, &found, entry), Level::L2))
            }
            other => Err(other),
        })
    }

    /// Goes on from a copy in L2 that has expired. L3 is asked where somebody is to fill, and by whoever takes such a value
    /// in need only.
    async fn get_past_expiry(
        &self,
        key: &Key,
        read: Read,
        mut miss: Option<&mut Miss>,
        kept: Kept,
        path: &mut Path,
    ) -> Result<Option<Hit>, CacheError> {
        if kept.is_taken() && miss.is_none() {
            return Ok(Some(self.answer_with(key, kept, path)));
        }
        // L3 may point to this very copy, and does away with one that it does not confirm.
        let shared = kept.is_taken().then(|| Shared::Distrusted(kept.found.clone(), Some(Arc::clone(&kept.entry))));
        match self.get_from_register(key, read, miss.as_deref_mut(), shared, path).await {
            Err(error) => {
                tracing::debug!(error = error.chain(), "a value that has expired is returned: L3 cannot be asked");
                miss.into_iter().for_each(Miss::give_up);
                path.l3 = Step::Unavailable;
                Ok(Some(self.answer_with(key, kept, path)))
            }
            found => found,
        }
    }

    /// Asks L3, which decides, and brings what it says up into L2 and L1.
    async fn get_from_register(
        &self,
        key: &Key,
        read: Read,
        mut miss: Option<&mut Miss>,
        shared: Option<Shared>,
        path: &mut Path,
    ) -> Result<Option<Hit>, CacheError> {
        let as_of = self.as_of();
        let reachable = !matches!(path.l2, Step::Unavailable | Step::Disabled);
        let known_ms = self.learn_open_invalidations_for(read, reachable).await?;
        if self.source_of_truth() == SourceOfTruth::L2 {
            if let Some(Shared::Distrusted(found, _)) = shared {
                self.drop_copy(key, as_of, &found, None).await;
            }
            return Ok(None);
        }
        let (asked_ms, read_at_ms) = (self.clock.now_ms(), self.clock.steady_ms());
        let row = self.store.read_until(key.as_str(), read.until()).await?;
        if let Some(miss) = &mut miss {
            miss.seen = row.as_ref().map(|row| row.state);
        }
        let late = planted(Bug::AsOfTakenAfterRead) && self.sync(Vec::new()).await.is_ok();
        let as_of = if late { self.as_of() } else { as_of };
        let distrusted = match shared {
            Some(Shared::Distrusted(found, entry)) => Some((found, entry)),
            _ => None,
        };
        if let Some(answer) = self.answer_for_stub(key, row.as_ref(), known_ms, path) {
            return answer;
        }
        let value = self.newest(key, read, row, distrusted.as_ref(), path);
        let Some(value) = value.filter(|value| !self.is_masked(value.level, key, &value.entry)) else {
            if reachable && let Some((found, _)) = distrusted {
                self.drop_copy(key, as_of, &found, miss).await;
            }
            return Ok(None);
        };
        let level = value.level;
        // The window counts from when it was known what is open: a row that is hidden since may still be there.
        let source = value.source(as_of, asked_ms, read_at_ms.min(known_ms));
        // What has expired and is about to be replaced stays where it is.
        let is_leaving = value.stale && miss.is_some();
        let confirmed = !reachable
            || is_leaving
            || self.promote(key, as_of, &value, asked_ms, distrusted.map(|(found, _)| *found)).await;
        let hit = match confirmed {
            _ if value.stale => self.hand_over_stale(key, source, level),
            true => self.deliver(key, as_of, source, level),
            false => self.hand_over(key, source, level),
        };
        Ok(Some(hit))
    }

    /// Writes a value that L3 confirmed into L2, checks the journal, and undoes it if something happened meanwhile.
    /// Returns whether nothing did.
    async fn promote(&self, key: &Key, as_of: AsOf, value: &Newest, asked_ms: i64, distrusted: Option<Found>) -> bool {
        if !value.entry.levels.has(Level::L2) {
            if let Some(found) = distrusted {
                self.drop_copy(key, as_of, &found, None).await;
            }
            return true;
        }
        if self.link.is_refusing() {
            // Only what is written is looked after.
            return true;
        }
        let copy = value.copy(key, as_of, asked_ms, distrusted.as_ref());
        let write = self.setup.copies.write(self.operation(as_of), &[copy]);
        let written = value.written(key);
        if planted(Bug::PromotionNotChecked) || planted(Bug::PromotionByPlainSet) {
            return self.ask(write).await.is_ok();
        }
        match self.then_check(&written, as_of, vec![write]).await {
            Ok(checked) => {
                let unchanged = checked.since() == Since::Unchanged;
                if unchanged && let Some(Ok(outcome)) = checked.replies.into_iter().next().map(Outcome::parse) {
                    self.count_promotion(value.entry.version, outcome);
                }
                unchanged || planted(Bug::StaleFillOfMemory)
            }
            Err(down) => {
                tracing::debug!(%down, "promotion to L2 skipped");
                false
            }
        }
    }

    /// Removes a copy that L3 does not confirm; of a miss that is to be filled, takes the lease with that.
    async fn drop_copy(&self, key: &Key, as_of: AsOf, found: &Found, miss: Option<&mut Miss>) {
        if self.link.is_refusing() {
            return;
        }
        let undo = self.setup.copies.undo(self.operation(as_of), key.as_str(), found.version, found.as_of);
        let now_ms = self.clock.now_ms();
        let lease = miss.as_ref().map(|miss| self.setup.copies.read_or_lease(key.as_str(), miss.wanted, true, now_ms));
        let dropped = match self.ask_all([undo].into_iter().chain(lease).collect(), 0).await {
            Ok(replies) => {
                let mut replies = replies.into_iter();
                let undone = replies.next().ok_or(Down::Odd("no reply")).and_then(Outcome::parse).map(drop);
                let taken = miss.zip(replies.next()).map_or(Ok(()), |(miss, reply)| miss.take_lease(reply).map(drop));
                undone.and(taken)
            }
            Err(down) => Err(down),
        };
        if let Err(down) = dropped {
            tracing::debug!(%down, "a stale copy in L2 is left to be found out again");
        }
    }

    /// L1 and L3 alone: a copy in L1 that is older than Δ is compared with the version that L3 has.
    async fn get_without_redis(&self, key: &Key, read: Read, path: &mut Path) -> Result<Option<Hit>, CacheError> {
        let (now_ms, asked_ms) = (self.clock.now_ms(), self.clock.steady_ms());
        if path.l1 == Step::Stale
            && let Some(copy) = self.memory.get(key, now_ms)
        {
            let known_ms = self.learn_open_invalidations(false, self.window_ms(read)).await?;
            let head = self.store.head(key.as_str()).await?;
            let hidden = self.is_masked(Level::L3, key, &copy.entry);
            if !hidden && head.is_some_and(|head| head.version == copy.entry.version) {
                path.l1 = Step::Hit;
                copy.confirm(asked_ms.min(known_ms));
                return Ok(Some(self.hit(key, &copy, Level::L1)));
            }
            self.memory.remove(key, now_ms);
        }
        self.get_from_register(key, read, None, None, path).await
    }

    /// Makes sure that the open invalidations are known well enough for a read that takes a row of L3.
    pub(crate) async fn learn_open_invalidations_for(&self, read: Read, reachable: bool) -> Result<i64, CacheError> {
        let is_told = reachable && !self.journal_may_lack(read);
        self.learn_open_invalidations(is_told, self.window_ms(read)).await
    }

    /// Whether the reader is better told of a copy in L1 after a sync: that may say where its value was recorded, and what is
    /// not known costs the next container more.
    fn awaits_record(&self, copy: &CachedEntry, read: Read) -> bool {
        if read.at_least.is_nothing() || !self.uses(Level::L2) {
            return false;
        }
        copy.awaits_record(self.knowledge().time_ms())
    }

    /// Whether L3 itself said less than Δ before `now_ms` that this is the newest value.
    pub(crate) fn is_recent(&self, copy: &CachedEntry, now_ms: i64, window_ms: u64) -> bool {
        let age_ms = now_ms.saturating_sub(copy.read_at_ms.load(Relaxed));
        age_ms.max(0).unsigned_abs() < window_ms
    }
}
