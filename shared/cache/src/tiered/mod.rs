//! The three levels in the order in which they are asked: the only file set that knows it.
//!
//! L3 decides which value of a key is the newest. What L1 and L2 hold are certificates: "at this position of the
//! journal, L3 had this version". A copy is returned while no record after that position touches its key, and a
//! mutation is acknowledged after L3 has it and the journal says so. With L3 switched off, L2 decides.

mod catch_up;
#[cfg(all(test, feature = "shuttle"))]
mod concurrency;
mod fill;
mod fleet;
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
    undo::begin::Author,
    view::ended,
    warm::prefetch_queue::Prefetches,
    write::{Attempts, versions::Taken},
};
use crate::{
    Clock, Config, chance,
    coherence::Coherence,
    config::document::Document,
    dynamo::{self, Authorities, Store},
    entry::Entry,
    key::Key,
    limits::{Limits, Meters},
    lock::Lock,
    memory::{CachedEntry, Memory},
    outcome::{CacheError, Deleted, Lookup, Read, Stored},
    pause::Pause,
    put::Put,
    quota::{Quotas, Stocks},
    redis::{Fleet, Journal, Keyspace, Leases, Link, RedisAccess},
    stats::{Counters, Reporter, SyncTimes},
    undo::MeantEntries,
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
    /// How long one invalidation removes before the rest goes on as a job; some seconds less than its caller waits.
    pub request_budget: Duration,
    /// How long one call is to go on with jobs; see [`TieredCache::run_next`].
    pub slice: Duration,
    /// Most warm jobs that an account may have unfinished, up to [`Deployment::MOST_JOBS`]; 0 for no bound.
    pub jobs_per_account: usize,
    /// How connections to Redis are made, beyond `l2_config.redis_url`.
    pub redis: RedisAccess,
    /// Whom the way to DynamoDB trusts instead of the web's authorities, which are compiled in.
    pub dynamo_ca: Option<Authorities>,
    /// Servers of one's own in the place of both.
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
    /// The largest such bound: what an account has unfinished is read with each request for one more, in one page.
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

    /// With these limits of requests, for callers of [`TieredCache::admit`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Deployment {
        self.limits = limits;
        self
    }

    /// With these bounds of what an API key may store.
    #[must_use]
    pub fn quotas(mut self, quotas: Quotas) -> Deployment {
        self.quotas = quotas;
        self
    }

    /// With another clock, as a test wants one.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Deployment {
        self.clock = clock;
        self
    }

    /// With connections to Redis made like that.
    #[must_use]
    pub fn redis(mut self, access: RedisAccess) -> Deployment {
        self.redis = access;
        self
    }
}

impl Default for Deployment {
    /// That of the table `cache_control`.
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
    /// Makes the cache of this container. Connects nothing, so that it cannot fail for want of a connection.
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

    /// Opens the Redis connection ahead of the first request. What fails here is tried again when it is needed.
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
    /// When the value is too large or names a level that is switched off, the condition does not hold, or a level it needs
    /// cannot be reached; the mutation may have happened then if it was under way already.
    pub async fn put(&self, key: &Key, put: Put) -> Result<Stored, CacheError> {
        self.put_with(key, &put, Attempts::default()).await
    }

    /// Deletes `key` from every level, for `by`. When this returns, no read that starts more than Δ later sees its value.
    ///
    /// # Errors
    /// When a level it needs cannot be reached; the key may be deleted then if that was under way already.
    pub async fn delete(&self, key: &Key, by: &str) -> Result<Deleted, CacheError> {
        self.delete_with(key, by, None, false).await
    }

    /// The same, so that it can be [undone](TieredCache::undo) for so many seconds, up to
    /// [`undo::MOST_SECONDS`](crate::undo::MOST_SECONDS); without a number for as long as the configuration says, where that
    /// is possible. Who may undo it goes by `account`.
    ///
    /// # Errors
    /// As with [`delete`](TieredCache::delete); and with a number when nothing can be kept, because L3 or L2 is switched off.
    pub async fn delete_undoably(
        &self,
        key: &Key,
        by: &str,
        account: &str,
        undo_seconds: Option<u32>,
    ) -> Result<Deleted, CacheError> {
        let author = Author { by: by.to_owned(), account: account.to_owned(), reason: None };
        let wish = self.wish(undo_seconds, MeantEntries::deleted(key), author)?;
        self.delete_with(key, by, Some(&wish), false).await
    }

    /// The clock of this container.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// A value on its way into L1.
struct Source {
    entry: Arc<Entry>,
    as_of: Position,
    certified_ms: i64,
    /// When the source of truth itself was asked, in steady ms; `None` when only the journal vouches for the value.
    read_at_ms: Option<i64>,
    reads: u64,
    last_read_ms: i64,
}

impl Source {
    fn copy(&self, clock: &Clock, config: &Config, revalidate_ms: i64) -> CachedEntry {
        let mut copy = CachedEntry::new(Arc::clone(&self.entry), self.as_of, clock.now_ms(), &config.l1_config);
        copy.deadline_ms = copy.deadline_ms.min(self.certified_ms.saturating_add(revalidate_ms));
        copy.read_at_ms = self.read_at_ms.unwrap_or(i64::MIN).into();
        copy.reads = self.reads.into();
        copy.last_read_ms = self.last_read_ms.max(copy.entry.created_at_ms).into();
        copy
    }
}
