//! The examples of the library, with real engines.

#[allow(dead_code, reason = "its main waits for Lambda")]
#[path = "../../../../shared/cache/examples/function.rs"]
mod function;
#[allow(dead_code, reason = "its main never ends")]
#[path = "../../../../shared/cache/examples/server.rs"]
mod server;

use super::{named, stored};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{json, to_value};
use strata_cache::TieredCache;

/// An invocation, of a function that has half a minute.
fn invocation(id: u32) -> LambdaEvent<function::Asked> {
    let mut context = Context::default();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    context.deadline = u64::try_from(now.as_millis()).unwrap() + 30_000;
    LambdaEvent::new(function::Asked { id }, context)
}

pub async fn work(cache: &TieredCache) {
    for _ in 0..2 {
        let answer = function::handle(cache, invocation(12)).await.unwrap();
        assert_eq!(to_value(answer).unwrap(), json!({"id": 12, "name": "Customer 12"}));
    }
    assert_eq!(stored(cache, "customer:12").await.as_deref(), Some(r#"{"id":12,"name":"Customer 12"}"#));
    assert_eq!(function::handle(cache, invocation(1_000)).await.unwrap(), None);
    assert_eq!(stored(cache, "customer:1000").await.as_deref(), Some("null"), "for a minute");
    server::open().unwrap();
    assert_eq!(server::quote().await.unwrap(), 1.1);
    server::tend(cache).await.unwrap();
    assert!(cache.get(&named("customer:12"), Default::default()).await.unwrap().hit.is_some());
}
