//! A three-tier cache for functions that are frozen between requests.
//!
//! Every container has an L1 in its memory; all share L2 in Redis and L3 in DynamoDB. Nothing can be pushed to a frozen
//! container, so coherence is pull-based: before a container trusts its L1 it must have read the fleet's journal less than
//! Δ ago (`l1_config.coherence_window_ms`). Reading the journal costs one Redis round trip, shared with the read of L2 if
//! there is one.
//!
//! # What holds
//!
//! - **Bounded staleness.** Once a PUT or DELETE has returned, no read that starts more than Δ later returns an
//!   older value, in any container. [`Read::no_cache`] makes Δ zero for one read. A mutation that could not reach
//!   Redis says so ([`Stored::degraded`]) and has a bound of 10 s.
//! - **No resurrection.** A deleted value does not come back: not by a slow promotion, a freeze of any length, a
//!   restart or failover of Redis, nor a container killed half-way.
//! - **Durable when it says so.** A PUT whose [`Stored::levels`] has L3 survives the loss of Redis and of every
//!   container.
//! - **A level that is down is skipped** as long as another can answer correctly; [`Path`] says what was skipped.
//! - **Expiry is absolute**, in wall-clock time, at every level; only [`Read::max_stale`] accepts an expired value, if its
//!   PUT gave it a [`Put::grace`].
//! - **Every byte comes back**: values are JSON text and are never re-encoded.
//!
//! All of this holds with any number of operations of one [`TieredCache`] at once, on any number of threads: what one has
//! acknowledged is seen by every operation that begins later. An operation whose future is dropped may have happened; what
//! it left half done is undone, or announced to the others, by the next one. A panic costs the cache its L1 and what it knew
//! of the journal, and nothing else: a caller that catches it can go on.
//!
//! # Layout
//!
//! | file | what |
//! |---|---|
//! | [`tiered`] | the order in which levels are asked and written, and when a container syncs |
//! | `coherence`, `recent_changes`, `open_invalidations`, `record` | what a container knows of the journal, and which copies that lets it trust; no I/O |
//! | `lock` | state that threads share, and what a panic leaves of it |
//! | [`memory`] | L1 on mini-moka |
//! | `redis` | L2, the journal, the limits' count, the connection to Redis, and the Lua scripts |
//! | `dynamo` | L3, chunks of large values, the notes of an outage, and jobs |
//! | [`fill`] | leases to load what is missing, and tokens that keep a loaded value from being stored too late |
//! | [`load`] | read-through: a missing value is loaded by one caller, and kept if nothing has touched its key meanwhile |
//! | [`grace`], [`sliding`] | values that are kept for a while after they have expired; expiry that reads postpone |
//! | [`job`], [`warm`], `scan_checkpoint` | work that is larger than a request, and how far it has come |
//! | [`limits`] | rate limits that the fleet shares without a round trip per request |
//! | [`codec`], [`entry`] | the envelope in which a value is stored |
//! | [`listing`] | lists of entries and tags, page by page |
//! | `engines` | in-memory stand-ins for Redis and DynamoDB, for tests; with the feature `in-memory` |
//! | [`explain`] | why a read is answered the way it is |
//! | [`undo`] | invalidations that can be undone, and what came of undoing them |
//! | [`stats`] | what is counted, and how it is reported to the fleet |
//! | [`cache_position`] | how much a caller has seen, so that its reads return nothing older |
//! | [`settings`] | a deployment's settings, from the environment |
//! | [`config`], [`key`], [`level`], [`version`], [`clock`] | the terms that all of them use |
//!
//! # Example
//!
//! ```no_run
//! use strata_cache::{Config, Deployment, Json, Key, Put, Read, TieredCache};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let deployment = Deployment::new("cache_control");
//! let cache = TieredCache::open(deployment, Config::default())?;
//!
//! let key = Key::new("customer:12345")?;
//! let put = Put::new(Json::of(&["John", "Doe"])?, 3600).tags(["customer"]);
//! let stored = cache.put(&key, put).await?;
//! assert!(stored.created);
//!
//! let found = cache.get(&key, Read::default()).await?;
//! let hit = found.hit.expect("it was stored a moment ago");
//! assert_eq!(hit.entry.value::<[String; 2]>()?, ["John", "Doe"]);
//! # Ok(())
//! # }
//! ```

pub mod cache_position;
mod chance;
pub mod clock;
pub mod codec;
mod coherence;
pub mod config;
mod dynamo;
#[cfg(feature = "in-memory")]
pub mod engines;
pub mod entry;
pub mod explain;
pub mod fill;
pub mod grace;
mod history;
mod invalidation;
mod invalidation_index;
pub mod job;
pub mod json;
pub mod key;
pub mod level;
pub mod limits;
pub mod listing;
pub mod load;
mod lock;
mod many;
pub mod memory;
mod open_invalidations;
pub mod outcome;
mod patch;
pub mod pattern;
mod pause;
mod planted;
pub mod put;
pub mod quota;
pub mod read;
mod recent_changes;
mod record;
mod redis;
mod scan_checkpoint;
pub mod selector;
pub mod settings;
mod shard;
pub mod sliding;
mod source_of_truth;
pub mod stats;
pub mod tags;
pub mod tiered;
pub mod undo;
pub mod version;
pub mod warm;

pub use self::dynamo::{Authorities, InvalidAuthorities};
pub use self::redis::{CacheKind, Iam, RedisAccess};
pub use aws_credential_types::Credentials;
pub use cache_position::CachePosition;
pub use clock::Clock;
pub use config::Config;
pub use entry::{Entry, MAX_TAG_BYTES, MAX_TAGS, MAX_TTL_SECONDS};
pub use explain::{CopyFacts, Explained, LevelFacts, Prediction, Reason, Verdict};
pub use fill::{Fill, FillToken, Lease};
pub use history::{History, HistoryQuery, MutationFilter};
pub use job::{Estimate, Job, JobState, Slice, Worked};
pub use json::Json;
pub use key::{Key, KeyError};
pub use level::{Level, Levels};
pub use limits::{Class, Limits, Standing};
pub use listing::{List, ListTags, Listed, Listing, Mark, TagCount, Within};
pub use load::{Load, LoadError};
pub use many::{Attempt, Mutate, Mutated, Patience};
pub use outcome::{
    CacheError, Configured, Deleted, Hit, Invalidate, Invalidated, Jobs, Lookup, Maintained, Mutation, Path, Read,
    Reclaim, Step, Stored, Warming,
};
pub use patch::{Only, Patch, Patched};
pub use pattern::{Pattern, PatternError};
pub use put::{Condition, Put};
pub use quota::{OverQuota, Quotas, Stock};
pub use selector::{Keys, Selector};
pub use settings::{Settings, SettingsError};
pub use stats::{Count, Counts, Health, LevelStatus, Status};
pub use tags::Tags;
pub use tiered::{Deployment, OpenError, TieredCache};
pub use undo::{Invalidations, ListedInvalidation, Undo, UndoHandle, UndoRefusal, Undone};
pub use version::{Position, Version};
pub use warm::{Strategy, Warm};
