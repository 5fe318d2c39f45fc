//! What is written for a release: every kind of row and copy there is, by the library itself, whose clock can be put on:
//! files are read for longer than a year, after which everything expires.

use super::dump;
use crate::library::{self, REDIS_URL, named};
use serde_json::{Value, json};
use std::time::Duration;
use strata_cache::config::{Algorithm, FIELDS, Format, RedisUrl};
use strata_cache::{
    Clock, Condition, Config, Deployment, Invalidate, Json, Level, Levels, MAX_TTL_SECONDS, Patch, Pattern, Put,
    Strategy, TieredCache, Warm,
};
use strata_it::stack::{Options, Stack};

/// Nobody listens there.
const NOWHERE: &str = "redis://127.0.0.1:1";
/// When containers that reach Redis, and so go by its time for versions, believe to run: in the year 2100, in ms since the
/// Unix epoch.
const LATE_MS: i64 = 4_102_444_800_000;
/// How much later the scheduled job is due, in ms.
const DAY_MS: i64 = 86_400_000;

/// Keys whose values L3 has.
pub const KEPT: [&str; 7] = ["json", "large", "lz4", "patched", "plain", "tagged", "zstd"];

/// The keys that have a value, it, and its tags.
pub fn values() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let long = |name| format!(r#"[{}]"#, [format!(r#"{{"of":"{name}","amount":1.50}}"#).as_str(); 100].join(", "));
    vec![
        (
            "plain",
            r#"{"name": "Gr\u00fc\u00dfe \"\\\"", "amount":1.50, "big":12345678901234567890123}"#.to_owned(),
            vec![],
        ),
        ("tagged", r#""😀""#.to_owned(), vec!["first", "größe:\"XL\""]),
        ("patched", "[]".to_owned(), vec!["first"]),
        ("lz4", long("lz4"), vec![]),
        ("zstd", long("zstd"), vec![]),
        ("json", long("json"), vec!["third"]),
        ("l2only", "2".to_owned(), vec![]),
        ("large", format!("1{}", "0".repeat(400_000)), vec![]),
    ]
}

/// Writes all of it beside engines of its own, and returns what stands in them then.
pub async fn written() -> Value {
    let stack = Stack::start(Options::default().functions([""; 0])).await.unwrap();
    library::run(&stack, "golden::scenario::writes").await;
    dump::dump(&stack).await
}

#[tokio::test]
#[ignore = "the function above starts it, with engines"]
async fn writes() {
    let late = || Clock::manual(LATE_MS);
    let cache = cache(late(), |_| ());
    let zstd = self::cache(late(), |config| config.compression.algorithm = Algorithm::Zstd);
    let json = self::cache(late(), |config| config.serialization.format = Format::Json);
    for (key, text, tags) in values() {
        let levels = match key {
            "large" => Levels::NONE.with(Level::L3),
            "l2only" => Levels::NONE.with(Level::L2),
            _ => Levels::ALL,
        };
        let writer = match key {
            "zstd" => &zstd,
            "json" => &json,
            _ => &cache,
        };
        let first = if key == "patched" { vec![] } else { tags };
        put(writer, key, text, &first, levels, key != "large").await;
    }
    let patch = Patch {
        ttl_seconds: None,
        only: None,
        add_tags: vec!["first".into()],
        remove_tags: vec![],
        condition: Condition::Always,
        by: "golden".to_owned(),
        api_key: "key:golden".to_owned(),
    };
    cache.patch(&named("patched"), &patch).await.unwrap().unwrap();
    for key in ["deleted", "invalidated:1"] {
        put(&cache, key, "0".to_owned(), &["first"], Levels::ALL, true).await;
    }
    cache.delete(&named("deleted"), "golden").await.unwrap();
    cache.invalidate(&invalidation()).await.unwrap();
    let field = FIELDS.iter().find(|field| field.path == "l1_config.ttl_minutes").unwrap();
    cache.configure(&[(field, json!(90))], "golden", None).await.unwrap();
    cache.warm(warm(Strategy::Eager, None), None).await.unwrap();
    while cache.run_next(Duration::from_secs(10)).await.unwrap().is_some() {}
    cache.warm(warm(Strategy::Scheduled, Some(LATE_MS + DAY_MS)), None).await.unwrap();
    // A note, of a container that does not reach Redis.
    let cut_off = self::cache(Clock::system(), |config| config.l2_config.redis_url = RedisUrl::new(NOWHERE));
    put(&cut_off, "noted", "1".to_owned(), &[], Levels::ALL, true).await;
}

fn cache(clock: Clock, change: impl FnOnce(&mut Config)) -> TieredCache {
    let mut config = Config::default();
    config.l2_config.redis_url = RedisUrl::new(std::env::var(REDIS_URL).unwrap());
    config.l2_config.key_prefix = "strata:cache:".to_owned();
    config.l2_config.timeout_ms = 2_000;
    config.l3_config.timeout_ms = 10_000;
    change(&mut config);
    TieredCache::open(Deployment { clock, ..Deployment::new("cache_control") }, config).unwrap()
}

async fn put(cache: &TieredCache, key: &str, text: String, tags: &[&str], levels: Levels, compress: bool) {
    let put = Put::new(Json::new(text).unwrap(), MAX_TTL_SECONDS).tags(tags.iter().copied()).levels(levels);
    let mut put = put.by("golden");
    put.compress = compress;
    put.api_key = "key:golden".to_owned();
    cache.put(&named(key), put).await.unwrap();
}

fn invalidation() -> Invalidate {
    Invalidate::new(Pattern::new("invalidated:*").unwrap()).by("golden").reason("golden")
}

fn warm(strategy: Strategy, run_at_ms: Option<i64>) -> Warm {
    Warm {
        keys: vec![named("plain")],
        patterns: vec![Pattern::new("lz*").unwrap()],
        strategy,
        batch_size: 50,
        max_concurrent: 10,
        run_at_ms,
        by: "golden".to_owned(),
        account: Some("golden".to_owned()),
    }
}
