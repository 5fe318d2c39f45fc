//! The order in which the three levels are asked; nothing outside of this folder knows it.
//!
//! L3 decides which value of a key is the newest. What L1 and L2 hold are certificates: "at this position of the
//! journal, L3 had this version". A copy is returned while no record after that position touches its key, and a
//! mutation is acknowledged after L3 has it and the journal says so. With L3 switched off, L2 decides.

mod catch_up;
#[cfg(all(test, feature = "shuttle"))]
mod concurrency;
mod fill;
mod fleet;
#[cfg(feature = "in-memory")]
mod in_memory;
mod invalidate;
mod jobs;
mod knowledge;
mod list;
mod load;
mod open_error;
mod outbox;
mod position;
mod read;
mod setup;
mod source;
mod sync;
#[cfg(test)]
mod tests;
mod undo;
mod view;
mod warm;
mod write;

pub use self::open_error::OpenError;

use self::{
    load::flights::Flights,
    outbox::{in_doubt::InDoubt, undelivered::Undelivered},
    setup::Setup,
    sync::{access_deltas::AccessDeltas, audit::Audits, unfinished::Unfinished},
    view::ended,
    warm::prefetch_queue::Prefetches,
    write::{Attempts, versions::Taken},
};
use crate::{
    Clock, Config, chance,
    coherence::Coherence,
    config::document::Document,
    dynamo::{self, Authorities, Store},
    key::Key,
    limits::{Limits, Meters},
    lock::Lock,
    memory::Memory,
    outcome::{CacheError, Deleted, Lookup, Read, Stored},
    pause::Pause,
    put::Put,
    quota::{Quotas, Stocks},
    redis::{Fleet, Journal, Keyspace, Leases, Link, RedisAccess},
    stats::{Counters, Reporter, SyncTimes},
    version::Position,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64},
    },
    time::Duration,
};

/// What is fixed when a container starts.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The table of notes, jobs and the configuration document.
    pub control_table: String,
    /// How much each API key may ask for.
    pub limits: Limits,
    /// How much each API key may store.
    pub quotas: Quotas,
    /// Where time comes from.
    pub clock: Clock,
    /// How long one invalidation removes before the rest continues as a job; some seconds less than its caller waits.
    pub request_budget: Duration,
    /// How long one call works on jobs; see [`TieredCache::run_next`].
    pub slice: Duration,
    /// How many unfinished warm jobs an account may have, up to [`Deployment::MOST_JOBS`]; 0 for any number.
    pub jobs_per_account: usize,
    /// How connections to Redis are made, beyond `l2_config.redis_url`.
    pub redis: RedisAccess,
    /// The certificate authorities to trust for DynamoDB, instead of the public ones that are compiled in.
    pub dynamo_ca: Option<Authorities>,
    /// In-memory stand-ins for Redis and DynamoDB.
    #[cfg(feature = "in-memory")]
    pub engines: Option<crate::engines::Engines>,
}

impl Deployment {
    /// How long one invalidation removes by default, in seconds: less than API Gateway waits (29 s), with time to say so.
    pub const REQUEST_SECONDS: u64 = 20;
    /// How long one slice of a job takes at most by default, in seconds.
    pub const SLICE_SECONDS: u64 = 60;
    /// Unfinished warm jobs of an account by default.
    pub const JOBS: usize = 100;
    /// The largest such limit: an account's unfinished jobs are read with each request for one more, in one page.
    pub const MOST_JOBS: usize = 1000;

    /// A deployment with that control table, no limits or quotas, the system's clock, default times, and Redis as its URL says.
    pub fn new(control_table: impl Into<String>) -> Deployment {
        Deployment {
            control_table: control_table.into(),
            limits: Limits::OFF,
            quotas: Quotas::default(),
            clock: Clock::system(),
            request_budget: Duration::from_secs(Deployment::REQUEST_SECONDS),
            slice: Duration::from_secs(Deployment::SLICE_SECONDS),
            jobs_per_account: Deployment::JOBS,
            redis: RedisAccess::default(),
            dynamo_ca: None,
            #[cfg(feature = "in-memory")]
            engines: None,
        }
    }

    /// Sets the rate limits that [`TieredCache::admit`] enforces.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Deployment {
        self.limits = limits;
        self
    }

    /// Sets what one API key may store.
    #[must_use]
    pub fn quotas(mut self, quotas: Quotas) -> Deployment {
        self.quotas = quotas;
        self
    }

    /// Uses another clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Deployment {
        self.clock = clock;
        self
    }

    /// Sets how connections to Redis are made.
    #[must_use]
    pub fn redis(mut self, access: RedisAccess) -> Deployment {
        self.redis = access;
        self
    }
}

impl Default for Deployment {
    /// A deployment with the control table `cache_control`.
    fn default() -> Deployment {
        Deployment::new("cache_control")
    }
}

/// The cache of one container: its own L1 before the L2 and L3 of the fleet.
#[derive(Debug)]
pub struct TieredCache {
    /// The configuration of the deployment, over which lies what was changed by the API.
    base: Config,
    setup: Lock<Arc<Setup>>,
    /// When the configuration was last known to be the one in force, in steady ms.
    followed_ms: AtomicI64,
    clock: Clock,
    memory: Memory,
    link: Link,
    journal: Journal,
    leases: Leases,
    fleet: Fleet,
    store: Store,
    counters: Counters,
    reporter: Reporter,
    sync_times: SyncTimes,
    audits: Audits,
    /// What each API key has used of its limits here.
    meters: Lock<Meters>,
    /// What each API key has stored, as far as this container knows.
    stocks: Lock<Stocks>,
    /// Whoever asks Redis for permits, one at a time: what it lends to one may be enough for the next.
    borrowing: tokio::sync::Mutex<()>,
    knowledge: Lock<Coherence>,
    /// An operation panicked: what is known, and what L1 holds, may be half of what it was to be.
    panicked: AtomicBool,
    /// What was read since the last sync, and the fleet does not know of yet.
    access_deltas: Lock<AccessDeltas>,
    /// What warm jobs named and L1 is to take in ahead of its readers.
    prefetches: Prefetches,
    /// Writes into L2 whose end is not known.
    unfinished: Lock<Vec<Unfinished>>,
    /// What is being loaded.
    flights: Flights,
    /// Leases whose loads nobody waits for any more.
    left_leases: Lock<Vec<(Key, u64)>>,
    /// Mutations that L3 may have taken although nobody was told so.
    in_doubt: Lock<InDoubt>,
    /// Whoever puts outage notes into the journal, one at a time.
    delivering: tokio::sync::Mutex<()>,
    /// Outage notes are not asked for again at once when they cannot be read.
    notes_pause: Pause,
    /// Since when they cannot, in steady ms; `i64::MAX` when they can.
    notes_unread_ms: AtomicI64,
    /// The notes of this container that it has not seen in the journal yet.
    undelivered: Undelivered,
    request_budget: Duration,
    slice: Duration,
    jobs_per_account: usize,
    /// Tells apart the versions of containers that begin an operation in the same microsecond.
    container: u16,
    /// The last PUT with tags that knew nothing of its key met none with the same tags.
    meets_new_tags: AtomicBool,
    /// The versions that this container has taken for values, and those that were to be above all.
    taken: Taken,
    taken_above_all: Taken,
}

impl TieredCache {
    /// Makes the cache of this container. It does not connect yet, so it cannot fail because a level is unreachable.
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    pub fn open(deployment: Deployment, config: Config) -> Result<TieredCache, OpenError> {
        if config.l2_config.key_prefix.contains(['{', '}']) {
            return Err(OpenError::KeyPrefix);
        }
        if config.l2_config.redis_url.names_database_of_cluster() {
            return Err(OpenError::ClusterDatabase);
        }
        if !config.l2_config.enabled && !config.l3_config.enabled {
            return Err(OpenError::NoSharedLevel);
        }
        let Deployment {
            control_table,
            limits,
            quotas,
            clock,
            request_budget,
            slice,
            jobs_per_account,
            redis,
            dynamo_ca,
            #[cfg(feature = "in-memory")]
            engines,
        } = deployment;
        let key_prefix = config.l2_config.key_prefix.clone();
        let keys = Keyspace::new(&config);
        let link = Link::new(&config.l2_config, &redis, clock.clone()).map_err(|_| OpenError::RedisUrl)?;
        let identity = dynamo::Identity { control: control_table, key_prefix };
        let store = Store::new(&config.l3_config, identity, dynamo_ca, clock.clone());
        #[cfg(feature = "in-memory")]
        let (link, store) = match engines {
            Some(engines) => (link.to(engines.redis), store.to(engines.dynamodb)),
            None => (link, store),
        };
        let counters = Counters::default();
        let setup = Setup::new(config.clone(), Document::default(), Position::ZERO);
        let mut knowledge = Coherence::new(setup.source_of_truth);
        knowledge.configure(setup.source_of_truth, config.l2_config.enabled);
        Ok(TieredCache {
            memory: Memory::new(&config.l1_config, clock.clone(), counters.clone()),
            fleet: Fleet::new(keys.clone()),
            counters,
            reporter: Reporter::new(),
            sync_times: SyncTimes::default(),
            audits: Audits::default(),
            journal: Journal::new(&keys, link.is_cluster()),
            leases: Leases::new(keys),
            meters: Lock::new(Meters::new(limits)),
            stocks: Lock::new(Stocks::new(quotas)),
            borrowing: tokio::sync::Mutex::default(),
            store,
            setup: Lock::new(Arc::new(setup)),
            followed_ms: AtomicI64::new(i64::MIN),
            knowledge: Lock::new(knowledge),
            panicked: AtomicBool::new(false),
            access_deltas: Lock::default(),
            prefetches: Prefetches::default(),
            unfinished: Lock::default(),
            flights: Flights::default(),
            left_leases: Lock::default(),
            in_doubt: Lock::default(),
            delivering: tokio::sync::Mutex::default(),
            notes_pause: Pause::new(clock.clone()),
            notes_unread_ms: AtomicI64::new(i64::MAX),
            undelivered: Undelivered::default(),
            request_budget,
            slice,
            jobs_per_account: jobs_per_account.min(Deployment::MOST_JOBS),
            container: chance::u16(),
            meets_new_tags: AtomicBool::new(true),
            taken: Taken::default(),
            taken_above_all: Taken::default(),
            base: config,
            link,
            clock,
        })
    }

    /// Opens the Redis connection ahead of the first request. If that fails, it is tried again when it is needed.
    pub async fn connect(&self) {
        if self.base.l2_config.enabled {
            self.link.connect().await;
        }
    }

    /// Reads `key`: never a value older than one acknowledged more than Δ ago.
    ///
    /// # Errors
    /// When no level that can be reached is able to answer.
    pub async fn get(&self, key: &Key, read: Read) -> Result<Lookup, CacheError> {
        let mut found = loop {
            if let Some(ended) = ended(self.view().get(key, read).await) {
                break ended;
            }
        };
        if let Ok(Lookup { hit: Some(hit), .. }) = &mut found {
            self.put_off_end(key, hit).await;
        }
        self.prefetch().await;
        found
    }

    /// Stores a value. When this returns, every read that starts more than Δ later sees it or something newer.
    ///
    /// # Errors
    /// When the value is too large or names a level that is switched off, the condition does not hold, or a level that is
    /// needed cannot be reached. Only in the last case may the mutation have happened.
    pub async fn put(&self, key: &Key, put: Put) -> Result<Stored, CacheError> {
        self.put_with(key, &put, Attempts::default()).await
    }

    /// Deletes `key` from every level, for `by`. When this returns, no read that starts more than Δ later sees its value.
    ///
    /// # Errors
    /// When a level that is needed cannot be reached; the key may have been deleted.
    pub async fn delete(&self, key: &Key, by: &str) -> Result<Deleted, CacheError> {
        self.delete_with(key, by, None, None).await
    }

    /// The same, in a way that can be [undone](TieredCache::undo) for `undo_seconds`, up to
    /// [`undo::MOST_SECONDS`](crate::undo::MOST_SECONDS); `None` for what the configuration says, if undo is possible at all.
    /// `account` says who may undo it.
    ///
    /// # Errors
    /// As [`delete`](TieredCache::delete); and, if `undo_seconds` is given, when nothing can be kept because L3 or L2 is
    /// switched off.
    pub async fn delete_undoably(
        &self,
        key: &Key,
        by: &str,
        account: &str,
        undo_seconds: Option<u32>,
    ) -> Result<Deleted, CacheError> {
        let wish = self.wish_of_delete(key, by, account, undo_seconds)?;
        self.delete_with(key, by, Some(&wish), None).await
    }

    /// The clock of this container.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
