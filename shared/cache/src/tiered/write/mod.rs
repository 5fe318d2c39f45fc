//! Mutations: each begins with a sync, commits, then updates its own L1, and is only then acknowledged. These are the steps
//! that all of them share.

pub(crate) mod commit;
pub(crate) mod condition;
pub(crate) mod many;
pub(crate) mod patch;
pub(crate) mod propagation;
mod put;
pub(crate) mod stock;
pub(crate) mod tags;
pub(crate) mod together;
mod unannounced;
pub(crate) mod versions;

use crate::tiered::{
    source::Source,
    view::{CaughtUp, Stop, View},
    write::{
        commit::{Begun, Effect},
        propagation::Propagation,
        together::Together,
    },
};
use crate::{
    cache_position::CachePosition,
    clock::elapsed_ms,
    codec::{self, Attributes, Payload},
    coherence::AsOf,
    dynamo::{Before, L3Error},
    entry::Entry,
    key::Key,
    level::{Level, Levels},
    outcome::{CacheError, Path, Step, Stored},
    put::Put,
    redis::Command,
    sliding::Sliding,
    source_of_truth::SourceOfTruth,
    version::Version,
};
use bytes::Bytes;
use std::sync::Arc;

/// How often an operation begins anew when others overtake it.
pub(crate) const TRIES: usize = 6;

/// What a PUT has done so far, also under a configuration that is not in force any more.
#[derive(Debug, Default)]
pub(crate) struct Attempts<'a> {
    /// A version that its next one must exceed.
    floor: Version,
    /// What it has written already, when something made it begin anew, and whether that replaced a live value.
    own: Option<(Version, bool)>,
    /// The others that it is made with.
    together: Option<&'a Together>,
    /// A sync was made for it and them, a moment ago.
    shared: bool,
}

impl Attempts<'_> {
    /// None so far of a PUT that is made with others.
    pub(crate) fn beginning(together: &Together) -> Attempts<'_> {
        Attempts { together: Some(together), shared: together.synced, ..Attempts::default() }
    }
}

impl View<'_> {
    /// Its value, compressed where that is allowed.
    pub(crate) fn payload(&self, put: &Put) -> Payload {
        let allowed = put.compress && self.setup.config.l2_config.compression_enabled;
        Payload::new(put.value.text().clone(), &self.setup.config.compression, allowed)
    }

    /// What the configuration allows, once it is known to be the one in force.
    pub(crate) fn allow(&self, put: &Put) -> Result<(), CacheError> {
        let (size_bytes, max_bytes) = (put.value.text().len(), self.setup.config.max_entry_bytes());
        if size_bytes > max_bytes {
            return Err(CacheError::TooLarge { size_bytes, max_bytes });
        }
        match put.levels.into_iter().flat_map(Levels::iter).find(|level| !self.uses(*level)) {
            Some(level) => Err(CacheError::Disabled(level)),
            None => Ok(()),
        }
    }

    /// Catches up, unless that was done for it and others and there is nothing to ask, and takes a version greater than
    /// `floor`.
    pub(crate) async fn begin(
        &self,
        key: &Key,
        mut floor: Version,
        named: Levels,
        (question, shared): (Vec<Command>, &mut bool),
        path: &mut Path,
    ) -> Result<Begun, Stop> {
        let (began_ms, asked_ms) = (self.clock.now_ms(), self.clock.steady_ms());
        let is_shared = std::mem::take(shared) && question.is_empty();
        let caught_up = if is_shared { self.caught_up_with_others()? } else { None };
        let CaughtUp { synced, followed, answers } = match caught_up {
            Some(caught_up) => caught_up,
            None => self.catch_up_to_write(question).await?,
        };
        let redis = synced.is_ok();
        if let Err(down) = synced
            && self.uses(Level::L2)
        {
            if self.source_of_truth() == SourceOfTruth::L2 || !named.has(Level::L3) {
                return Err(CacheError::from(down).into());
            }
            path.l2 = Step::Unavailable;
        }
        let mut before = Before::default();
        let as_of = self.as_of();
        if !redis {
            // Redis time cannot be asked: L3 and what is open say what must be exceeded. Catching up may have read that.
            let since_began = elapsed_ms(asked_ms, self.clock.steady_ms()) + 1;
            let (found, known) =
                tokio::join!(self.store.before(key.as_str()), self.learn_open_invalidations(false, since_began));
            before = found.map_err(|error| self.l3_failed(key, path, error))?.unwrap_or_default();
            // What is open now is exceeded; what opens later is a mutation at the same time.
            known?;
            floor = floor.max(before.version);
        }
        let version = if redis { self.version_above(floor, as_of) } else { self.version_without_redis(floor) };
        let held = self.memory.get(key, began_ms).filter(|copy| self.confirm_or_drop(key, copy, None) != Some(false));
        let held = held.is_some_and(|copy| !self.is_masked(Level::L1, key, &copy.entry));
        Ok(Begun { as_of, version, redis, followed, began_ms, asked_ms, before, held, answers })
    }

    /// The entry that is put, and its envelope, with a version and the time at which it was put.
    pub(crate) fn seal(
        &self,
        payload: &Payload,
        put: &Put,
        named: Levels,
        (version, now_ms): (Version, i64),
    ) -> (Entry, Bytes) {
        let latest_ms = now_ms + put.life_ms();
        let sliding = put.idle_seconds.map(|idle_seconds| Sliding { idle_seconds, latest_ms });
        let attributes = Attributes {
            version,
            created_at_ms: now_ms,
            expires_at_ms: sliding.map_or(latest_ms, |sliding| sliding.end(now_ms)),
            ttl_seconds: put.ttl_seconds,
            sliding,
            grace_seconds: put.grace_seconds,
            made_stale: false,
            tags: put.tags.clone(),
            levels: named,
        };
        codec::encode(payload, attributes, self.setup.config.serialization.format)
    }

    /// The as-of position by which a mutation's own value may go into L1. What others have read before may not, also
    /// where the journal does not say so.
    fn own_as_of(&self, begun: &Begun, propagation: Propagation) -> AsOf {
        if propagation.recorded().is_some() { begun.as_of } else { self.knowledge().overtake_fills(begun.as_of) }
    }

    pub(crate) fn stored(&self, key: &Key, entry: Entry, begun: &Begun, effect: Effect, mut path: Path) -> Stored {
        let as_of = self.own_as_of(begun, effect.propagation);
        self.forget(key, &mut path);
        let entry = Arc::new(entry);
        let mut levels = effect.stored;
        let source = Source {
            entry: Arc::clone(&entry),
            as_of: begun.as_of.position,
            certified_ms: begun.began_ms,
            read_at_ms: Some(begun.asked_ms),
            reads: 0,
            last_read_ms: 0,
        };
        if effect.propagation.may_fill()
            && let Some(copy) = self.fill(key, as_of, &source)
        {
            if let Some(at) = effect.propagation.recorded() {
                copy.record(at);
            }
            levels = levels.with(Level::L1);
            path.l1 = Step::Hit;
        }
        let created = effect.was_live.is_empty() && !begun.held;
        let position = self.position_after(effect.propagation);
        Stored { entry, created, levels, degraded: effect.propagation.is_degraded(), position, path }
    }

    /// The position of a caller that is told of a mutation.
    pub(crate) fn position_after(&self, propagation: Propagation) -> CachePosition {
        propagation.recorded().map_or_else(|| self.unrecorded_now(), CachePosition::recorded)
    }

    /// Drops the key from own L1.
    pub(crate) fn forget(&self, key: &Key, path: &mut Path) {
        if self.uses(Level::L1) {
            let held = self.memory.remove(key, self.clock.now_ms()).is_some();
            path.l1 = if held { Step::Hit } else { Step::Miss };
        }
    }

    pub(crate) fn l3_failed(&self, key: &Key, path: &mut Path, error: L3Error) -> CacheError {
        self.forget(key, path);
        path.l3 = Step::Unavailable;
        error.into()
    }
}
