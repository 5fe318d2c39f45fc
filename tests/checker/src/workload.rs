//! What the clients do: a random mix, drawn from the run's seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;

use crate::history::{Action, KeyId, Patch, Put, Scope, TagId};
use crate::keys::{KEPT, Keys, QUIET};
use crate::value;

/// Of a hundred operations; the rest is invalidations by tag.
const GETS: u32 = 64;
const PUTS: u32 = 20;
const PATCHES: u32 = 4;
const DELETES: u32 = 6;
const PATTERNS: u32 = 2;
const BY_NAME: u32 = 2;
/// Of a hundred requests of a client, those that are a batch of operations.
const BATCHES: u32 = 15;
/// Of a hundred turns of a client, those that read a key and, where it is missing, fill it.
const FILLS: u32 = 15;
/// Longest time that a value takes to be loaded for that.
const LOAD_MS: u64 = 300;
/// Of a hundred reads, those with `no-cache`.
const NO_CACHE: u32 = 25;
/// Those that take what has expired.
const STALE: u32 = 15;
/// Of a hundred PUTs, those that name their levels.
const LIMITED: u32 = 20;
/// Of a hundred invalidations, those that leave L3 alone, so that what is read next is promoted.
const UPPER: u32 = 40;
/// Those that leave the grace of values.
const SOFT: u32 = 20;
/// The levels a PUT may name. L1 alone is best effort by its meaning, so nothing can be said of it.
const PUT_LEVELS: [&[&str]; 4] =
    [&["L2_REDIS", "L3_DATABASE"], &["L3_DATABASE"], &["L1_MEMORY", "L3_DATABASE"], &["L1_MEMORY", "L2_REDIS"]];
/// The levels of an invalidation that leaves L3 alone.
const UPPER_LEVELS: &[&str] = &["L1_MEMORY", "L2_REDIS"];

/// Draws operations; the numbers of values go up across all clients.
pub(crate) struct Workload {
    pub(crate) keys: Keys,
    next_value: AtomicU64,
}

impl Workload {
    pub(crate) fn new(keys: Keys) -> Self {
        Self { keys, next_value: AtomicU64::new(1) }
    }

    pub(crate) fn any(&self, rng: &mut Rng) -> Action {
        let die = rng.u32(..100);
        match die {
            _ if die < GETS => self.read(rng),
            _ if die < GETS + PUTS => self.put(Keys::any(rng), rng),
            _ if die < GETS + PUTS + PATCHES => self.patch(Keys::any(rng), rng),
            _ if die < GETS + PUTS + PATCHES + DELETES => Action::Delete { key: Keys::removable(rng) },
            _ if die < GETS + PUTS + PATCHES + DELETES + PATTERNS => {
                let scope = self.keys.pattern(rng);
                invalidate(scope, rng)
            }
            _ if die < GETS + PUTS + PATCHES + DELETES + PATTERNS + BY_NAME => {
                let scope = Scope::Keys(Keys::some_removable(rng));
                invalidate(scope, rng)
            }
            _ => self.invalidate_tag(rng),
        }
    }

    /// What one request of a client asks for: one operation, or a batch of reads and mutations of different keys.
    pub(crate) fn request(&self, rng: &mut Rng) -> Vec<Action> {
        if rng.u32(..100) >= BATCHES {
            return vec![self.any(rng)];
        }
        let no_cache = rng.u32(..100) < NO_CACHE;
        let operation = |key: KeyId, rng: &mut Rng| match rng.u32(..GETS + PUTS + DELETES) {
            die if die < GETS => Action::Get { key, no_cache },
            die if die < GETS + PUTS || !Keys::is_removable(key) => self.put(key, rng),
            _ => Action::Delete { key },
        };
        Keys::some(rng).into_iter().map(|key| operation(key, rng)).collect()
    }

    /// A PUT of what is to be loaded where its key is missing, and how long that takes; `None` for anything else.
    pub(crate) fn fill(&self, rng: &mut Rng) -> Option<(Action, Duration)> {
        let put = (rng.u32(..100) < FILLS).then(|| {
            let key = Keys::removable(rng);
            self.put_with(key, Keys::tags(key, rng), &[], rng)
        });
        put.map(|put| (put, Duration::from_millis(rng.u64(..LOAD_MS))))
    }

    pub(crate) fn read(&self, rng: &mut Rng) -> Action {
        let key = Keys::any(rng);
        match rng.u32(..100) {
            die if die < NO_CACHE => Action::Get { key, no_cache: true },
            die if die < NO_CACHE + STALE => Action::GetStale { key, no_cache: false },
            _ => Action::Get { key, no_cache: false },
        }
    }

    /// Anything but a read.
    pub(crate) fn mutation(&self, rng: &mut Rng) -> Action {
        match rng.u32(..5) {
            0 => Action::Delete { key: Keys::removable(rng) },
            1 => self.invalidate_tag(rng),
            2 => self.patch(Keys::any(rng), rng),
            _ => self.put(Keys::removable(rng), rng),
        }
    }

    /// A PATCH: each tag of a key may come or go.
    pub(crate) fn patch(&self, key: KeyId, rng: &mut Rng) -> Action {
        let ttl = Duration::from_secs(Keys::patched_ttl_seconds(key, rng));
        let tags = Keys::tags(key, rng);
        let (add, remove) = if rng.bool() { (tags, vec![]) } else { (vec![], tags) };
        let keeps = key == KEPT;
        Action::Patch(Patch { key, ttl, add, remove: if keeps { vec![] } else { remove } })
    }

    fn put(&self, key: KeyId, rng: &mut Rng) -> Action {
        let limited = rng.u32(..100) < LIMITED;
        let levels = if limited { PUT_LEVELS[rng.usize(..PUT_LEVELS.len())] } else { &[] };
        self.put_with(key, Keys::tags(key, rng), levels, rng)
    }

    /// A PUT of just this.
    pub(crate) fn put_with(
        &self,
        key: KeyId,
        tags: Vec<TagId>,
        levels: &'static [&'static str],
        rng: &mut Rng,
    ) -> Action {
        self.put_value(self.next_value.fetch_add(1, Ordering::Relaxed), key, tags, levels, rng)
    }

    /// A PUT of a value that takes L3 several items, into all levels.
    pub(crate) fn put_large(&self, key: KeyId, rng: &mut Rng) -> Action {
        let past = |next| Some(value::next_large(next) + 1);
        let before = self.next_value.fetch_update(Ordering::Relaxed, Ordering::Relaxed, past);
        let before = before.expect("there is always a next one");
        self.put_value(value::next_large(before), key, vec![], &[], rng)
    }

    fn put_value(
        &self,
        value: u64,
        key: KeyId,
        tags: Vec<TagId>,
        levels: &'static [&'static str],
        rng: &mut Rng,
    ) -> Action {
        let ttl = Duration::from_secs(Keys::ttl_seconds(key, rng));
        let grace = Duration::from_secs(Keys::grace_seconds(key, value));
        Action::Put(Put { key, value, ttl, grace, tags, levels, loaded: None })
    }

    /// A PUT of the quiet key into all levels; without tags, so that it is one write into L3 and no other.
    pub(crate) fn put_quiet(&self, rng: &mut Rng) -> Action {
        self.put_with(QUIET, Vec::new(), &[], rng)
    }

    /// Something that makes an end of the quiet key's value.
    pub(crate) fn end_quiet(&self, rng: &mut Rng) -> Action {
        match rng.u32(..5) {
            0 => Action::Delete { key: QUIET },
            1 => self.put_quiet(rng),
            _ => Action::Invalidate { scope: self.keys.quiet(), levels: &[] },
        }
    }

    /// A PUT of just this, with a grace.
    pub(crate) fn put_with_grace(&self, key: KeyId, tags: Vec<TagId>, rng: &mut Rng) -> Action {
        let odd = |next: u64| Some(next + 1 + u64::from(next.is_multiple_of(2)));
        let next = self.next_value.fetch_update(Ordering::Relaxed, Ordering::Relaxed, odd);
        let next = next.expect("there is always a next one");
        self.put_value(next + u64::from(next.is_multiple_of(2)), key, tags, &[], rng)
    }

    /// Makes an end of the values that are left alone, but for the last of them.
    pub(crate) fn sweep_left(&self) -> Action {
        Action::Invalidate { scope: self.keys.first_left(), levels: &[] }
    }

    /// Leaves a key's value in L3 only.
    pub(crate) fn demote(&self, key: KeyId) -> Action {
        Action::Invalidate { scope: self.keys.exactly(key), levels: UPPER_LEVELS }
    }

    fn invalidate_tag(&self, rng: &mut Rng) -> Action {
        let scope = Scope::Tag(Keys::swept_tag(rng));
        invalidate(scope, rng)
    }
}

/// One of the kinds of invalidations.
fn invalidate(scope: Scope, rng: &mut Rng) -> Action {
    match rng.u32(..100) {
        die if die < UPPER => Action::Invalidate { scope, levels: UPPER_LEVELS },
        die if die < UPPER + SOFT => Action::MakeStale { scope },
        _ => Action::Invalidate { scope, levels: &[] },
    }
}
