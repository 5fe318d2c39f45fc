//! What one container does is seen by the others within the window, frozen or not, and nothing old comes back.

use crate::support::{WINDOW, command, commands, flush, get, put, wait_out_the_window};
use std::time::Duration;
use strata_it::{Api, entry, patient};

#[tokio::test]
async fn an_overwrite_is_seen_within_the_window() {
    for freeze in [true, false] {
        let api = Api::with(patient().freeze(freeze)).await;
        put(&api, "entries-1", "k", "1").await.expect(201);
        assert_eq!(get(&api, "entries-2", "k").await.value(), "1");
        put(&api, "entries-1", "k", "2").await.expect(200);
        assert_eq!(get(&api, "entries-1", "k").await.value(), "2", "at once where it was acknowledged");
        wait_out_the_window().await;
        assert_eq!(get(&api, "entries-2", "k").await.value(), "2", "freeze: {freeze}");
    }
}

#[tokio::test]
async fn a_delete_is_seen_within_the_window() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    assert_eq!(get(&api, "entries-2", "k").await.value(), "1");
    api.delete(&entry("k")).pin("entries-1").send().await.expect(200);
    get(&api, "entries-1", "k").await.expect(404);
    wait_out_the_window().await;
    get(&api, "entries-2", "k").await.expect(404);
}

#[tokio::test]
async fn a_window_of_nothing_asks_before_every_read() {
    let api = Api::with(patient().coherence_window_ms(0)).await;
    for round in 0..20 {
        put(&api, "entries-1", "k", &round.to_string()).await;
        assert_eq!(get(&api, "entries-2", "k").await.value(), round.to_string());
    }
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L1_MEMORY", "L1 is used all the same");
}

#[tokio::test]
async fn a_read_inside_the_window_costs_no_redis_command() {
    // Rate limits cost one now and then.
    let api = Api::with(patient().coherence_window_ms(30_000).env("RATE_LIMITS", "off")).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    get(&api, "entries-1", "k").await.expect(200);
    let before = commands(&api).await;
    for _ in 0..50 {
        assert_eq!(get(&api, "entries-1", "k").await.level(), "L1_MEMORY");
    }
    // Asking how many there were is one.
    assert_eq!(commands(&api).await, before + 1);
}

#[tokio::test]
async fn two_containers_overwriting_one_key_end_with_the_same_winner() {
    let api = Api::start().await;
    for round in 0..15 {
        let (one, two) = (format!("\"1-{round}\""), format!("\"2-{round}\""));
        let (one, two) = tokio::join!(put(&api, "entries-1", "k", &one), put(&api, "entries-2", "k", &two));
        assert!(one.status < 300 && two.status < 300);
        let fresh = |container| api.get(&entry("k")).pin(container).header("cache-control", "no-cache").send();
        let (one, two) = (fresh("entries-1").await.expect(200), fresh("entries-2").await.expect(200));
        assert_eq!(one.value(), two.value());
        flush(&api).await;
        let durable = fresh("entries-1").await.expect(200);
        assert_eq!((durable.level().as_str(), durable.value()), ("L3_DATABASE", one.value()));
    }
}

#[tokio::test]
async fn a_flush_forgets_nothing_that_l3_has_and_revives_nothing() {
    let api = Api::start().await;
    put(&api, "entries-1", "kept", "1").await.expect(201);
    put(&api, "entries-1", "gone", "1").await.expect(201);
    get(&api, "entries-2", "gone").await.expect(200);
    api.delete(&entry("gone")).pin("entries-1").send().await.expect(200);
    flush(&api).await;
    wait_out_the_window().await;
    for container in ["entries-1", "entries-2"] {
        assert_eq!(get(&api, container, "kept").await.value(), "1");
        get(&api, container, "gone").await.expect(404);
    }
}

#[tokio::test]
async fn a_copy_from_before_a_restart_is_confirmed_before_it_is_returned() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "\"old\"").await.expect(201);
    api.stack.redis_path("all").cut().await;
    let told = put(&api, "entries-1", "k", "\"new\"").await.expect(200);
    assert_eq!(told.json()["degraded"], true);
    api.stack.redis().restart_with_data().await.unwrap();
    api.stack.redis_path("all").restore().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for container in ["entries-2", "entries-1"] {
        assert_eq!(get(&api, container, "k").await.value(), "\"new\"", "{container}");
    }
}

#[tokio::test]
async fn a_journal_that_lost_its_records_empties_l1() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "\"old\"").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L1_MEMORY");
    put(&api, "entries-1", "k", "\"new\"").await.expect(200);
    let _: i64 = command(&api, &["XTRIM", "strata:cache:{j}journal", "MAXLEN", "0"]).await;
    wait_out_the_window().await;
    let found = get(&api, "entries-2", "k").await;
    assert_eq!((found.value(), found.level().as_str()), ("\"new\"", "L3_DATABASE"));
}

#[tokio::test]
async fn reads_are_counted_for_the_fleet() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    for _ in 0..3 {
        get(&api, "entries-1", "k").await.expect(200);
    }
    let own = get(&api, "entries-1", "k").await;
    assert_eq!(own.json()["metadata"]["access_count"], 4);
    tokio::time::sleep(WINDOW).await;
    get(&api, "entries-1", "k").await.expect(200);
    let other = get(&api, "entries-2", "k").await;
    assert_eq!(other.json()["metadata"]["access_count"], 5, "four told by the sync of the fifth, and this one");
    put(&api, "entries-1", "k", "2").await.expect(200);
    assert_eq!(get(&api, "entries-1", "k").await.json()["metadata"]["access_count"], 1, "of this value");
}
