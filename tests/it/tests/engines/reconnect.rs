//! Signing in by IAM: which token a connection brings, and that every new one brings its own.
//!
//! The server's password is the token of one moment. Both tokens here were signed by botocore 1.44.5, as in the unit
//! test of the tokens.

use super::servers::{Servers, say};
use strata_cache::config::RedisUrl;
use strata_cache::{
    CacheError, CacheKind, Clock, Config, Credentials, Deployment, Iam, Json, Key, Level, Put, RedisAccess, Stored,
    TieredCache,
};

/// 2100-01-01T00:00:00Z, in milliseconds. Ahead of the server's clock, which would drop at once what has expired.
const FIRST: i64 = 4_102_444_800_000;
/// Half an hour later.
const LATER: i64 = FIRST + 30 * 60_000;
/// Of the tokens of these two times.
const SIGNATURES: [&str; 2] = [
    "16d0c03656bd5072912a23f5aa796b045f30c3b3a62340a6710fa12e1e090006",
    "bdc78ad5dd710e0b2c53c4eb46a42383e1f8beae25b78c8905f2ce1020ab3a79",
];

fn token(time: &str, signature: &str) -> String {
    format!(
        "strata/?Action=connect&User=strata-functions&ResourceType=ServerlessCache&X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F21000101%2Feu-central-1%2Felasticache%2Faws4_request\
         &X-Amz-Date=21000101T{time}Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}\
         &X-Amz-Security-Token=IQoJb3JpZ2luX2VjEAEa%2B%2FEXAMPLE%3D%3D"
    )
}

fn access() -> RedisAccess {
    let session = Some("IQoJb3JpZ2luX2VjEAEa+/EXAMPLE==".to_owned());
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let iam = Iam {
        user: "strata-functions".to_owned(),
        cache: "strata".to_owned(),
        kind: CacheKind::Serverless,
        region: "eu-central-1".to_owned(),
        credentials: Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, session, None, "suite"),
    };
    RedisAccess { ca: None, iam: Some(iam) }
}

/// A cache of L1 and L2, so that nothing else can answer.
fn cache(url: &str, clock: Clock) -> TieredCache {
    let mut config = Config::default();
    config.l3_config.enabled = false;
    config.l2_config.redis_url = RedisUrl::new(url);
    config.l2_config.timeout_ms = 2000;
    let deployment = Deployment { clock, redis: access(), ..Deployment::new("control") };
    TieredCache::open(deployment, config).unwrap()
}

/// Stores as many values as it takes to meet every master of a cluster.
async fn put(cache: &TieredCache) -> Result<(), CacheError> {
    for i in 0..16 {
        let put = Put::new(Json::of(&1).unwrap(), 3600);
        let stored: Stored = cache.put(&Key::new(format!("key:{i}")).unwrap(), put).await?;
        assert!(stored.levels.has(Level::L2) && !stored.degraded, "{stored:?}");
    }
    Ok(())
}

async fn signs_in_anew(servers: &Servers, url: &str) {
    let clock = Clock::manual(FIRST);
    let cache = cache(url, clock.clone());
    cache.connect().await;
    put(&cache).await.unwrap();

    // AWS ends a connection after twelve hours; by then the token that opened it is worth nothing.
    let later = format!(">{}", token("003000", SIGNATURES[1]));
    for node in &servers.nodes {
        say(&node.admin_url(), &["ACL", "SETUSER", "strata-functions", "resetpass", &later]).await;
        say(&node.admin_url(), &["CLIENT", "KILL", "TYPE", "normal"]).await;
    }
    assert!(put(&cache).await.is_err(), "the token of the first time");
    clock.set(LATER);
    put(&cache).await.unwrap();
}

/// The user whose password is the token of the first time.
fn user() -> String {
    format!("user strata-functions on >{} ~* +@all\n", token("000000", SIGNATURES[0]))
}

#[tokio::test]
async fn one_server() {
    let servers = Servers::single(&user()).await;
    signs_in_anew(&servers, &format!("redis://127.0.0.1:{}", servers.nodes[0].port)).await;
}

#[tokio::test]
async fn a_cluster() {
    let servers = Servers::cluster(&user()).await;
    signs_in_anew(&servers, &format!("redis+cluster://127.0.0.1:{}", servers.nodes[0].port)).await;
}
