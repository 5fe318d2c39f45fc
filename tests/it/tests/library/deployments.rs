//! Two deployments over one table of entries, which would not hear of each other: the second one is refused.

use super::{named, read};
use std::error::Error;
use strata_cache::{CacheError, Config, Deployment, Json, Put, TieredCache};

/// Over the tables that deployment `ours` has used, others answer nothing and change nothing, with Redis and without.
pub async fn are_told_apart(ours: &TieredCache, config: impl Fn(bool) -> Config) {
    let key = "whose";
    ours.put(&named(key), put()).await.unwrap();
    let stands = read(ours, key).await.unwrap();
    for redis in [true, false] {
        let mut config = config(redis);
        config.l2_config.key_prefix = "strata:cache:".to_owned();
        let other = TieredCache::open(Deployment::new("cache_control"), config).unwrap();
        refused(read(&other, key).await.map(drop), "a read");
        refused(other.put(&named(key), put()).await.map(drop), "a PUT");
        refused(other.delete(&named(key), "").await.map(drop), "a DELETE");
    }
    assert_eq!(read(ours, key).await.unwrap(), stands, "nothing of it is stored");
    assert!(ours.put(&named(key), put()).await.is_ok_and(|stored| !stored.degraded));
}

/// It failed, for a reason that names both sides.
fn refused(ended: Result<(), CacheError>, what: &str) {
    let error = ended.expect_err(what);
    let chain = std::iter::successors(Some(&error as &dyn Error), |cause: &&dyn Error| (*cause).source());
    let said = chain.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    let names = ["\"strata:cache:\"", "\"regulateai:cache:\""];
    assert!(names.iter().all(|name| said.contains(name)), "{what}: {said}");
}

fn put() -> Put {
    Put::new(Json::of(&1).unwrap(), 3600)
}
