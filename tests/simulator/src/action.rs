//! What is read and written: the few keys of a run, and the patterns and tags that mean some of them.

use crate::mix::{Kind, Mix};
use fastrand::Rng;
use std::time::Duration;
use strata_checker::history::{Action, KeyId, Patch, Put, Scope, TagId};

/// The names of the keys, the busy ones first.
pub(crate) const NAMES: [&str; 8] = ["a/1", "a/2", "ß/1", "short", "b/é", "kept", "a/large", "c"];
/// The key whose values live for a second or two, where some do.
const SHORT: KeyId = 3;
/// The key that no deletion and no invalidation ever means, though it has the prefix of others, and a tag.
const KEPT: KeyId = 5;
/// The tags; all begin like the first.
pub(crate) const TAGS: [&str; 3] = ["t", "tt", "t:kept"];
/// The tag of the key that is kept.
const KEPT_TAG: TagId = 2;
/// Patterns, and which keys they match.
const PATTERNS: [(&str, &[KeyId]); 7] = [
    ("a/*", &[0, 1, 6]),
    ("[aß]/1", &[0, 2]),
    ("?/?", &[0, 1, 2, 4]),
    ("*/1", &[0, 2]),
    ("ß/1", &[2]),
    ("s*", &[SHORT]),
    ("c", &[7]),
];
/// Levels that hold copies only.
const UPPER: &[&str] = &["L1_MEMORY", "L2_REDIS"];

/// What makes an end of values in every level.
const ENDS: [Kind; 4] = [Kind::Delete, Kind::InvalidatePattern, Kind::InvalidateTag, Kind::InvalidateKeys];

/// Draws what clients ask for; no two PUTs have the same value.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    values: u64,
}

/// One value in so many would be large, the first of them this one; they are passed over where a run has none.
const LARGE_EVERY: u64 = 128;
const FIRST_LARGE: u64 = 63;

/// What a client is to do next.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    /// One operation.
    One(Action),
    /// Reads, and at times mutations, of different keys in one request.
    Many(Vec<Action>),
    /// A read that takes a lease where it finds nothing, a load for so long, and the PUT of what was loaded.
    Fill(Put, Duration),
    /// Something that makes an end of values, and after a while an undo of that.
    Undo(Action, Duration),
    /// A question why a key is answered as it is, and a read of it.
    Explain(KeyId),
    /// A warm job.
    Warm(Vec<KeyId>),
}

impl Actions {
    pub(crate) fn draw(&mut self, mix: &Mix, rng: &mut Rng) -> Task {
        let kind = mix.kind(rng);
        Task::One(match kind {
            Kind::Get | Kind::GetNoCache => Action::Get { key: any(rng), no_cache: kind == Kind::GetNoCache },
            Kind::GetStale => Action::GetStale { key: any(rng), no_cache: rng.u8(..4) == 0 },
            Kind::Put => Action::Put(self.put(mix, &[], rng)),
            Kind::PutUpper => Action::Put(self.put(mix, UPPER, rng)),
            Kind::Patch => Action::Patch(patch(mix, rng)),
            Kind::Delete | Kind::InvalidatePattern | Kind::InvalidateTag | Kind::InvalidateKeys => end(kind, rng),
            Kind::MakeStale => match end(ENDS[rng.usize(..ENDS.len())], rng) {
                Action::Invalidate { scope, .. } => Action::MakeStale { scope },
                other => other,
            },
            Kind::InvalidateUpper => Action::Invalidate { scope: Scope::Tag(rng.usize(..KEPT_TAG)), levels: UPPER },
            Kind::Fill => {
                let load = Duration::from_millis(rng.u64(..mix.think_ms * 2 + 1));
                return Task::Fill(self.put(mix, &[], rng), load);
            }
            Kind::Undo => {
                let action = end(ENDS[rng.usize(..ENDS.len())], rng);
                return Task::Undo(action, Duration::from_millis(rng.u64(..mix.think_ms * 4 + 2)));
            }
            Kind::Explain => return Task::Explain(any(rng)),
            Kind::Many => return Task::Many(self.batch(mix, rng)),
            Kind::Warm => return Task::Warm(some(rng)),
        })
    }

    fn batch(&mut self, mix: &Mix, rng: &mut Rng) -> Vec<Action> {
        let (reads_only, keys) = (rng.bool(), some(rng));
        let action = |key| match rng.u8(..4) {
            0 if !reads_only => Action::Put(self.put_of(key, mix, &[], rng)),
            1 if !reads_only && key != KEPT => Action::Delete { key },
            _ => Action::Get { key, no_cache: false },
        };
        keys.into_iter().map(action).collect()
    }

    fn put(&mut self, mix: &Mix, levels: &'static [&'static str], rng: &mut Rng) -> Put {
        let key = any(rng);
        self.put_of(key, mix, levels, rng)
    }

    fn put_of(&mut self, key: KeyId, mix: &Mix, levels: &'static [&'static str], rng: &mut Rng) -> Put {
        self.values += 1;
        if self.values % LARGE_EVERY == FIRST_LARGE && !mix.large_values {
            self.values += 1;
        }
        let tags = match key {
            KEPT => vec![KEPT_TAG],
            _ => (0..KEPT_TAG).filter(|_| rng.bool()).collect(),
        };
        let (ttl, grace) = (life(mix, key, rng), grace(mix, rng));
        Put { key, value: self.values, ttl, grace, tags, levels, loaded: None }
    }
}

/// What makes an end of values, also in L3.
fn end(kind: Kind, rng: &mut Rng) -> Action {
    let scope = match kind {
        Kind::InvalidatePattern => {
            let (text, keys) = PATTERNS[rng.usize(..PATTERNS.len())];
            Scope::Pattern { text: text.to_owned(), keys: keys.to_vec() }
        }
        Kind::InvalidateTag => Scope::Tag(rng.usize(..KEPT_TAG)),
        Kind::InvalidateKeys => Scope::Keys(some(rng).into_iter().filter(|key| *key != KEPT).collect()),
        _ => return Action::Delete { key: removable(rng) },
    };
    Action::Invalidate { scope, levels: &[] }
}

fn patch(mix: &Mix, rng: &mut Rng) -> Patch {
    let key = any(rng);
    let ttl = match life(mix, key, rng) {
        short if short < Duration::from_secs(60) => short,
        // Hours apart from those that PUTs give.
        _ => Duration::from_secs(3600 * rng.u64(3..=9)),
    };
    let (add, remove) = if key == KEPT { (Vec::new(), Vec::new()) } else { (tags(rng), tags(rng)) };
    let remove = remove.into_iter().filter(|tag| !add.contains(tag)).collect();
    Patch { key, ttl, add, remove }
}

fn tags(rng: &mut Rng) -> Vec<TagId> {
    (0..KEPT_TAG).filter(|_| rng.u8(..4) == 0).collect()
}

fn life(mix: &Mix, key: KeyId, rng: &mut Rng) -> Duration {
    Duration::from_secs(if key == SHORT && mix.short_lives { rng.u64(1..=2) } else { 7200 })
}

/// For how long a value is kept when its life is over: mostly not at all; else for long, or so that it ends within the run.
fn grace(mix: &Mix, rng: &mut Rng) -> Duration {
    Duration::from_secs(match rng.u8(..4) {
        0 => 3600,
        1 if mix.short_lives => rng.u64(1..=5),
        _ => 0,
    })
}

fn any(rng: &mut Rng) -> KeyId {
    rng.usize(..NAMES.len()).min(rng.usize(..NAMES.len()))
}

fn removable(rng: &mut Rng) -> KeyId {
    match any(rng) {
        KEPT => 0,
        key => key,
    }
}

fn some(rng: &mut Rng) -> Vec<KeyId> {
    let mut keys: Vec<KeyId> = (0..NAMES.len()).collect();
    rng.shuffle(&mut keys);
    keys.truncate(rng.usize(2..=4));
    keys
}
