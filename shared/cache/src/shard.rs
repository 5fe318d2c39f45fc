//! Which of the sixteen slots of Redis and partitions of DynamoDB a key lies in.

/// Sixteen: enough for the largest clusters in use to spread over, few enough to ask them all at once.
pub(crate) const SHARDS: u64 = 16;

/// The shard of a key. Stored keys depend on it: it never changes.
pub(crate) fn shard(key: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key.as_bytes()) % SHARDS
}
