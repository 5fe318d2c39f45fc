//! An outage of Redis that leaves much behind, and one while L3 is sick: what is bounded, and what is not trusted.

use crate::{
    support::{command, eventually, fresh, get, put},
    tables::{self, Item, text_of},
};
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use strata_it::{
    Answer, Api, configured, entry,
    stack::{L3Fault, Options},
};

/// Λ, and a little more than a container takes to hear of what another found.
const LAMBDA: Duration = Duration::from_millis(10_200);

/// L3 has this long, and takes a fifth of it for each request.
const L3_TIMEOUT_MS: u64 = 4000;
const SLOW: L3Fault = L3Fault::Slow { ms: 800 };

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

fn with_time_for_l3() -> Options {
    configured(json!({"l3_config": {"timeout_ms": L3_TIMEOUT_MS}}))
}

/// Every container holds the old value, and one of them, cut off from Redis, puts another.
async fn put_while_cut_off(api: &Api, fault: L3Fault) {
    put(api, "entries-1", "k", "\"old\"").await.expect(201);
    for container in ["entries-1", "entries-2"] {
        assert_eq!(get(api, container, "k").await.value(), "\"old\"");
    }
    api.stack.redis_path("entries-1").cut().await;
    api.stack.l3().set(fault).await;
    let told = put(api, "entries-1", "k", "\"new\"").await.expect(200);
    assert_eq!(told.json()["degraded"], true);
}

fn says_new(answer: &Answer) -> bool {
    answer.status == 200 && answer.value() == "\"new\""
}

#[tokio::test]
async fn a_slow_l3_keeps_no_mutation_from_being_known_within_lambda() {
    let api = Api::with(with_time_for_l3()).await;
    put_while_cut_off(&api, SLOW).await;
    tokio::time::sleep(LAMBDA).await;
    for round in 0..10 {
        assert_eq!(get(&api, "entries-2", "k").await.expect(200).value(), "\"new\"", "round {round}");
        assert_eq!(fresh(&api, "k").await.expect(200).value(), "\"new\"", "round {round}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    api.stack.redis_path("entries-1").restore().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // Its own note is read in the time that L3 has, and then it trusts what it holds again.
    eventually("trust", async || {
        let found = get(&api, "entries-1", "k").await.expect(200);
        assert_eq!(found.value(), "\"new\"");
        ["L1_MEMORY", "L2_REDIS"].contains(&found.level().as_str())
    })
    .await;
}

/// With these, L3 answers, but never what it is asked.
#[tokio::test]
async fn whoever_cannot_know_the_notes_trusts_nothing_but_l3() {
    for fault in [L3Fault::Throttling, L3Fault::Failing { k: 1, of: 1 }, L3Fault::Failing { k: 3, of: 4 }] {
        let api = Api::with(with_time_for_l3()).await;
        put_while_cut_off(&api, L3Fault::Ok).await;
        api.stack.l3().set(fault).await;
        tokio::time::sleep(LAMBDA).await;
        for _ in 0..10 {
            for found in [get(&api, "entries-2", "k").await, fresh(&api, "k").await] {
                assert!(found.status == 503 || says_new(&found), "{fault:?}: {found:?}");
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        api.stack.l3().set(L3Fault::Ok).await;
        let began = Instant::now();
        eventually("trust", async || {
            let found = get(&api, "entries-2", "k").await;
            found.status == 200 && says_new(&found) && found.level() == "L1_MEMORY"
        })
        .await;
        assert!(began.elapsed() < Duration::from_secs(10), "{fault:?}: {:?}", began.elapsed());
    }
}

/// Nobody can be told that a mutation is done while L3 is dead.
#[tokio::test]
async fn reads_go_on_for_as_long_as_l3_is_dead() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    api.stack.l3().set(L3Fault::Stopped).await;
    let began = Instant::now();
    while began.elapsed() < LAMBDA * 2 {
        for container in ["entries-1", "entries-2"] {
            assert_eq!(get(&api, container, "k").await.expect(200).value(), "1", "{:?}", began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Notes of other keys, as a fleet without Redis leaves them.
async fn leave_notes(api: &Api, count: usize) {
    let marked = [("pk", text("notes")), ("sk", text("-")), ("generation", number(0)), ("marked", number(now_ms()))];
    write(api, vec![marked.map(|(name, value)| (name.to_owned(), value)).into()]).await;
    let note = |i: usize| {
        let (pk, sk) = (format!("note#0#{:x}", i % 16), format!("{:015}#{i:016x}", now_ms()));
        let (key, version) = (format!("other:{i}"), number((now_ms() * 1000) << 12));
        [
            ("pk", text(&pk)),
            ("sk", text(&sk)),
            ("key", text(&key)),
            ("version", version),
            ("ttl", number(now_ms() / 1000 + 86_400)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    };
    write(api, (0..count).map(note).collect()).await;
}

/// Open invalidations, none of which covers anything that is there.
pub async fn leave_open_invalidations(api: &Api, count: u64) {
    let open = |i: u64| {
        let body = json!({"version": (now_ms() * 1000 + i) << 12, "levels": 7, "pattern": format!("open:{i}:*")});
        [("pk", text("note")), ("sk", text(&format!("#removal-{i:x}"))), ("body", text(&body.to_string()))]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    };
    write(api, (0..count).map(open).collect()).await;
}

async fn write(api: &Api, items: Vec<Item>) {
    let client = &tables::client(api);
    let write_some = |some: &[Item]| {
        let put = |item: &Item| PutRequest::builder().set_item(Some(item.clone())).build().unwrap();
        let puts = some.iter().map(|item| WriteRequest::builder().put_request(put(item)).build()).collect();
        let written = client.batch_write_item().request_items("cache_control", puts).send();
        async move { assert!(written.await.unwrap().unprocessed_items.is_none_or(|left| left.is_empty())) }
    };
    stream::iter(items.chunks(25).map(write_some)).buffer_unordered(16).collect::<()>().await;
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// How many epochs have begun.
async fn epochs(api: &Api) -> usize {
    type Records = Vec<(String, HashMap<String, String>)>;
    let records: Records = command(api, &["XRANGE", "strata:cache:{j}journal", "-", "+"]).await;
    records.iter().filter(|(_, fields)| fields.get("kind").is_some_and(|kind| kind == "epoch")).count()
}

#[tokio::test]
async fn a_degraded_mutation_costs_the_same_however_many_notes_there_are() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let l3 = api.stack.l3();
    let before = l3.consumed();
    put(&api, "entries-1", "k", "2").await.expect(200);
    let healthy = l3.consumed() - before;
    api.stack.redis_path("all").cut().await;
    put(&api, "entries-1", "k", "3").await.expect(200);
    let mut left = 0;
    for more in [0, 1000, 4000] {
        leave_notes(&api, more).await;
        left += more;
        let before = l3.consumed();
        let told = put(&api, "entries-1", "k", "4").await.expect(200);
        assert_eq!(told.json()["degraded"], true);
        let mutation = l3.consumed() - before;
        assert!(mutation.read <= healthy.read + 4.0, "with {left} notes: {mutation:?}, healthy {healthy:?}");
        assert!(mutation.written <= healthy.written + 4.0, "with {left} notes: {mutation:?}, healthy {healthy:?}");
        let before = l3.consumed();
        fresh(&api, "k").await.expect(200);
        let read = l3.consumed() - before;
        assert!(read.read <= 3.0, "a read, with {left} notes: {read:?}");
    }
}

#[tokio::test]
async fn one_outage_is_one_epoch_however_much_it_leaves() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "\"old\"").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    let before = epochs(&api).await;
    api.stack.redis_path("all").cut().await;
    put(&api, "entries-1", "k", "\"new\"").await.expect(200);
    leave_notes(&api, 2500).await;
    leave_open_invalidations(&api, 1000).await;
    api.stack.redis_path("all").restore().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(get(&api, "entries-1", "k").await.expect(200).value(), "\"new\"");
    let began = Instant::now();
    while began.elapsed() < LAMBDA * 2 {
        for container in ["entries-1", "entries-2"] {
            let found = get(&api, container, "k").await.expect(200);
            assert_eq!(found.value(), "\"new\"");
            if began.elapsed() > LAMBDA {
                assert_ne!(found.level(), "L3_DATABASE", "{:?}", began.elapsed());
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(epochs(&api).await, before + 1);
    let ended = tables::partition(&api, "cache_control", "notes#ended").await;
    assert_eq!(ended.len(), 1);
    end_long_ago(&api, &ended[0]).await;
    eventually("deleting the notes", async || {
        api.stack.tick().await.unwrap();
        tables::notes(&api).await.is_empty()
    })
    .await;
    assert_eq!(tables::partition(&api, "cache_control", "notes#ended").await, []);
    assert_eq!(epochs(&api).await, before + 1, "and nothing of that begins another");
}

/// Maintenance leaves a generation alone for a minute.
async fn end_long_ago(api: &Api, ended: &Item) {
    let mut item = ended.clone();
    item.insert("ended".to_owned(), number(now_ms() - 120_000));
    write(api, vec![item]).await;
}

/// A mutation whose generation ended while it was on its way is found all the same.
#[tokio::test]
async fn a_note_in_a_generation_that_has_ended_is_left_again() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "\"old\"").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    api.stack.redis_path("entries-1").cut().await;
    put(&api, "entries-1", "k", "\"first\"").await.expect(200);
    // The bulletin, then the transaction, then the generation: so late does each take effect.
    api.stack.l3().set(L3Fault::Slow { ms: 700 }).await;
    let (told, ()) = tokio::join!(put(&api, "entries-1", "k", "\"new\""), async {
        tokio::time::sleep(Duration::from_millis(1000)).await;
        let generation = now_ms();
        let raised = [
            ("pk", text("notes")),
            ("sk", text("-")),
            ("generation", number(generation)),
            ("marked", number(generation)),
        ];
        write(&api, vec![raised.map(|(name, value)| (name.to_owned(), value)).into()]).await;
    });
    told.expect(200);
    api.stack.l3().set(L3Fault::Ok).await;
    let notes = tables::notes(&api).await;
    let current: Vec<_> = notes.iter().filter(|note| !text_of(note, "pk").starts_with("note#0#")).collect();
    assert_eq!(current.len(), 1, "{notes:?}");
    tokio::time::sleep(LAMBDA).await;
    assert_eq!(get(&api, "entries-2", "k").await.expect(200).value(), "\"new\"");
}

#[tokio::test]
async fn notes_of_the_release_before_are_found() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "\"old\"").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    api.stack.redis_path("entries-1").cut().await;
    put(&api, "entries-1", "k", "\"new\"").await.expect(200);
    for mut note in tables::notes(&api).await {
        let key =
            [("pk", note["pk"].clone()), ("sk", note["sk"].clone())].map(|(name, value)| (name.to_owned(), value));
        let delete = tables::client(&api).delete_item().table_name("cache_control").set_key(Some(key.into()));
        delete.send().await.unwrap();
        note.insert("pk".to_owned(), text("note"));
        write(&api, vec![note]).await;
    }
    tokio::time::sleep(LAMBDA).await;
    assert_eq!(get(&api, "entries-2", "k").await.expect(200).value(), "\"new\"");
    let bulletin = tables::partition(&api, "cache_control", "note").await;
    assert!(bulletin.iter().all(|item| text_of(item, "sk") < "0"), "{bulletin:?}");
}

#[tokio::test]
async fn a_transaction_that_meets_another_is_sent_again() {
    let api = Api::start().await;
    api.stack.redis_path("all").cut().await;
    api.stack.l3().set(L3Fault::Conflicting { k: 2, of: 3 }).await;
    for round in 0..3 {
        let told = put(&api, "entries-1", "k", &round.to_string()).await;
        assert!([200, 201].contains(&told.status), "{told:?}");
        assert_eq!(told.json()["degraded"], true);
    }
    assert_eq!(get(&api, "entries-2", "k").await.expect(200).value(), "2");
}

#[tokio::test]
async fn an_overwrite_without_redis_takes_the_chunks_and_the_index_rows_along() {
    let api = Api::start().await;
    // Nothing that a compressor finds a repetition in.
    let digits: String = (0..200_000_u64).map(|i| format!("{:x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let body = json!({"value": digits, "tags": ["red"]}).to_string();
    api.put(&entry("k"), body).pin("entries-1").send().await.expect(201);
    let parts = async || {
        let items = tables::entries(&api).await;
        items.iter().filter(|item| !text_of(item, "pk").starts_with("e#")).count()
    };
    assert!(parts().await > 1, "chunks and an index row");
    api.stack.redis_path("all").cut().await;
    assert_eq!(put(&api, "entries-1", "k", "1").await.expect(200).json()["degraded"], true);
    assert_eq!(parts().await, 0);
}

/// How long it takes until a key that L3 has confirmed once is read from L1 and L2 again. Run it alone, for its figures:
/// `cargo test -p strata-it --test it -- --ignored --nocapture a_hundred_thousand`.
#[tokio::test]
#[ignore = "minutes; for its figures"]
async fn a_hundred_thousand_notes_are_one_epoch_as_well() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "\"old\"").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    let before = epochs(&api).await;
    api.stack.redis_path("all").cut().await;
    put(&api, "entries-1", "k", "\"new\"").await.expect(200);
    leave_notes(&api, 100_000).await;
    let (consumed, began) = (api.stack.l3().consumed(), Instant::now());
    put(&api, "entries-1", "k", "\"newer\"").await.expect(200);
    eprintln!("a degraded PUT: {:?} in {:?}", api.stack.l3().consumed() - consumed, began.elapsed());
    let consumed = api.stack.l3().consumed();
    api.stack.redis_path("all").restore().await;
    let began = Instant::now();
    for (container, level) in [("entries-1", "L1_MEMORY"), ("entries-2", "L1_MEMORY")] {
        eventually("trust", async || get(&api, container, "k").await.expect(200).level() == level).await;
        eprintln!("{container} hits {level} after {:?}", began.elapsed());
    }
    assert_eq!(get(&api, "entries-2", "k").await.value(), "\"newer\"");
    eprintln!("until then: {:?}", api.stack.l3().consumed() - consumed);
    tokio::time::sleep(LAMBDA * 2).await;
    assert_eq!(epochs(&api).await, before + 1);
}
