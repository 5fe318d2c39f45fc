//! Fills L2 with many entries: the library puts the first one of each tenant, and a script gives the others the same
//! copy under their own keys. To put them all one by one would take minutes.

use super::tenant::{Tenant, copy_name, shard, shards};
use crate::engines::connect;
use redis::{RedisResult, aio::MultiplexedConnection, cmd};
use std::error::Error;
use strata_cache::{Config, Deployment, Level, Read, TieredCache, config::RedisUrl};

/// Before every Redis key.
const PREFIX: &str = "bench:";
/// Longest wait for Redis: nothing is skipped here because another program has the processor.
const TIMEOUT_MS: u64 = 5000;

/// L2 alone, in a database of its own.
pub struct Copies {
    /// The cache.
    pub cache: TieredCache,
    /// A connection past it, of the same client.
    pub bare: MultiplexedConnection,
}

impl Copies {
    /// Connects to the database at `url`.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn open(url: &str) -> Result<Copies, Box<dyn Error>> {
        let mut config = Config::default();
        config.l1_config.enabled = false;
        config.l3_config.enabled = false;
        config.l2_config.redis_url = RedisUrl::new(url);
        config.l2_config.key_prefix = PREFIX.to_owned();
        config.l2_config.timeout_ms = TIMEOUT_MS;
        let deployment = Deployment::new("");
        let mut bare = connect(url).await?;
        for shard in shards() {
            // No release before this one runs beside.
            cmd("SET").arg(format!("{PREFIX}{{e{shard}}}both")).arg(1).query_async::<()>(&mut bare).await?;
        }
        Ok(Copies { cache: TieredCache::open(deployment, config)?, bare })
    }

    /// Writes all entries of `tenant`, also over those that are there.
    ///
    /// # Errors
    /// When Redis does not take them.
    pub async fn load(&mut self, tenant: Tenant) -> Result<(), Box<dyn Error>> {
        let mut keys = tenant.keys();
        let first = keys.next().expect("a tenant has entries");
        self.cache.put(&first, tenant.put()).await?;
        let mut multiply = cmd("EVAL");
        multiply.arg(include_str!("multiply.lua")).arg(1).arg(copy_name(PREFIX, &first)).arg(PREFIX);
        for key in keys {
            multiply.arg(shard(&key)).arg(key.as_str());
        }
        multiply.query_async::<()>(&mut self.bare).await?;
        Ok(())
    }

    /// Makes sure that the library reads the last entry of `tenant`, which it has not put itself, from L2.
    ///
    /// # Errors
    /// When it does not.
    pub async fn check(&self, tenant: Tenant) -> Result<(), Box<dyn Error>> {
        let key = tenant.keys().last().expect("a tenant has entries");
        let hit = self.cache.get(&key, Read::default()).await?.hit;
        match hit {
            Some(hit) if hit.level == Level::L2 && hit.entry.json().as_bytes() == *tenant.put().value.text() => Ok(()),
            _ => Err(format!("{} is not readable", key.as_str()).into()),
        }
    }

    /// What a pattern for SCAN must match, to find the copies of `tenant`.
    pub fn glob(tenant: Tenant) -> String {
        format!("{PREFIX}{{e?}}c:{}*", tenant.prefix())
    }

    /// Names of the indexes of keys.
    pub fn indexes() -> Vec<String> {
        shards().map(|shard| format!("{PREFIX}{{e{shard}}}index")).collect()
    }

    /// Names of the indexes of tags.
    pub fn tag_indexes() -> Vec<String> {
        let sets = |shard| (0..256).map(move |set| format!("{PREFIX}{{e{shard}}}r:{set:02x}"));
        shards().flat_map(sets).collect()
    }

    /// Bytes that Redis has allocated for everything.
    pub async fn used_memory(&mut self) -> RedisResult<u64> {
        let info: String = cmd("INFO").arg("memory").query_async(&mut self.bare).await?;
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        Ok(used.and_then(|used| used.trim().parse().ok()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{engines::Engines, invalidate::GROUP};
    use std::collections::BTreeMap;

    /// Every key with its type, and the members of sorted sets.
    async fn contents(copies: &mut Copies) -> BTreeMap<String, (String, Vec<String>)> {
        let mut contents = BTreeMap::new();
        let names: Vec<String> = cmd("KEYS").arg(format!("{PREFIX}{{e*")).query_async(&mut copies.bare).await.unwrap();
        for name in names.into_iter().filter(|name| !name.ends_with("both")) {
            let kind: String = cmd("TYPE").arg(&name).query_async(&mut copies.bare).await.unwrap();
            let mut members: Vec<String> = match kind.as_str() {
                "zset" => cmd("ZRANGE").arg(&name).arg(0).arg(-1).query_async(&mut copies.bare).await.unwrap(),
                _ => Vec::new(),
            };
            members.sort();
            contents.insert(name, (kind, members));
        }
        contents
    }

    #[test]
    fn what_is_loaded_is_what_the_library_would_have_put() {
        let engines = Engines::start().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tenant = Tenant(7);
        runtime.block_on(async {
            let mut put = Copies::open(&format!("{}/1", engines.redis_url())).await.unwrap();
            for key in tenant.keys().take(50) {
                put.cache.put(&key, tenant.put()).await.unwrap();
            }
            let mut loaded = Copies::open(&format!("{}/2", engines.redis_url())).await.unwrap();
            loaded.load(tenant).await.unwrap();
            loaded.check(tenant).await.unwrap();
            let loaded = contents(&mut loaded).await;
            assert_eq!(loaded.values().filter(|(kind, _)| kind == "string").count(), GROUP);
            for (name, (kind, members)) in contents(&mut put).await {
                let (loaded_kind, loaded) = &loaded[&name];
                assert_eq!((&kind, kind == "zset" || loaded == &members), (loaded_kind, true), "{name}: {loaded:?}");
                assert!(members.iter().all(|member| loaded.contains(member)), "{name}: {loaded:?}");
            }
        });
        engines.stop();
    }
}
