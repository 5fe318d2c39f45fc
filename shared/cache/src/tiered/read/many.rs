//! Reading many keys at once: the levels in the order in which a read of one key asks them, with the round trips of one.
//!
//! All keys are read as of one position of the journal: where a sync is due, L1 is asked after it, for all of them. What
//! is held in memory meanwhile is bounded by what the caller can use, however large the values are.

use crate::tiered::{
    TieredCache,
    fleet::follow::FOLLOW_INTERVAL_MS,
    read::{
        Shared,
        wanted::{Many, State, Wanted},
    },
    sync::{About, Synced},
    view::{Stop, View},
};
use crate::{
    coherence::{AsOf, Looked},
    key::Key,
    level::Level,
    memory::CachedEntry,
    outcome::{CacheError, Lookup, Read, Step},
    planted::{Bug, planted},
    redis::{Command, Down, Found, Reply},
    source_of_truth::SourceOfTruth,
    version::Position,
};
use futures_util::stream::{self, StreamExt};

/// Operations of a batch that are under way at once, and so connections to DynamoDB: a hundred take three turns.
pub(crate) const AT_ONCE: usize = 34;
/// Most bytes of envelopes that Redis sends before their sizes are known: half of what it can in its time, see
/// `l2_config.timeout_ms`, through the network of a small container.
const UNSEEN_BYTES: usize = 1 << 20;

/// How much longer an envelope may be than it was thought to be, also where there is little room: of what L1 held only the
/// value's part is known.
const MORE_BYTES: usize = 64 << 10;

/// What a reading of L2 rests on.
struct Ground {
    read: Read,
    known: Position,
    as_of: AsOf,
    looked: Option<Looked>,
}

impl TieredCache {
    /// Reads many keys, each once, as [`get`](TieredCache::get) reads one: never a value older than one acknowledged more
    /// than Δ before this began. All are read as of one position of the journal.
    ///
    /// What came of each, in their order; `None` for a key that is not read, because the values before it have
    /// `most_bytes` of JSON text together, or DynamoDB would not read more at present. The value that is found first is
    /// always returned.
    pub async fn get_many(
        &self,
        keys: &[Key],
        read: Read,
        most_bytes: usize,
    ) -> Vec<Option<Result<Lookup, CacheError>>> {
        let mut found = loop {
            match self.view().get_many(keys, read, most_bytes).await {
                Ok(found) => break found,
                Err(Stop::Superseded) => {}
                Err(Stop::Failed(error)) => {
                    let text = error.chain();
                    break keys.iter().map(|_| Some(Err(CacheError::unavailable(Level::L3, text.clone())))).collect();
                }
            }
        };
        let hits = keys.iter().zip(&mut found).filter_map(|(key, found)| match found {
            Some(Ok(Lookup { hit: Some(hit), .. })) if hit.entry.sliding.is_some() => Some(self.put_off_end(key, hit)),
            _ => None,
        });
        stream::iter(hits.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect::<()>().await;
        self.prefetch().await;
        found
    }
}

impl View<'_> {
    async fn get_many(
        &self,
        keys: &[Key],
        read: Read,
        most_bytes: usize,
    ) -> Result<Vec<Option<Result<Lookup, CacheError>>>, Stop> {
        let mut many = Many::of(keys, self.path(), most_bytes);
        let read = self.honour_position(read);
        let by_redis = self.uses(Level::L2);
        if !by_redis {
            self.follow(FOLLOW_INTERVAL_MS).await;
            self.in_force()?;
        }
        // Asked before L1 is, once for all: see `get_from_memory`.
        let now_ms = self.clock.steady_ms();
        let window_ms = self.window_ms(read);
        let (is_due, settled) = self.outlook(now_ms, window_ms);
        let is_due = !planted(Bug::BatchNotSynced) && (read.no_cache || is_due);
        let syncs = by_redis && (is_due || self.has_undelivered_notes());
        for wanted in &mut many.wanted {
            let is_recent = |copy: &CachedEntry| self.is_recent(copy, now_ms, window_ms);
            let may_be_trusted = |copy: &CachedEntry| !syncs && !read.no_cache && (!is_due || is_recent(copy));
            if let Some(hit) = self.get_if(wanted.key, &mut wanted.path, settled, may_be_trusted) {
                many.bytes += wanted.found(Ok(Some(hit)));
            }
        }
        if many.is_open() && by_redis {
            let asked = self.ask_redis_for_many(&mut many, read, syncs).await;
            if asked.is_err() {
                self.follow(FOLLOW_INTERVAL_MS).await;
            }
            self.in_force()?;
            if let Err(down) = asked {
                self.go_on_without_redis(&mut many, read, &down);
            }
        }
        self.get_many_from_source_of_truth(&mut many, read).await;
        Ok(many.wanted.into_iter().map(|wanted| self.ended(wanted)).collect())
    }

    /// Reads L2 for the keys that L1 cannot answer, with the sync or the question to the index that is due; and once more
    /// for what L1 held until then, and for what there was no room.
    async fn ask_redis_for_many(&self, many: &mut Many<'_>, read: Read, syncs: bool) -> Result<(), Down> {
        // In cluster mode L2 may be read before the journal is: only what was known before vouches for it.
        let before = self.as_of();
        let open = many.open();
        let is_held = |at: &usize| many.wanted[*at].path.l1 == Step::Stale;
        let keys: Vec<&Key> = open.iter().map(|at| many.wanted[*at].key).collect();
        let unsure = open.iter().zip(&keys).filter(|(at, key)| self.is_unsure(key, is_held(at)));
        let unsure: Vec<&Key> = unsure.map(|(_, key)| *key).collect();
        let (held, unheld): (Vec<usize>, Vec<usize>) = open.iter().partition(|at| is_held(at));
        let unseen_bytes = UNSEEN_BYTES / unheld.len().max(1);
        let commands = unheld.iter().map(|at| self.read_of(many, *at, unseen_bytes)).collect();
        let Synced { replies, looked, as_of, .. } = match syncs {
            true => self.sync_about(About { keys: &keys, always: !unsure.is_empty(), fence: None }, commands).await?,
            false if unsure.is_empty() => {
                let replies = self.ask_all(commands, 0).await?;
                Synced::unasked(replies, before)
            }
            false => self.ask_index(&unsure, commands).await?,
        };
        let ground = Ground { read, known: before.position, as_of, looked };
        let mut again = self.settle_held(many, &held, &ground).await;
        let unread = unheld.iter().zip(replies).map(|(at, reply)| self.take_reply(many, *at, reply, &ground));
        again.extend(unread.flatten());
        again.sort_unstable();
        let mut room = many.room();
        let mut has_room = |(_, bytes): &(usize, usize)| {
            let has_room = *bytes <= room || room == many.room();
            room = room.saturating_sub(*bytes);
            has_room
        };
        let (again, left): (Vec<_>, Vec<_>) = again.into_iter().partition(&mut has_room);
        left.into_iter().for_each(|(at, _)| many.wanted[at].state = State::Left);
        let bytes = again.iter().map(|(_, bytes)| bytes).sum();
        let more_bytes = MORE_BYTES.max(many.room() / again.len().max(1));
        let commands =
            again.iter().map(|(at, bytes)| self.read_of(many, *at, bytes.saturating_add(more_bytes))).collect();
        for ((at, _), reply) in again.iter().zip(self.ask_all(commands, bytes).await?) {
            if self.take_reply(many, *at, reply, &ground).is_some() {
                many.wanted[*at].state = State::Left;
            }
        }
        Ok(())
    }

    /// The command that reads the copy of the key at a place, if its envelope has at most so many bytes.
    fn read_of(&self, many: &Many<'_>, at: usize, most_bytes: usize) -> Command {
        self.setup.copies.read_within(many.wanted[at].key.as_str(), most_bytes)
    }

    /// Answers with what L1 held before the sync and holds still, as far as somebody vouches for it; returns the places of
    /// the keys that L2 must be asked for, and about how many bytes it has of each.
    async fn settle_held(&self, many: &mut Many<'_>, held: &[usize], ground: &Ground) -> Vec<(usize, usize)> {
        let (mut gone, mut untrusted) = (Vec::new(), Vec::new());
        for &at in held {
            let wanted = &mut many.wanted[at];
            let copy = self.memory.get(wanted.key, self.clock.now_ms());
            let bytes = copy.as_ref().map_or(0, |copy| copy.entry.stored_bytes);
            let Some(copy) = copy.filter(|_| !self.journal_may_lack(ground.read)) else {
                gone.push((at, bytes));
                continue;
            };
            let settled = self.confirm_or_drop(wanted.key, &copy, ground.looked.as_ref());
            match settled {
                Some(true) => {
                    wanted.path.l1 = Step::Hit;
                    many.bytes += wanted.found(Ok(Some(self.hit(wanted.key, &copy, Level::L1))));
                }
                None => untrusted.push((at, wanted.key, copy, wanted.path)),
                Some(false) => gone.push((at, bytes)),
            }
        }
        let confirming: Vec<_> = untrusted
            .into_iter()
            .map(|(at, key, copy, mut path)| async move {
                let is_good = self.confirm(key, &copy, ground.read, &mut path).await;
                (at, copy, path, is_good)
            })
            .collect();
        let confirmed: Vec<_> = stream::iter(confirming).buffer_unordered(AT_ONCE).collect().await;
        for (at, copy, path, is_good) in confirmed {
            let wanted = &mut many.wanted[at];
            wanted.path = path;
            if is_good {
                many.bytes += wanted.found(Ok(Some(self.hit(wanted.key, &copy, Level::L3))));
            } else {
                gone.push((at, copy.entry.stored_bytes));
            }
        }
        gone
    }

    /// Judges the copy that a reply brings of the key at a place; or returns the place, and the bytes of the copy, where there
    /// was no room for it.
    fn take_reply(&self, many: &mut Many<'_>, at: usize, reply: Reply, ground: &Ground) -> Option<(usize, usize)> {
        match Found::parse_within(reply) {
            Ok(Ok(Some(found))) if !many.has_room() => return Some((at, found.envelope.len())),
            Ok(Ok(found)) => self.take_copy(many, at, found, ground),
            Ok(Err(bytes)) => return Some((at, bytes)),
            Err(down) => {
                tracing::debug!(%down, "a copy in L2 skipped");
                many.wanted[at].path.l2 = Step::Unavailable;
            }
        }
        None
    }

    fn take_copy(&self, many: &mut Many<'_>, at: usize, found: Option<Found>, ground: &Ground) {
        let wanted = &mut many.wanted[at];
        match self.judge(wanted.key, ground.read, found, ground.looked.as_ref(), &mut wanted.path) {
            Shared::Trusted(found, entry) => {
                let source = self.source_in_redis(ground.known, &found, entry);
                let hit = self.deliver(wanted.key, ground.as_of, source, Level::L2);
                many.bytes += wanted.found(Ok(Some(hit)));
            }
            Shared::Distrusted(found, entry) => wanted.doubtful = Some((found, entry)),
            Shared::Expired(kept) if kept.is_taken() => {
                let hit = self.answer_with(wanted.key, kept, &mut wanted.path);
                many.bytes += wanted.found(Ok(Some(hit)));
            }
            Shared::Expired(kept) => wanted.kept = Some(kept),
            Shared::Nothing => {}
        }
    }

    /// Redis cannot be asked: what L3 has confirmed a moment ago is answered by L1, and the rest by L3.
    fn go_on_without_redis(&self, many: &mut Many<'_>, read: Read, down: &Down) {
        tracing::debug!(%down, "L2 skipped");
        for wanted in many.wanted.iter_mut().filter(|wanted| wanted.is_open()) {
            wanted.path.l2 = Step::Unavailable;
            if let Some(hit) = self.get_from_memory(wanted.key, read, &mut wanted.path) {
                many.bytes += wanted.found(Ok(Some(hit)));
            } else if self.source_of_truth() == SourceOfTruth::L2 {
                wanted.found(Err(CacheError::unavailable(Level::L2, down.to_string())));
            }
        }
    }

    fn ended(&self, wanted: Wanted<'_>) -> Option<Result<Lookup, CacheError>> {
        let State::Found(found) = wanted.state else { return None };
        self.count_lookup(&wanted.path, &found);
        Some(found.map(|hit| Lookup { hit, path: wanted.path }))
    }
}
