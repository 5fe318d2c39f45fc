//! How much an API key may have unfinished, and that those of one do not wait for those of another.

use super::{about, begin, ended, fill, id_of, one_key, posted, report, warm};
use crate::{
    support::{called, eventually, flush, invalidate, put, shard},
    tables::{client, item, job, partition, text_of},
};
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use strata_it::{Api, patient, stack::Claims};

/// The token of another API key.
fn neighbour(api: &Api) -> String {
    api.stack.token(Claims::default().api_key("neighbour"))
}

/// A job for that token; returns its name.
async fn begin_as(api: &Api, token: &str, body: &Value) -> String {
    id_of(&posted(api, body).bearer(token).send().await.expect(202))
}

/// Somebody is called, as the stream would, for whatever job.
async fn call(api: &Api) {
    let done = api.stack.invoke("warmer", called("whichever"), None).await.unwrap();
    assert_eq!(done, json!({"batchItemFailures": []}));
}

/// A body that takes as many waves as there are keys.
fn slowly() -> Value {
    json!({"patterns": ["k:*"], "strategy": "LAZY", "batch_size": 1, "max_concurrent": 1})
}

#[tokio::test]
async fn an_api_key_has_as_many_unfinished_as_it_may_however_many_come_at_once() {
    let api = Api::with(patient().streams(false).env("JOBS_PER_API_KEY", "3")).await;
    let at_once = join_all((0..9).map(|_| warm(&api, one_key()))).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = at_once.into_iter().partition(|answer| answer.status == 202);
    assert_eq!((accepted.len(), refused.len()), (3, 6));
    let full = json!({"quota": "unfinished_jobs", "used": 3, "limit": 3});
    for refusal in refused {
        let refusal = refusal.expect_error(429, "QUOTA_EXCEEDED");
        assert_eq!(refusal.details(), full);
        assert_eq!(refusal.json()["error"]["message"], "The API key has 3 unfinished jobs, of at most 3");
    }
    begin_as(&api, &neighbour(&api), &one_key()).await;
    let ids: Vec<String> = accepted.iter().map(id_of).collect();
    about(&api, "DELETE", &ids[0]).send().await.expect(200);
    let named = || posted(&api, &one_key()).header("Idempotency-Key", "one").send();
    let last = id_of(&named().await.expect(202));
    warm(&api, one_key()).await.expect_error(429, "QUOTA_EXCEEDED");
    assert_eq!(id_of(&named().await.expect(202)), last, "a repetition asks for nothing more");
    for _ in 0..6 {
        call(&api).await;
    }
    assert_eq!(report(&api, &ids[1]).await["state"], "done");
    for _ in 0..3 {
        begin(&api, one_key()).await;
    }
}

#[tokio::test]
async fn without_a_bound_any_number_is_accepted() {
    let api = Api::with(patient().streams(false).env("JOBS_PER_API_KEY", "0")).await;
    for answer in join_all((0..20).map(|_| warm(&api, one_key()))).await {
        answer.expect(202);
    }
}

/// What is invalidated is hidden already, at a cost for everybody, until it is removed.
#[tokio::test]
async fn a_removal_is_never_refused_and_comes_before_the_warmings_of_its_api_key() {
    let options = patient().streams(false).env("JOBS_PER_API_KEY", "2");
    let api = Api::with(options.env("INVALIDATE_BUDGET_MS", "1").env("JOB_SLICE_MS", "1")).await;
    for key in (0..).map(|i| format!("k:{i}")).filter(|key| shard(key) == "0").take(150) {
        put(&api, "entries-1", &key, "1").await.expect(201);
    }
    let warmings = [begin(&api, slowly()).await, begin(&api, slowly()).await];
    let begun = invalidate(&api, json!({"pattern": "k:*"})).await.expect(200).json();
    let removal = begun["job_id"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
    about(&api, "DELETE", &warmings[0]).send().await.expect(200);
    warm(&api, one_key()).await.expect_error(429, "QUOTA_EXCEEDED");
    call(&api).await;
    assert!(report(&api, &removal).await.get("started_at").is_some());
    assert!(report(&api, &warmings[1]).await.get("started_at").is_none(), "it waits for the removal");
    eventually("the removal", async || {
        call(&api).await;
        report(&api, &removal).await["state"] == "done"
    })
    .await;
    warm(&api, one_key()).await.expect(202);
}

#[tokio::test]
async fn a_pattern_or_key_that_is_given_twice_is_loaded_once() {
    let api = Api::start().await;
    fill(&api, 5).await;
    flush(&api).await;
    let body = json!({"patterns": vec!["k:*"; 50], "keys": vec!["k:missing"; 9], "batch_size": 1});
    let told = ended(&api, &begin(&api, body).await).await;
    assert_eq!((&told["done"], &told["missing"]), (&json!(5), &json!(1)), "{told}");
}

/// Calls that name the jobs of one API key serve all.
#[tokio::test]
async fn api_keys_take_turns_whoever_is_called_for() {
    let api = Api::with(patient().streams(false).env("JOB_SLICE_MS", "1")).await;
    fill(&api, 40).await;
    flush(&api).await;
    let many = join_all((0..12).map(|_| begin(&api, slowly()))).await;
    let theirs = begin_as(&api, &neighbour(&api), &slowly()).await;
    let state = async |id: &str| report(&api, id).await["state"].as_str().unwrap().to_owned();
    let mut turns = 0;
    while state(&theirs).await != "done" {
        let done = api.stack.invoke("warmer", called(&many[turns % many.len()]), None).await.unwrap();
        assert_eq!(done, json!({"batchItemFailures": []}));
        turns += 1;
        assert!(turns < 200, "it is never served");
    }
    let mut served = BTreeMap::new();
    for id in many.iter().chain([&theirs]) {
        let told = report(&api, id).await;
        *served.entry(id == &theirs).or_insert(0) += told["done"].as_u64().unwrap();
    }
    assert!(served[&false] <= served[&true] + 40, "one of thirteen jobs has half of the turns: {served:?}");
}

#[tokio::test]
async fn a_job_under_way_makes_room_for_one_of_another_api_key() {
    let api = Api::with(patient().streams(false)).await;
    fill(&api, 700).await;
    flush(&api).await;
    let long = begin(&api, slowly()).await;
    let neighbour = neighbour(&api);
    let beside = async {
        eventually("the long job", async || report(&api, &long).await["done"].as_u64() >= Some(1)).await;
        let id = begin_as(&api, &neighbour, &one_key()).await;
        eventually("the short job", async || report(&api, &id).await["state"] == "done").await;
        report(&api, &long).await
    };
    let ((), then) = join(call(&api), beside).await;
    assert!(["ready", "running"].contains(&then["state"].as_str().unwrap()), "the short one has waited for it: {then}");
    assert!((1..700).contains(&then["done"].as_u64().unwrap()), "it tells how far it is: {then}");
    assert_eq!(report(&api, &long).await["done"], 700, "the same call goes on with it");
}

/// Rows as the release before has them, and those it leaves behind where it ends what this one began.
#[tokio::test]
async fn what_the_release_before_leaves_is_mended_by_maintenance() {
    let api = Api::with(patient().streams(false).env("JOBS_PER_API_KEY", "1")).await;
    let id = begin(&api, one_key()).await;
    let [mut row] = <[_; 1]>::try_from(partition(&api, "cache_control", "jobs").await).unwrap();
    let table = client(&api);
    let key = |row: &crate::tables::Item| item(text_of(row, "pk"), text_of(row, "sk"));
    table.delete_item().table_name("cache_control").set_key(Some(key(&row))).send().await.unwrap();
    row.insert("sk".to_owned(), AttributeValue::S(id.clone()));
    table.put_item().table_name("cache_control").set_item(Some(row)).send().await.unwrap();
    call(&api).await;
    assert_eq!(text_of(&job(&api, &id).await, "state"), "ready", "it is not in the line");
    api.stack.tick().await.unwrap();
    call(&api).await;
    assert_eq!(report(&api, &id).await["state"], "done");
    assert_eq!(partition(&api, "cache_control", "jobs").await, []);

    let slot = async || {
        let mut account = crate::tables::all(&api, "cache_control").await;
        account.retain(|item| text_of(item, "pk").starts_with("account#") && text_of(item, "sk").starts_with('~'));
        account
    };
    let scheduled = begin(&api, json!({"keys": ["a"], "strategy": "SCHEDULED"})).await;
    let left = [partition(&api, "cache_control", "jobs").await, slot().await].concat();
    assert_eq!(left.len(), 2);
    about(&api, "DELETE", &scheduled).send().await.expect(200);
    for row in left {
        table.put_item().table_name("cache_control").set_item(Some(row)).send().await.unwrap();
    }
    warm(&api, one_key()).await.expect_error(429, "QUOTA_EXCEEDED");
    api.stack.tick().await.unwrap();
    assert_eq!(partition(&api, "cache_control", "jobs").await, []);
    assert_eq!(slot().await, []);
    begin(&api, one_key()).await;
}
