//! Invalidations that did not come to their end: how many there may be, what they cost, and how they go.

use crate::support::{command, eventually, fresh, invalidate, put};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use strata_it::{
    Api,
    stack::{Claims, L3Fault},
};

const OPEN: &str = "strata:cache:{j}open";
const JOURNAL: &str = "strata:cache:{j}journal";
/// Most of them, as `shared/cache/src/redis/journal.rs` has it.
const MOST: usize = 100;
/// Older than any operation lives.
const LONG_AGO: Duration = Duration::from_secs(60);

/// Leaves records open as if their containers had ended so long ago.
async fn leave(api: &Api, patterns: impl Iterator<Item = String>, ago: Duration) {
    let now: (u64, u64) = command(api, &["TIME"]).await;
    let at_ms = now.0 * 1000 - u64::try_from(ago.as_millis()).unwrap();
    let mut words = vec!["HSET".to_owned(), OPEN.to_owned()];
    for (number, pattern) in patterns.enumerate() {
        let version = ((at_ms * 1000) << 12) + number as u64;
        let left = json!({"version": version, "levels": 7, "pattern": pattern});
        words.extend([format!("{at_ms}-{number}"), left.to_string()]);
    }
    command::<i64>(api, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// The same of the API key whose invalidation was recorded last.
async fn leave_of_the_last(api: &Api, patterns: impl Iterator<Item = String>) {
    let last: Vec<(String, HashMap<String, String>)> = command(api, &["XRANGE", JOURNAL, "-", "+"]).await;
    let body = last.iter().rev().find_map(|(_, record)| record.get("body")).unwrap();
    let of = serde_json::from_str::<Value>(body).unwrap()["of"].clone();
    assert!(of.is_string(), "{body}");
    for (number, pattern) in patterns.enumerate() {
        let left = json!({"version": 1_u64 << 40, "levels": 7, "pattern": pattern, "of": of});
        command::<i64>(api, &["HSET", OPEN, &format!("{number}-1"), &left.to_string()]).await;
    }
}

async fn open(api: &Api) -> usize {
    command(api, &["HLEN", OPEN]).await
}

async fn records(api: &Api) -> usize {
    command(api, &["XLEN", JOURNAL]).await
}

fn pattern(number: usize) -> Value {
    json!({"pattern": format!("p:{number}:*")})
}

fn patterns(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("p:{number}:*"))
}

#[tokio::test]
async fn what_cannot_begin_leaves_no_record() {
    let api = Api::start().await;
    invalidate(&api, pattern(0)).await.expect(200);
    let before = records(&api).await;
    api.stack.l3().set(L3Fault::Stopped).await;
    let burst = join_all((0..8).map(|number| invalidate(&api, pattern(number)))).await;
    for answer in burst {
        answer.expect_error(503, "LEVEL_UNAVAILABLE");
    }
    for number in 0..4 {
        // L3 is asked again after a second.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        invalidate(&api, pattern(number)).await.expect_error(503, "LEVEL_UNAVAILABLE");
    }
    assert_eq!((open(&api).await, records(&api).await), (0, before));
    api.stack.l3().set(L3Fault::Ok).await;
    eventually("L3", async || invalidate(&api, pattern(0)).await.status == 200).await;
}

#[tokio::test]
async fn there_are_no_more_than_a_sync_can_carry() {
    let api = Api::start().await;
    put(&api, "entries-1", "p:new:1", "1").await.expect(201);
    leave(&api, patterns(MOST), Duration::ZERO).await;
    let before = records(&api).await;
    let refused = invalidate(&api, json!({"pattern": "p:new:*"})).await.expect_error(503, "LEVEL_UNAVAILABLE");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!((open(&api).await, records(&api).await), (MOST, before), "nothing is recorded");
    fresh(&api, "p:new:1").await.expect(200);
    command::<i64>(&api, &["DEL", OPEN]).await;
    // Long ones are fewer.
    leave(&api, (0..40).map(|number| format!("{number:x<240}")), Duration::ZERO).await;
    invalidate(&api, json!({"pattern": "p:new:*"})).await.expect_error(503, "LEVEL_UNAVAILABLE");
    command::<i64>(&api, &["DEL", OPEN]).await;
    invalidate(&api, json!({"pattern": "p:new:*"})).await.expect(200);
    fresh(&api, "p:new:1").await.expect(404);
}

#[tokio::test]
async fn an_api_key_leaves_as_much_for_others_as_it_has_open() {
    let api = Api::start().await;
    let greedy = api.stack.token(Claims::default().api_key("greedy"));
    let another = async || invalidate(&api, json!({"pattern": "another:*"})).await;
    let one_more = async || {
        let body = json!({"pattern": "more:*"}).to_string();
        api.request("POST", "/invalidate").bearer(&greedy).body(body).send().await
    };
    one_more().await.expect(200);
    leave_of_the_last(&api, patterns(MOST / 2)).await;
    one_more().await.expect_error(503, "LEVEL_UNAVAILABLE");
    another().await.expect(200);
    command::<i64>(&api, &["DEL", OPEN]).await;
    one_more().await.expect(200);
    // Of the bytes as well.
    leave_of_the_last(&api, (0..16).map(|number| format!("{number:x<240}"))).await;
    one_more().await.expect_error(503, "LEVEL_UNAVAILABLE");
    another().await.expect(200);
    // What it may have open goes by what is open of others.
    command::<i64>(&api, &["DEL", OPEN]).await;
    one_more().await.expect(200);
    leave_of_the_last(&api, patterns(MOST / 4)).await;
    leave(&api, patterns(MOST / 2), Duration::ZERO).await;
    one_more().await.expect_error(503, "LEVEL_UNAVAILABLE");
    another().await.expect(200);
}

#[tokio::test]
async fn maintenance_takes_up_all_that_were_left() {
    let api = Api::start().await;
    put(&api, "entries-1", "p:7:1", "1").await.expect(201);
    leave(&api, patterns(MOST).chain(patterns(3)), LONG_AGO).await;
    // The same request again takes the place of one that was left, however many there are.
    invalidate(&api, pattern(5)).await.expect(200);
    assert_eq!(open(&api).await, MOST + 3 - 1);
    let done = api.stack.tick().await.unwrap();
    assert_eq!(done[0]["invalidations_adopted"], MOST - 1, "one job for equal ones: {done:?}");
    eventually("closing them", async || open(&api).await == 0).await;
    assert_eq!(fresh(&api, "p:7:1").await.value(), "1", "it is newer than all of them");
}

#[tokio::test]
async fn the_same_request_again_finishes_what_the_first_left() {
    let api = Api::start().await;
    leave(&api, ["a:*", "a:*", "a:1", "b:*"].into_iter().map(str::to_owned), Duration::from_secs(1)).await;
    put(&api, "entries-1", "a:2", "1").await.expect(201);
    invalidate(&api, json!({"pattern": "a:*", "levels": ["L1_MEMORY", "L2_REDIS"]})).await.expect(200);
    assert_eq!(open(&api).await, 4, "fewer levels");
    invalidate(&api, json!({"pattern": "a:*"})).await.expect(200);
    assert_eq!(open(&api).await, 2, "what is not the same is left to maintenance");
    fresh(&api, "a:2").await.expect(404);
}

#[tokio::test]
async fn equal_ones_at_the_same_time_do_not_hinder_each_other() {
    let api = Api::start().await;
    api.stack.l3().set(L3Fault::Slow { ms: 20 }).await;
    for _ in 0..5 {
        let done = join_all((0..6).map(|_| invalidate(&api, json!({"tags": ["t"]})))).await;
        for answer in done {
            answer.expect(200);
        }
    }
    assert_eq!(open(&api).await, 0);
}
