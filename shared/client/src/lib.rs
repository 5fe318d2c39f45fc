//! A typed, asynchronous client of the cache management API.
//!
//! ```no_run
#![doc = include_str!("../examples/first.rs")]
//! ```
//!
//! One [`Client`] serves a whole process: it is cheap to clone and keeps its connections. Each operation is a method of
//! it that returns a request; the request takes options and is sent when it is awaited. Every method has an example, and
//! every example is run against a real system.
//!
//! # What is sent again, and what is not
//!
//! | what happened | sent again |
//! |---|---|
//! | 429: a limit is reached, nothing was done | always, not before `Retry-After` |
//! | no connection: nothing was sent | always |
//! | 409: an undo has not come to its end | always, not before `Retry-After` |
//! | 503, or the connection broke: it may have happened | reads, removals, warm jobs; stores only [when asked](Put::repeat) |
//! | any other error, or no answer in time | never |
//!
//! Reading twice changes nothing, removing twice costs a miss at most, and a warm job carries an `Idempotency-Key`. What
//! is removed so that it can be [undone](Client::undo) is not removed twice, for the second time makes the first final. A
//! value stored twice could replace a newer one that another has stored in between; so it is up to the caller. Pauses are
//! doubled and drawn at random, so that clients that were refused together do not come back together. [`Retry`] bounds
//! both their number and their sum.
//!
//! # Reading through the cache
//!
//! [`Client::get_or_load`] reads an entry, and loads and stores it where it is missing: of all who miss it, in this process
//! and elsewhere, one loads.
//!
//! # Reading one's own writes
//!
//! A client, with all its clones, sends back what answers said of their place among all mutations (`Cache-Position`). So
//! it is never answered by anything older than what it has stored, removed or read itself, whichever container answers.
//! [`Client::position`] and [`Client::has_seen`] hand that on to another client, such as that of a service that is called.
//!
//! # Errors
//!
//! [`Error`] tells what was [refused](Error::Api), with the contract's [`Code`] and the request id, from what could not be
//! sent, was not answered, or was not understood. [`Error::may_have_happened`] answers the question that matters after a
//! mutation.
//!
//! What is not there is no error: [`Client::get`] and [`Client::delete`] return `None`.

mod batch;
mod cache_control;
mod call;
mod client;
mod config;
mod delete;
mod entries;
mod error;
mod explain;
mod flights;
mod get_or_load;
mod grace;
mod invalidate;
mod jobs;
mod journal;
mod keys;
mod lease;
mod level;
mod loaded;
mod patch;
mod positions;
mod retry;
mod status;
mod timestamp;
mod token;
mod undo;
mod warm;

pub use batch::{Batch, MAX_OPERATIONS, Operation, Outcome};
pub use client::{Builder, Client};
pub use config::{Config, Configured, UpdateConfig};
pub use delete::{Delete, Deleted};
pub use entries::{Change, Entry, Get, GetIfChanged, Metadata, Put, Stored, StoredMetadata};
pub use error::{ApiError, Code, Error};
pub use explain::{Container, Explained, LevelCopy, Prediction};
pub use get_or_load::GetOrLoad;
pub use invalidate::{Invalidate, Invalidated, Reclaim, Selector};
pub use jobs::{Job, JobKind, JobPage, JobState, Jobs};
pub use journal::{FieldChange, Journal, Mutation, Mutations};
pub use keys::{Amount, KeyPage, Keys, ListedKey, PrefixAmount, Stats, StatsRequest, TagCount, TagPage, Tags};
pub use lease::{GetOrLease, Lease};
pub use level::Level;
pub use loaded::{LoadError, Loaded, Source};
pub use patch::{Head, HeadEntry, Patch, Patched, PatchedMetadata};
pub use retry::Retry;
pub use status::{Amounts, Coherence, Fleet, Health, LevelHealth, LevelMinute, LevelStatus, Minute, OverallStats};
pub use status::{Status, StatusRequest, Usage};
pub use timestamp::Timestamp;
pub use token::Token;
pub use undo::{Invalidation, InvalidationPage, InvalidationState, Invalidations, Undone};
pub use warm::{Strategy, Warm, Warming};

/// What operations return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
