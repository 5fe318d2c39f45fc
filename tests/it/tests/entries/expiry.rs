//! Expiry is absolute: an entry is never returned at or after the `expires_at` it shows, by any level.

use std::time::{Duration, Instant};
use strata_it::{Api, entry};

#[tokio::test]
async fn an_entry_is_gone_at_its_second_in_every_level() {
    let api = Api::start().await;
    let keys = ["L1_MEMORY", "L2_REDIS", "L3_DATABASE"];
    let put = Instant::now();
    for level in keys {
        let body = format!(r#"{{"value":1,"ttl_seconds":3,"cache_levels":["{level}"]}}"#);
        api.put(&entry(level), body).pin("entries-1").send().await.expect(201);
    }
    for level in keys {
        let found = api.get(&entry(level)).pin("entries-1").send().await.expect(200);
        assert_eq!(found.level(), level);
    }
    tokio::time::sleep_until((put + Duration::from_millis(4500)).into()).await;
    for level in keys {
        for container in ["entries-1", "entries-2"] {
            let gone = api.get(&entry(level)).pin(container).send().await;
            gone.expect_error(404, "CACHE_KEY_NOT_FOUND");
        }
        api.delete(&entry(level)).pin("entries-1").send().await.expect(404);
        api.put(&entry(level), r#"{"value":2}"#).header("if-match", "*").send().await.expect(412);
        api.put(&entry(level), r#"{"value":2}"#).send().await.expect(201);
    }
}

#[tokio::test]
async fn a_promoted_copy_has_the_remaining_life_only() {
    let api = Api::start().await;
    let put = Instant::now();
    api.put(&entry("k"), r#"{"value":1,"ttl_seconds":3}"#).pin("entries-1").send().await.expect(201);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    super::levels::flush(&api).await;
    let found = api.get(&entry("k")).pin("entries-2").send().await.expect(200);
    assert_eq!(found.level(), "L3_DATABASE");
    tokio::time::sleep_until((put + Duration::from_millis(4500)).into()).await;
    for container in ["entries-1", "entries-2"] {
        api.get(&entry("k")).pin(container).send().await.expect(404);
    }
}
