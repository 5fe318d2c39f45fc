//! Many mutations at once, side by side: each as safe as alone, and none of them with the others.
//!
//! What one begins with, the sync that tells what must be exceeded, is one for all that begin a moment after it: each is
//! asked for before it. So is, for all that come to it at about the same time, what one ends with.

use crate::tiered::{
    TieredCache,
    read::many::AT_ONCE,
    view::CaughtUp,
    write::{Attempts, together::Together},
};
use crate::{
    level::Levels,
    many::{Attempt, Mutate, Mutated, Patience},
    outcome::CacheError,
    quota::name_of,
};
use futures_util::{
    future::join,
    stream::{self, StreamExt},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

/// Bytes of values that are on their way at once. They share one connection to Redis, and each has its time as if it were
/// alone: so many take half of `l2_config.timeout_ms` through the network of a small container.
const BYTES_AT_ONCE: usize = 1 << 20;

impl TieredCache {
    /// Makes many mutations, of a key each, as [`put`](TieredCache::put) and [`delete`](TieredCache::delete) make one.
    /// Says what came of each, in their order.
    pub async fn mutate_many(&self, mutations: &[Mutate], patience: Patience) -> Vec<Attempt> {
        let synced = self.catch_up_for_all(mutations).await;
        let view = self.view();
        let (together, waiting) = Together::new(&view, synced);
        let (attempts, ()) = join(self.attempt_all(mutations, patience, together), view.tell_all(waiting)).await;
        attempts
    }

    async fn attempt_all(&self, mutations: &[Mutate], patience: Patience, together: Together) -> Vec<Attempt> {
        let (room, together) = (&Semaphore::new(BYTES_AT_ONCE), &together);
        let attempts: Vec<_> = mutations
            .iter()
            .enumerate()
            .map(|(at, mutation)| async move {
                let bytes = mutation.bytes().min(BYTES_AT_ONCE);
                let _room = room.acquire_many(bytes.try_into().unwrap_or(u32::MAX)).await;
                (at, self.attempt(mutation, patience, together).await)
            })
            .collect();
        let mut attempts: Vec<_> = stream::iter(attempts).buffer_unordered(AT_ONCE).collect().await;
        attempts.sort_by_key(|(at, _)| *at);
        attempts.into_iter().map(|(_, attempt)| attempt).collect()
    }

    async fn attempt(&self, mutation: &Mutate, patience: Patience, together: &Together) -> Attempt {
        if Instant::now() >= patience.begin_until {
            return Attempt::NotBegun;
        }
        let ended = timeout_at(patience.end_until, self.mutate(mutation, together)).await;
        ended.map_or(Attempt::Unanswered, Attempt::Ended)
    }

    /// Syncs for all of them. Where that fails, or there is only one, each does so by itself.
    async fn catch_up_for_all(&self, mutations: &[Mutate]) -> bool {
        if mutations.len() < 2 {
            return false;
        }
        let view = self.view();
        // All of them are of one API key.
        let put = mutations.iter().find_map(|mutation| match mutation {
            Mutate::Put(key, put) => Some((key, put)),
            Mutate::Delete { .. } | Mutate::DeleteUndoably { .. } => None,
        });
        let question = put.map(|(key, put)| view.stock_question(key, put, Levels::ALL, true));
        let (commands, ended) = question.map(|question| (question.commands, question.ended)).unwrap_or_default();
        let Ok(CaughtUp { synced: Ok(()), answers, .. }) = view.catch_up_to_write(commands).await else { return false };
        if let Some(name) = put.and_then(|(_, put)| name_of(&put.api_key)) {
            view.learn_stock(&name, &answers, ended);
        }
        true
    }

    async fn mutate(&self, mutation: &Mutate, together: &Together) -> Result<Mutated, CacheError> {
        match mutation {
            Mutate::Put(key, put) => self.put_with(key, put, Attempts::beginning(together)).await.map(Mutated::Stored),
            Mutate::Delete { key, by } => self.delete_with(key, by, None, Some(together)).await.map(Mutated::Deleted),
            Mutate::DeleteUndoably { key, by, account, undo_seconds } => {
                let wish = self.wish_of_delete(key, by, account, *undo_seconds)?;
                self.delete_with(key, by, Some(&wish), Some(together)).await.map(Mutated::Deleted)
            }
        }
    }
}
