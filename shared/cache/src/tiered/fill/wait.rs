//! Waiting for somebody else to fill. A waiter keeps its container busy, so few may, in the whole fleet.

use super::TieredCache;
use crate::{
    chance,
    fill::{Fill, Lease, MAX_WAIT_SECONDS},
    key::Key,
    outcome::{CacheError, Lookup, Read},
    quota::name_of,
    redis::{Batch, Command, Down, Keyspace, Leased, Order, Wanted, enter, entered, leased, leave},
};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Most who wait for one key, and most of one API key.
const MOST_FOR_KEY: usize = 2;
const MOST_OF_API_KEY: usize = 10;
/// How often a waiter looks, in ms: with up to half as much more, by chance.
const LOOK_MS: u64 = 100;
/// How much longer than it may wait one is taken to wait that was killed, in ms.
const KILLED_MS: u64 = 1000;

type Found = Result<(Lookup, Option<Fill>), CacheError>;

impl TieredCache {
    /// Waits for the value, or for the lease if its holder gives up; what was `found` where it may not wait.
    pub(super) async fn wait_for_fill(
        &self,
        key: &Key,
        read: Read,
        wanted: Wanted,
        lease: &Lease,
        found: Found,
    ) -> Found {
        let wait = lease.wait.min(Duration::from_secs(MAX_WAIT_SECONDS.into()));
        let until = Instant::now() + wait;
        let queues = self.queues(key, lease);
        match self.may_wait(&queues, wanted.lease, wait).await {
            Ok(true) => {}
            Ok(false) => return found,
            Err(down) => {
                tracing::debug!(%down, "nobody waits for a fill");
                return found;
            }
        }
        let ended = self.look_until(key, read, wanted, until, found).await;
        self.leave(&queues, wanted.lease).await;
        ended
    }

    fn queues(&self, key: &Key, lease: &Lease) -> Vec<(String, usize)> {
        let keys = Keyspace::new(&self.base);
        let of_api_key = name_of(&lease.api_key).map(|name| (keys.waiting_of(&name), MOST_OF_API_KEY));
        [(keys.waiting_for(key.as_str()), MOST_FOR_KEY)].into_iter().chain(of_api_key).collect()
    }

    /// Goes into all queues, or none.
    async fn may_wait(&self, queues: &[(String, usize)], name: u64, wait: Duration) -> Result<bool, Down> {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(KILLED_MS);
        let commands = queues.iter().map(|(queue, most)| enter(queue.clone(), name, ms, *most));
        let replies = self.link.run(&commands.collect(), Order::Any).await?;
        let entered = replies.into_iter().map(entered).collect::<Result<Vec<_>, _>>()?;
        let may_wait = entered.iter().all(|entered| *entered);
        if !may_wait {
            self.leave(queues, name).await;
        }
        Ok(may_wait)
    }

    async fn leave(&self, queues: &[(String, usize)], name: u64) {
        let commands: Batch = queues.iter().map(|(queue, _)| leave(queue.clone(), name)).collect();
        if let Err(down) = self.link.run(&commands, Order::Any).await {
            tracing::debug!(%down, "whoever waited is forgotten when its time is up");
        }
    }

    /// Looks now and then whether the copy is there, or the lease can be had.
    async fn look_until(&self, key: &Key, read: Read, wanted: Wanted, until: Instant, mut found: Found) -> Found {
        loop {
            let pause = Duration::from_millis(chance::u64(LOOK_MS..=LOOK_MS * 3 / 2));
            let next = Instant::now() + pause;
            if next >= until {
                return found;
            }
            sleep_until(next).await;
            let look: Command = self.setup().copies.read_or_lease(key.as_str(), wanted, false, self.clock.now_ms());
            let looked = self.link.run(&Batch::from_iter([look]), Order::Any).await;
            let looked = looked.and_then(|mut replies| leased(replies.pop().ok_or(Down::Odd("no reply"))?));
            match looked {
                Ok((_, Leased::Held(_))) => continue,
                Ok(_) => found = self.look_or_lease(key, read, wanted).await,
                Err(_) => return found,
            }
            if !matches!(found, Ok((_, Some(Fill::Held { .. })))) {
                return found;
            }
        }
    }
}
