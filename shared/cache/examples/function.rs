//! A Lambda function of one's own that reads customers through the cache. It shares the cache with the functions of the
//! template: it has their environment (`REDIS_URL`, `TABLE_NAME`, `CONTROL_TABLE_NAME`, `KEY_PREFIX`), network and rights.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strata_cache::{Key, Load, Settings, TieredCache};

/// The function's own time limit, as it is deployed.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What the function is asked.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// For which customer.
    pub id: u32,
}

/// What it answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    id: u32,
    name: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // Once for all invocations of this container. It connects when it is needed first.
    let cache = Settings::from_env()?.open()?;
    run(service_fn(|event| handle(&cache, event))).await
}

/// Answers one invocation.
pub async fn handle(cache: &TieredCache, event: LambdaEvent<Asked>) -> Result<Option<Customer>, Error> {
    // After a freeze the container's own clock may be behind.
    cache.clock().invoked(event.context.deadline, TIME_LIMIT);
    let id = event.payload.id;
    let key = Key::new(format!("customer:{id}"))?;
    let load = Load::new(3600).tags(["customer"]).none_for(60);
    Ok(cache.get_or_load(&key, &load, async || query(id).await).await?)
}

/// Stands for a query of a database.
async fn query(id: u32) -> Result<Option<Customer>, Error> {
    let row = std::future::ready(Some(format!("Customer {id}")).filter(|_| id < 1_000)).await;
    Ok(row.map(|name| Customer { id, name }))
}
