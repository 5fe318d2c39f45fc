//! What the documentation shows of the library, as it stands there: a function that reads a customer through the cache.

use std::error::Error;
use strata_cache::{CacheError, Condition, Key, Put, Read, TieredCache};

/// Stands for the reader's database.
async fn load_from_database(id: u32) -> Result<String, Box<dyn Error>> {
    Ok(std::future::ready(format!(r#"{{"id":{id}}}"#)).await)
}

async fn customer(cache: &TieredCache, id: u32) -> Result<String, Box<dyn Error>> {
    let key = Key::new(format!("customer:{id}"))?;
    if let Some(hit) = cache.get(&key, Read::default()).await?.hit {
        return Ok(hit.entry.json().to_owned());
    }
    let text = load_from_database(id).await?;
    match cache.put(&key, if_there_is_none(&text)).await {
        Ok(_) | Err(CacheError::PreconditionFailed) => Ok(text),
        Err(error) => Err(error.into()),
    }
}

fn if_there_is_none(text: &str) -> Put {
    Put {
        text: text.to_owned().into(), // JSON
        ttl_seconds: 3600,
        tags: vec!["customer".into()],
        compress: true,
        levels: None, // all that are enabled
        condition: Condition::Absent,
        by: String::new(),
        api_key: String::new(),
        fill: None,
        ttl_jitter: 0.0,
    }
}

/// Reads one twice: from the database, then from memory.
pub async fn reads(cache: &TieredCache) {
    assert_eq!(customer(cache, 7).await.unwrap(), r#"{"id":7}"#);
    assert_eq!(customer(cache, 7).await.unwrap(), r#"{"id":7}"#);
    let found = cache.get(&Key::new("customer:7").unwrap(), Read::default()).await.unwrap().hit.unwrap();
    assert_eq!(found.entry.json(), r#"{"id":7}"#);
}
