//! A GET that DynamoDB answers, and a PUT into all levels, beside the bare requests with the same clients: what
//! conditions, certificates, the journal and the envelope add to what has to be done anyway.

use crate::{
    engines::connect,
    event,
    level2::put,
    report::{Row, Section, Unit},
    stats::in_turns,
};
use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use std::{collections::HashMap, error::Error, hint::black_box};
use strata_api::settings::Settings;
use strata_cache::{Config, Deployment, Key, Level, Put, Read, TieredCache};
use tokio::runtime::{self, Runtime};

/// The measurement's name among the program's arguments.
pub const NAME: &str = "level3";

/// Measures with the settings in the environment, in a process of its own as a function would be.
///
/// # Errors
/// When Redis or DynamoDB cannot be used.
pub fn measure() -> Result<Section, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let Settings { config, deployment, .. } = Settings::from_env()?;
    let key = Key::new(event::KEY)?;
    let reader = l3_alone(&runtime, deployment.clone(), config.clone(), &key)?;
    let bare = runtime.block_on(Bare::open(&config, &key))?;
    let writer = TieredCache::open(deployment, config)?;
    let tags = put().tags.len();
    let rows = vec![
        get(&runtime, &reader, &bare, &key),
        write(&runtime, &writer, &bare, &key, "no tag", || Put { tags: Vec::new(), ..put() }),
        write(&runtime, &writer, &bare, &key, &format!("{tags} tags"), put),
    ];
    Ok(Section {
        title: "A GET answered by DynamoDB, and a PUT into all levels".into(),
        baseline: "a consistent GetItem; PutItem of the same row, and after it SET, each with the same client".into(),
        rows,
    })
}

/// A cache that has the key in DynamoDB and nowhere nearer.
fn l3_alone(
    runtime: &Runtime,
    deployment: Deployment,
    mut config: Config,
    key: &Key,
) -> Result<TieredCache, Box<dyn Error>> {
    config.l1_config.enabled = false;
    config.l2_config.enabled = false;
    let cache = TieredCache::open(deployment, config)?;
    runtime.block_on(cache.put(key, put()))?;
    let hit = runtime.block_on(cache.get(key, Read::default()))?.hit;
    if hit.is_some_and(|hit| hit.level == Level::L3) { Ok(cache) } else { Err("the value is not in DynamoDB".into()) }
}

fn get(runtime: &Runtime, cache: &TieredCache, bare: &Bare, key: &Key) -> Row {
    let (strata, baseline) = in_turns(
        || {
            let lookup = runtime.block_on(cache.get(key, Read::default()));
            black_box(lookup.expect("DynamoDB answered just now"));
        },
        || runtime.block_on(bare.get()),
    );
    Row::new("GET from L3", Unit::Microseconds, strata).beside(baseline).aim("≤ 1.15×")
}

fn write(runtime: &Runtime, cache: &TieredCache, bare: &Bare, key: &Key, what: &str, put: impl Fn() -> Put) -> Row {
    let (strata, baseline) = in_turns(
        || {
            let stored = runtime.block_on(cache.put(key, put()));
            black_box(stored.expect("DynamoDB and Redis answered just now"));
        },
        || runtime.block_on(bare.put()),
    );
    Row::new(format!("PUT to all levels, {what}"), Unit::Microseconds, strata).beside(baseline).aim("≤ 1.3×")
}

/// The clients alone, and the row that the library has written.
struct Bare {
    dynamo: Client,
    redis: MultiplexedConnection,
    table: String,
    row: HashMap<String, AttributeValue>,
}

impl Bare {
    async fn open(config: &Config, key: &Key) -> Result<Bare, Box<dyn Error>> {
        let table = config.l3_config.table_name.clone();
        let dynamo = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
        let rows = dynamo.scan().table_name(&table).consistent_read(true).send().await?.items.unwrap_or_default();
        let text = |row: &HashMap<_, AttributeValue>, name| row.get(name).and_then(|text| text.as_s().ok()).cloned();
        // Rows of tags are in partitions of their own.
        let is_entry = |row: &HashMap<_, _>| {
            text(row, "sk").is_some_and(|sk| sk == key.as_str())
                && text(row, "pk").is_some_and(|pk| pk.starts_with("e#"))
        };
        let mut row = rows.into_iter().find(is_entry).ok_or("the library has left no row")?;
        // Beside the library's own, which takes no older versions.
        row.insert("sk".to_owned(), AttributeValue::S(format!("{}-bare", key.as_str())));
        let bare = Bare { dynamo, redis: connect(config.l2_config.redis_url.expose()).await?, table, row };
        bare.put().await;
        Ok(bare)
    }

    async fn get(&self) {
        let get = self.dynamo.get_item().table_name(&self.table).consistent_read(true);
        let key = ["pk", "sk"].map(|name| (name.to_owned(), self.row[name].clone()));
        let found = get.set_key(Some(key.into())).send().await.expect("DynamoDB answered just now");
        assert!(black_box(found).item.is_some(), "the row was put before");
    }

    async fn put(&self) {
        let write = self.dynamo.put_item().table_name(&self.table).set_item(Some(self.row.clone()));
        black_box(write.send().await.expect("DynamoDB answered just now"));
        self.redis.clone().set::<_, _, ()>("bare", &put().text[..]).await.expect("Redis answered just now");
    }
}
