//! What a client says to the cache in the words of its library, and what that answers in the words of a history.

use crate::{
    action::{NAMES, TAGS},
    container::{Broken, Container},
    world::ZERO_MS,
};
use std::sync::Arc;
use strata_cache::{
    CacheError, Deleted, Hit, Invalidate, Invalidated, Json, Key, Keys, Level, Levels, Lookup, Patch, Pattern, Put,
    Read, Selector, Stored, Undo, UndoRefusal,
};
use strata_checker::{
    history::{self, Action, Found, KeyId, Outcome, Scope},
    value,
};

/// Who all clients are.
pub(crate) const CLIENT: &str = "client";
/// For how long what is made stale is kept at most, in seconds.
const MOST_STALE_SECONDS: u32 = 3600;

impl Broken {
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Broken::Killed => Outcome::Unknown { status: 502, killed: true },
            Broken::Panicked => Outcome::Unknown { status: 500, killed: false },
            Broken::TooLate => Outcome::Unknown { status: 504, killed: false },
        }
    }
}

pub(crate) fn name(key: KeyId) -> Key {
    Key::new(NAMES[key]).expect("the names are keys")
}

fn tags(ids: &[usize]) -> Vec<Arc<str>> {
    ids.iter().map(|tag| TAGS[*tag].into()).collect()
}

fn levels(names: &[&str]) -> Levels {
    match names {
        [] => Levels::ALL,
        names => names.iter().filter_map(|name| Level::from_name(name)).collect(),
    }
}

pub(crate) fn wanted(put: &history::Put) -> Put {
    let seconds = u32::try_from(put.ttl.as_secs()).unwrap_or(u32::MAX);
    let value = Json::checked(value::text(put.value).into());
    let grace = u32::try_from(put.grace.as_secs()).unwrap_or(u32::MAX);
    let wanted = Put::new(value, seconds).grace(grace).tags(tags(&put.tags)).by(CLIENT);
    if put.levels.is_empty() { wanted } else { wanted.levels(levels(put.levels)) }
}

/// Asks the cache, and says how that ended as a client of the API would see it.
pub(crate) async fn ask(container: &Container, action: &Action) -> Outcome {
    let cache = &container.cache;
    match action {
        Action::Get { key, no_cache } | Action::GetStale { key, no_cache } => {
            let takes_stale = matches!(action, Action::GetStale { .. });
            let read = Read { no_cache: *no_cache, ..Read::default() };
            let read = if takes_stale { read.max_stale(u32::MAX) } else { read };
            cache.get(&name(*key), read).await.map_or_else(|error| refused(&error), |lookup| looked_up(&lookup))
        }
        Action::Put(put) => put_in(container, &name(put.key), wanted(put)).await,
        Action::Patch(patch) => {
            let wanted = Patch {
                ttl_seconds: u32::try_from(patch.ttl.as_secs()).ok(),
                add_tags: tags(&patch.add),
                remove_tags: tags(&patch.remove),
                ..Patch::default()
            };
            match cache.patch(&name(patch.key), &wanted).await {
                Ok(Some(done)) => Outcome::Acknowledged { degraded: done.degraded, durable: false },
                Ok(None) => Outcome::Refused(404),
                Err(error) => refused(&error),
            }
        }
        Action::Delete { .. } | Action::Invalidate { .. } => remove(container, action, 0).await.0,
        Action::MakeStale { scope } => {
            let request = Invalidate {
                account: Some(CLIENT.to_owned()),
                ..Invalidate::new(selector(scope)).by(CLIENT).stale_seconds(MOST_STALE_SECONDS)
            };
            let done = cache.invalidate(&request).await;
            done.map_or_else(|error| refused(&error), |done| invalidated(&done))
        }
        Action::Undo { .. } => unreachable!("it is asked for by the name of what it undoes"),
    }
}

/// Stores a value.
pub(crate) async fn put_in(container: &Container, key: &Key, put: Put) -> Outcome {
    container.cache.put(key, put).await.map_or_else(|error| refused(&error), |done| stored(&done))
}

/// Makes an end of values, by a DELETE or an invalidation that can be undone for so long; says by which name.
pub(crate) async fn remove(container: &Container, action: &Action, undo_seconds: u32) -> (Outcome, Option<Arc<str>>) {
    let cache = &container.cache;
    let done = match action {
        Action::Delete { key } => {
            let done = cache.delete_undoably(&name(*key), CLIENT, CLIENT, Some(undo_seconds)).await;
            done.map(|done| (deleted(&done), done.undo))
        }
        Action::Invalidate { scope, levels: named } => {
            let request = Invalidate {
                levels: levels(named),
                account: Some(CLIENT.to_owned()),
                ..Invalidate::new(selector(scope)).by(CLIENT).undo_seconds(undo_seconds)
            };
            let done = cache.invalidate(&request).await;
            done.map(|done| (invalidated(&done), done.undo))
        }
        _ => unreachable!("nothing else makes an end of values"),
    };
    done.map_or_else(|error| (refused(&error), None), |(outcome, undo)| (outcome, undo.map(|undo| undo.id)))
}

fn invalidated(done: &Invalidated) -> Outcome {
    Outcome::Acknowledged { degraded: done.degraded, durable: false }
}

/// Undoes what has that name.
pub(crate) async fn undo(container: &Container, id: &str) -> Outcome {
    match container.cache.undo(&Undo { id, by: CLIENT, may: &|_| true }).await {
        Ok(_) => Outcome::Acknowledged { degraded: false, durable: false },
        Err(error) => refused(&error),
    }
}

fn selector(scope: &Scope) -> Selector {
    match scope {
        Scope::Pattern { text, .. } => Selector::Pattern(Pattern::new(text).expect("it is a pattern")),
        Scope::Keys(keys) => Selector::Keys(keys.iter().map(|key| name(*key)).collect::<Keys>()),
        Scope::Tag(tag) => Selector::Tags { any: tags(&[*tag]), within: None },
    }
}

pub(crate) fn stored(done: &Stored) -> Outcome {
    Outcome::Acknowledged { degraded: done.degraded, durable: done.levels.has(Level::L3) }
}

pub(crate) fn deleted(done: &Deleted) -> Outcome {
    match done.levels.is_empty() {
        true => Outcome::NothingThere,
        false => Outcome::Acknowledged { degraded: done.degraded, durable: false },
    }
}

/// How an error looks from outside: one after which nothing can have happened, and one that leaves that open.
pub(crate) fn refused(error: &CacheError) -> Outcome {
    match error {
        CacheError::Unavailable { .. } | CacheError::Contended | CacheError::OutOfTime => {
            Outcome::Unknown { status: 503, killed: false }
        }
        CacheError::Undo(UndoRefusal::Unfinished) => Outcome::Unknown { status: 409, killed: false },
        CacheError::Undo(_) => Outcome::Refused(409),
        CacheError::PreconditionFailed | CacheError::LeaseLost => Outcome::Refused(412),
        _ => Outcome::Refused(422),
    }
}

pub(crate) fn looked_up(lookup: &Lookup) -> Outcome {
    lookup.hit.as_ref().map_or(Outcome::Absent, |hit| Outcome::Found(found_by(hit)))
}

fn found_by(hit: &Hit) -> Found {
    let text = hit.entry.json();
    let number = value::number(text);
    Found {
        value: number,
        intact: number.is_some_and(|number| value::text(number) == text),
        level: hit.level.name().to_owned(),
        expires_at_ms: hit.entry.expires_at_ms - ZERO_MS,
        stale: hit.stale,
    }
}
