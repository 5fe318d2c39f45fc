//! Which entries there are: every tenant has a thousand, under a prefix of its own and with a tag of its own. So each
//! tenant can be invalidated by prefix, or by tag, or found by going through everything, and means the same number.

use super::GROUP;
use crate::corpus;
use strata_cache::{Json, Key, Pattern, Put, Selector};
use xxhash_rust::xxh3::xxh3_64;

/// Longer than any run, in seconds.
const TTL_SECONDS: u32 = 86_400;
/// Shards of the library: the slots of Redis and the partitions of DynamoDB that keys are spread over.
const SHARDS: u64 = 16;

/// A tenant, by number.
#[derive(Debug, Clone, Copy)]
pub struct Tenant(pub usize);

impl Tenant {
    /// The tenants that have `entries` entries together.
    pub fn of(entries: usize) -> impl Iterator<Item = Tenant> {
        (0..entries / GROUP).map(Tenant)
    }

    /// What every key of the tenant begins with.
    pub fn prefix(self) -> String {
        format!("{}:", self.tag())
    }

    /// The tag of all its entries.
    pub fn tag(self) -> String {
        format!("tenant-{:04}", self.0)
    }

    /// Its keys.
    pub fn keys(self) -> impl Iterator<Item = Key> {
        let prefix = self.prefix();
        (0..GROUP).map(move |number| {
            Key::new(format!("{prefix}order:{number:06}")).expect("a short text without control characters is a key")
        })
    }

    /// A PUT of any of its entries.
    pub fn put(self) -> Put {
        let record = Json::of(&corpus::record(self.0)).expect("a record is JSON");
        Put::new(record, TTL_SECONDS).tags([self.tag()])
    }

    /// Its entries, by the prefix of their keys.
    pub fn by_prefix(self) -> Selector {
        let pattern = self.prefix() + "*";
        Selector::Pattern(Pattern::new(&pattern).expect("a prefix and a star are a pattern"))
    }

    /// Its entries, by their tag.
    pub fn by_tag(self) -> Selector {
        Selector::Tags { any: vec![self.tag().into()], within: None }
    }
}

/// The shard of a key, in the hexadecimal digit that names of Redis keys and DynamoDB partitions carry.
pub fn shard(key: &Key) -> String {
    format!("{:x}", xxh3_64(key.as_str().as_bytes()) % SHARDS)
}

/// The partition of a key's row in DynamoDB.
pub fn partition(key: &Key) -> String {
    format!("e#{}", shard(key))
}

/// The name of a key's copy in Redis, as shared/cache/src/redis/mod.rs says.
pub fn copy_name(prefix: &str, key: &Key) -> String {
    format!("{prefix}{{e{}}}c:{}", shard(key), key.as_str())
}

/// All shards.
pub fn shards() -> impl Iterator<Item = String> {
    (0..SHARDS).map(|shard| format!("{shard:x}"))
}
