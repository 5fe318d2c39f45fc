//! Strata's three-level cache.

pub mod clock;
pub mod config;
pub mod entry;
pub mod key;
pub mod level;
pub mod outcome;
pub mod tiered;
pub mod version;

pub use clock::Clock;
pub use config::Config;
pub use entry::{Entry, MAX_TAG_BYTES, MAX_TAGS, MAX_TTL_SECONDS};
pub use key::{Key, KeyError};
pub use level::{Level, Levels};
pub use outcome::{CacheError, Condition, Deleted, Hit, Lookup, Path, Put, Read, Step, Stored};
pub use tiered::{Deployment, OpenError, TieredCache};
pub use version::{Position, Version};
