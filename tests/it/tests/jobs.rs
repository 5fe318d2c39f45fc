//! An invalidation that is larger than its request: its effect is complete at once, and the rest is removed whatever
//! happens to those who do it.

use crate::{
    outage::leave_open_invalidations,
    support::{called, command, eventually, flush, fresh, get, invalidate, put, shard, wait_out_the_window},
    tables::{Item, job, notes, partition, text_of},
};
use serde_json::{Value, json};
use strata_it::{
    Api, entry, patient,
    stack::{Claims, L3Fault, Options, Stack},
};

/// Entries of one partition: five pages of it in DynamoDB.
const ENTRIES: usize = 450;

/// A stack in which a request, and each slice of a job, does one page.
pub fn slow() -> Options {
    patient().env("INVALIDATE_BUDGET_MS", "1").env("JOB_SLICE_MS", "1")
}

/// Keys of the same partition.
pub fn keys() -> Vec<String> {
    let all = (0..).map(|i| format!("k:{i}"));
    all.filter(|key| shard(key) == "0").take(ENTRIES).collect()
}

/// Stores the entries, eight at a time.
async fn fill(api: &Api, keys: &[String]) {
    for some in keys.chunks(8) {
        let puts = some.iter().map(|key| api.put(&entry(key), r#"{"value":1,"tags":["t"]}"#).send());
        for answer in futures_util::future::join_all(puts).await {
            answer.expect(201);
        }
    }
}

/// Begins an invalidation that goes on as a job; returns the job's name.
async fn begin(api: &Api) -> String {
    let begun = invalidate(api, json!({"pattern": "k:*"})).await.expect(200).json();
    assert_eq!(begun["reclaim"], "in_progress", "{begun}");
    assert!((1..ENTRIES as u64).contains(&begun["invalidated_count"].as_u64().unwrap()), "{begun}");
    begun["job_id"].as_str().unwrap().to_owned()
}

/// Runs a slice of a job.
async fn slice(stack: &Stack, job: &str) {
    let done = stack.invoke("warmer", called(job), None).await.unwrap();
    assert_eq!(done, json!({"batchItemFailures": []}));
}

async fn is_done(api: &Api, id: &str) -> bool {
    text_of(&job(api, id).await, "state") == "done"
}

pub async fn run_to_the_end(api: &Api, job: &str) {
    eventually("the job", async || {
        slice(&api.stack, job).await;
        is_done(api, job).await
    })
    .await;
}

/// Asserts that nothing is left of what was invalidated but for the keys of `since`, which were put after.
async fn assert_removed(api: &Api, job: &str, since: &[&str]) {
    for key in keys().iter().step_by(7).map(String::as_str).filter(|key| !since.contains(key)) {
        fresh(api, key).await.expect(404);
    }
    let is_value = |row: &&Item| text_of(row, "kind") == "value" && text_of(row, "sk").starts_with("k:");
    let rows = partition(api, "cache_entries", "e#0").await;
    let left: Vec<&str> = rows.iter().filter(is_value).map(|row| text_of(row, "sk")).collect();
    assert_eq!(left, since, "rows");
    let members: Vec<String> = command(api, &["ZRANGE", "strata:cache:{e0}index", "0", "-1"]).await;
    assert!(members.iter().all(|key| since.contains(&key.as_str())), "members: {members:?}");
    let bulletin = partition(api, "cache_control", "note").await;
    assert!(bulletin.iter().all(|item| !text_of(item, "sk").starts_with('#')), "open invalidations");
    // Somebody looks for notes every few seconds.
    eventually("finishing notes", async || {
        fresh(api, "nothing").await.expect(404);
        notes(api).await.is_empty()
    })
    .await;
    assert_eq!(partition(api, "cache_control", "jobs").await, [], "undone jobs");
    eventually("closing the record", async || command::<i64>(api, &["HLEN", "strata:cache:{j}open"]).await == 0).await;
    for key in since {
        assert_eq!(fresh(api, key).await.value(), "2");
    }
    assert!(self::job(api, job).await.contains_key("ttl"), "a job that is done goes after a week");
}

#[tokio::test]
async fn what_is_hidden_counts_nowhere() {
    for selector in [json!({"pattern": "k:*"}), json!({"tags": ["t"]})] {
        // Nobody removes the rest.
        let api = Api::with(slow().functions(["authorizer", "entries", "invalidate"])).await;
        let keys = keys();
        fill(&api, &keys).await;
        // The last of its partition, and few enough for one page.
        let last: Vec<&String> = keys.iter().filter(|key| key.starts_with("k:7")).collect();
        assert!((1..100).contains(&last.len()));
        for key in &last {
            api.put(&entry(key), r#"{"value":1,"tags":["t","last"]}"#).send().await.expect(200);
        }
        let begun = invalidate(&api, selector).await.expect(200).json();
        assert_eq!(begun["reclaim"], "in_progress", "{begun}");
        let counted = async |mut body: Value, more: Value| {
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let said = invalidate(&api, body).await.expect(200).json();
            (said["invalidated_count"].as_u64().unwrap(), said["levels_affected"].as_array().unwrap().len())
        };
        for body in [json!({"pattern": "k:7*"}), json!({"tags": ["last"]})] {
            fresh(&api, last[0]).await.expect(404);
            for levels in [json!(["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]), json!(["L2_REDIS"])] {
                assert_eq!(counted(body.clone(), json!({"dry_run": true, "levels": levels})).await, (0, 0), "{body}");
            }
            put(&api, "entries-1", last[1], "2").await;
            let tagged = api.put(&entry(last[0]), r#"{"value":2,"tags":["last"]}"#).send().await;
            assert!(tagged.status < 300);
            let alive = if body.get("tags").is_some() { 1 } else { 2 };
            assert_eq!(counted(body.clone(), json!({"dry_run": true})).await, (alive, 3), "{body}");
            assert_eq!(counted(body.clone(), json!({"max_affected": alive})).await, (alive, 3), "{body}");
            assert_eq!(counted(body.clone(), json!({"max_affected": 0})).await, (0, 0), "no 409 where reads say 404");
        }
        api.stack.redis_path("all").cut().await;
        assert_eq!(counted(json!({"pattern": "k:7*"}), json!({"dry_run": true})).await, (1, 2), "L3 has one put since");
    }
}

#[tokio::test]
async fn the_effect_is_complete_at_once_and_the_rest_goes_by_itself() {
    let api = Api::with(slow()).await;
    let keys = keys();
    fill(&api, &keys).await;
    put(&api, "entries-1", "other", "1").await.expect(201);
    get(&api, "entries-2", &keys[ENTRIES - 1]).await.expect(200);
    let job = begin(&api).await;
    put(&api, "entries-1", &keys[3], "2").await.expect(201);
    wait_out_the_window().await;
    for key in keys.iter().filter(|key| **key != keys[3]) {
        get(&api, "entries-2", key).await.expect(404);
    }
    get(&api, "entries-1", &keys[ENTRIES - 1]).await.expect(404);
    eventually("the job", async || is_done(&api, &job).await).await;
    assert_removed(&api, &job, &[&keys[3]]).await;
    fresh(&api, "other").await.expect(200);
    let logs = ["warmer-1", "warmer-2"].map(|container| api.stack.logs(container)).concat();
    assert!(logs.matches("\"message\":\"slice\"").count() >= 4, "{logs}");
}

#[tokio::test]
async fn a_removal_is_shown_to_tokens_that_could_have_begun_it() {
    let api = Api::with(slow().streams(false)).await;
    fill(&api, &keys()).await;
    let [theirs, others] = ["k:", "other:"].map(|prefix| api.stack.token(Claims::default().prefixes(&[prefix])));
    let all = api.stack.token(Claims::default());
    for (body, by, is_theirs) in [
        (json!({"tags": ["t"]}), &theirs, true),
        (json!({"pattern": "k:*"}), &all, true),
        (json!({"tags": ["t"]}), &all, false),
        (json!({"pattern": "k*"}), &all, false),
    ] {
        let begun =
            api.request("POST", "/invalidate").body(body.to_string()).bearer(by).send().await.expect(200).json();
        let path = format!("/warm/{}", begun["job_id"].as_str().unwrap_or_else(|| panic!("{begun}")));
        let ask = async |token: &str| api.get(&path).bearer(token).send().await;
        assert_eq!(ask(&all).await.expect(200).json()["kind"], "removal");
        ask(&theirs).await.expect(if is_theirs { 200 } else { 404 });
        ask(&others).await.expect_error(404, "JOB_NOT_FOUND");
    }
}

#[tokio::test]
async fn slices_that_are_repeated_or_overlap_do_no_harm() {
    let api = Api::with(slow().streams(false)).await;
    let keys = keys();
    fill(&api, &keys).await;
    let job = begin(&api).await;
    put(&api, "entries-1", &keys[3], "2").await.expect(201);
    for _ in 0..20 {
        futures_util::future::join_all([slice(&api.stack, &job), slice(&api.stack, &job)]).await;
    }
    assert!(is_done(&api, &job).await);
    slice(&api.stack, &job).await;
    slice(&api.stack, "nobody").await;
    assert_removed(&api, &job, &[&keys[3]]).await;
}

#[tokio::test]
async fn a_redis_that_forgets_the_open_invalidation_ends_nothing() {
    let api = Api::with(slow().streams(false)).await;
    let keys = keys();
    fill(&api, &keys).await;
    let job = begin(&api).await;
    for _ in 0..2 {
        slice(&api.stack, &job).await;
        flush(&api).await;
        for key in keys.iter().step_by(9) {
            fresh(&api, key).await.expect(404);
        }
    }
    put(&api, "entries-1", &keys[3], "2").await.expect(201);
    run_to_the_end(&api, &job).await;
    assert_removed(&api, &job, &[&keys[3]]).await;
}

#[tokio::test]
async fn without_redis_the_control_table_says_what_is_hidden() {
    let api = Api::with(slow().streams(false)).await;
    let keys = keys();
    fill(&api, &keys).await;
    get(&api, "entries-1", &keys[ENTRIES - 1]).await.expect(200);
    let job = begin(&api).await;
    api.stack.redis_path("entries-1").cut().await;
    wait_out_the_window().await;
    for key in keys.iter().step_by(9).chain([&keys[ENTRIES - 1]]) {
        get(&api, "entries-1", key).await.expect(404);
    }
    let last = &keys[ENTRIES - 1];
    let kept = put(&api, "entries-1", last, "2").await.expect(201);
    assert_eq!(kept.json()["degraded"], true);
    assert_eq!(get(&api, "entries-1", last).await.value(), "2", "what is put after is not meant");
    api.stack.redis_path("all").cut().await;
    slice(&api.stack, &job).await;
    assert_eq!(text_of(&self::job(&api, &job).await, "state"), "scheduled", "it is left to maintenance");
    api.stack.redis_path("all").restore().await;
    eventually("maintenance", async || api.stack.tick().await.is_ok_and(|done| done[0]["jobs_woken"] == 1)).await;
    // A container that still skips Redis leaves it to maintenance once more.
    eventually("the job", async || {
        api.stack.tick().await.ok();
        slice(&api.stack, &job).await;
        is_done(&api, &job).await
    })
    .await;
    assert_removed(&api, &job, &[last]).await;
}

#[tokio::test]
async fn a_killed_warmer_is_replaced_by_whoever_is_called_next() {
    let api = Api::with(slow()).await;
    let keys = keys();
    fill(&api, &keys).await;
    let job = begin(&api).await;
    put(&api, "entries-1", &keys[3], "2").await.expect(201);
    for round in 0..6u64 {
        tokio::time::sleep(std::time::Duration::from_millis(17 * round)).await;
        api.stack.kill(["warmer-1", "warmer-2"][round as usize % 2]).await;
    }
    // Who died with the job in hand is waited for for half a minute.
    eventually("the job", async || {
        api.stack.tick().await.ok();
        is_done(&api, &job).await
    })
    .await;
    assert_removed(&api, &job, &[&keys[3]]).await;
}

#[tokio::test]
async fn what_cannot_be_done_is_given_up_to_the_failure_destination_and_blocks_nothing() {
    let api = Api::with(slow()).await;
    let keys = keys();
    fill(&api, &keys).await;
    let job = begin(&api).await;
    api.stack.l3().set(L3Fault::Stopped).await;
    eventually("giving up", async || api.stack.logs("JobFailures").contains("sequenceNumbers")).await;
    assert!(!is_done(&api, &job).await);
    api.stack.l3().set(L3Fault::Ok).await;
    put(&api, "entries-1", "x", "1").await;
    let other = invalidate(&api, json!({"tags": ["t"]})).await.expect(200).json();
    if let Some(other) = other["job_id"].as_str() {
        eventually("the other job", async || is_done(&api, other).await).await;
    }
    for key in keys.iter().step_by(9) {
        fresh(&api, key).await.expect(404);
    }
}

#[tokio::test]
async fn an_invalidation_without_redis_goes_on_as_a_job_as_well() {
    let api = Api::with(slow()).await;
    let keys = keys();
    fill(&api, &keys).await;
    api.stack.redis_path("all").cut().await;
    let begun = invalidate(&api, json!({"pattern": "k:*"})).await.expect(200).json();
    assert_eq!((&begun["reclaim"], &begun["degraded"]), (&json!("in_progress"), &json!(true)), "{begun}");
    let job = begun["job_id"].as_str().unwrap();
    wait_out_the_window().await;
    for key in keys.iter().step_by(9) {
        get(&api, "entries-1", key).await.expect(404);
    }
    api.stack.redis_path("all").restore().await;
    eventually("the job", async || {
        api.stack.tick().await.ok();
        is_done(&api, job).await
    })
    .await;
    for key in &keys {
        fresh(&api, key).await.expect(404);
    }
}

#[tokio::test]
async fn one_level_less_is_no_obstacle() {
    for config in [json!({"l2_config": {"enabled": false}}), json!({"l3_config": {"enabled": false}})] {
        let config = strata_it::configured(config).env("INVALIDATE_BUDGET_MS", "1").env("JOB_SLICE_MS", "1");
        let api = Api::with(config).await;
        let mut keys = keys();
        // One page of L2 has 500.
        keys.extend((0..120).map(|i| format!("k:more:{i}")));
        fill(&api, &keys).await;
        let begun = invalidate(&api, json!({"pattern": "k:*"})).await.expect(200).json();
        if begun["reclaim"] == "in_progress" {
            put(&api, "entries-1", &keys[3], "2").await.expect(201);
            let job = begun["job_id"].as_str().unwrap();
            eventually("the job", async || is_done(&api, job).await).await;
            assert_eq!(fresh(&api, &keys[3]).await.value(), "2");
        }
        for key in keys.iter().filter(|key| **key != keys[3]).step_by(5) {
            fresh(&api, key).await.expect(404);
        }
    }
}

/// Every mutation without Redis reads the open invalidations.
#[tokio::test]
async fn one_open_invalidation_too_many_is_refused() {
    let api = Api::with(slow().streams(false)).await;
    fill(&api, &keys()).await;
    leave_open_invalidations(&api, 100).await;
    invalidate(&api, json!({"pattern": "k:*"})).await.expect_error(503, "LEVEL_UNAVAILABLE");
    let bulletin = partition(&api, "cache_control", "note").await;
    assert_eq!(bulletin.iter().filter(|item| text_of(item, "sk").starts_with('#')).count(), 100);
    // Nothing has begun where the journal holds all of these open by then; else what is removed already stays so, and what
    // is not does not exist.
    wait_out_the_window().await;
    let keys = keys();
    let mut found = Vec::new();
    for key in keys.iter().step_by(90) {
        found.push(fresh(&api, key).await.status);
    }
    assert!(found.iter().all(|status| *status == 404) || found.iter().all(|status| *status == 200), "{found:?}");
}
