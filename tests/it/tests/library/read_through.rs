//! What the documentation shows of the library, as it stands there: a function that reads a customer through the cache.

use serde::{Deserialize, Serialize};
use std::error::Error;
use strata_cache::{CacheError, Condition, Json, Key, Put, Read, TieredCache};

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Customer {
    id: u32,
}

/// Stands for the reader's database.
async fn load_from_database(id: u32) -> Result<Customer, Box<dyn Error>> {
    Ok(std::future::ready(Customer { id }).await)
}

async fn customer(cache: &TieredCache, id: u32) -> Result<Customer, Box<dyn Error>> {
    let key = Key::new(format!("customer:{id}"))?;
    if let Some(hit) = cache.get(&key, Read::default()).await?.hit {
        return Ok(hit.entry.value()?);
    }
    let customer = load_from_database(id).await?;
    let put = Put::new(Json::of(&customer)?, 3600).tags(["customer"]).only_if(Condition::Absent);
    match cache.put(&key, put).await {
        Ok(_) | Err(CacheError::PreconditionFailed) => Ok(customer),
        Err(error) => Err(error.into()),
    }
}

/// Reads one twice: from the database, then from memory.
pub async fn reads(cache: &TieredCache) {
    assert_eq!(customer(cache, 7).await.unwrap(), Customer { id: 7 });
    assert_eq!(customer(cache, 7).await.unwrap(), Customer { id: 7 });
    let found = cache.get(&Key::new("customer:7").unwrap(), Read::default()).await.unwrap().hit.unwrap();
    assert_eq!(found.entry.json(), r#"{"id":7}"#);
    let key = Key::new("refused").unwrap();
    let put = Put::new(Json::of(&1).unwrap(), 0).tags(["two\nlines"]);
    let refused = cache.put(&key, put).await;
    assert!(matches!(refused, Err(CacheError::Refused(ref refusals)) if refusals.len() == 2), "{refused:?}");
}
