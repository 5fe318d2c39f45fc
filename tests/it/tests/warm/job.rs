//! What is said of a job, and how it is cancelled.

use super::{about, begin, ended, fill, one_key, report};
use crate::support::{command, copy_name, flush, get, invalidate, put, shard, wait_out_the_window};
use serde_json::json;
use strata_it::{Api, patient, stack::Claims};

#[tokio::test]
async fn an_eager_job_loads_what_l3_has_and_tells_of_it() {
    let api = Api::start().await;
    fill(&api, 30).await;
    flush(&api).await;
    let id = begin(&api, json!({"keys": ["missing", "k:0"], "patterns": ["k:*"], "batch_size": 7})).await;
    let told = ended(&api, &id).await;
    assert_eq!((&told["job_id"], &told["kind"]), (&json!(id), &json!("warm")));
    assert_eq!((&told["state"], &told["strategy"]), (&json!("done"), &json!("EAGER")));
    assert_eq!((&told["batch_size"], &told["max_concurrent"]), (&json!(7), &json!(10)));
    assert_eq!((&told["missing"], &told["failed"], &told["remaining"]), (&json!(1), &json!(0), &json!(0)));
    assert!(told["done"].as_u64().is_some_and(|done| done >= 30), "{told}");
    assert!(told["created_at"].as_str() <= told["started_at"].as_str(), "{told}");
    assert!(told["started_at"].as_str() <= told["finished_at"].as_str(), "{told}");
    for absent in ["run_at", "error", "errors"] {
        assert!(told.get(absent).is_none(), "{absent}: {told}");
    }
    for i in 0..30 {
        let key = format!("k:{i}");
        assert!(command::<bool>(&api, &["EXISTS", &copy_name(&key)]).await, "{key}");
        assert_ne!(get(&api, "entries-2", &key).await.expect(200).level(), "L3_DATABASE", "{key}");
    }
}

#[tokio::test]
async fn a_lazy_job_leaves_memory_to_the_first_read() {
    let api = Api::start().await;
    fill(&api, 3).await;
    flush(&api).await;
    let id = begin(&api, json!({"patterns": ["k:*"], "strategy": "LAZY"})).await;
    assert_eq!(ended(&api, &id).await["state"], "done");
    wait_out_the_window().await;
    for i in 0..3 {
        let key = format!("k:{i}");
        assert_eq!(get(&api, "entries-2", &key).await.level(), "L2_REDIS", "{key}");
        assert_eq!(get(&api, "entries-2", &key).await.level(), "L1_MEMORY", "{key}");
    }
}

#[tokio::test]
async fn what_is_cancelled_stays_so_and_what_has_ended_as_it_ended() {
    let api = Api::with(patient().streams(false)).await;
    fill(&api, 3).await;
    let id = begin(&api, json!({"patterns": ["k:*"]})).await;
    let waiting = report(&api, &id).await;
    assert_eq!((&waiting["state"], &waiting["remaining"]), (&json!("ready"), &json!(3)), "{waiting}");
    assert!(waiting.get("started_at").is_none() && waiting.get("finished_at").is_none(), "{waiting}");
    let cancelled = about(&api, "DELETE", &id).send().await.expect(200).json();
    assert_eq!((&cancelled["state"], &cancelled["remaining"]), (&json!("cancelled"), &json!(0)), "{cancelled}");
    assert_eq!(about(&api, "DELETE", &id).send().await.expect(200).json(), cancelled, "it is repeatable");
    api.stack.tick().await.unwrap();
    assert_eq!(report(&api, &id).await, cancelled);

    let api = Api::start().await;
    let id = begin(&api, one_key()).await;
    let done = ended(&api, &id).await;
    assert_eq!(done["state"], "done");
    assert_eq!(about(&api, "DELETE", &id).send().await.expect(200).json(), done);
}

#[tokio::test]
async fn a_job_that_is_not_there_is_said_to_be_missing() {
    let api = Api::with(patient().streams(false)).await;
    for id in ["nobody", "warm_job_0", "%2e%2e", "x%20y", &"x".repeat(3000)] {
        for method in ["GET", "DELETE"] {
            let missing = about(&api, method, id).send().await.expect_error(404, "JOB_NOT_FOUND");
            assert!(missing.details()["job_id"].is_string(), "{missing:?}");
        }
    }
    about(&api, "GET", "%zz").send().await.expect_error(400, "INVALID_REQUEST");
    let id = begin(&api, one_key()).await;
    let encoded = id.replace('_', "%5F");
    assert_eq!(report(&api, &encoded).await["job_id"], json!(id));
}

#[tokio::test]
async fn a_removal_is_told_of_and_cannot_be_cancelled() {
    let options = patient().env("INVALIDATE_BUDGET_MS", "1").env("JOB_SLICE_MS", "1");
    let api = Api::with(options.streams(false)).await;
    fill_one_partition(&api).await;
    let begun = invalidate(&api, json!({"pattern": "k:*"})).await.expect(200).json();
    let id = begun["job_id"].as_str().unwrap();
    let told = report(&api, id).await;
    assert_eq!((&told["kind"], &told["state"]), (&json!("removal"), &json!("ready")), "{told}");
    assert_eq!(told["done"], begun["invalidated_count"], "{told}");
    let refused = about(&api, "DELETE", id).send().await.expect_error(400, "INVALID_REQUEST");
    assert_eq!(refused.details()["errors"][0]["field"], "job_id");
    assert_eq!(report(&api, id).await["state"], "ready");
    about(&api, "GET", id).bearer(&super::limited(&api)).send().await.expect_error(404, "JOB_NOT_FOUND");
}

#[tokio::test]
async fn a_job_of_another_api_key_is_missing_but_to_an_administrator() {
    let options = patient().env("INVALIDATE_BUDGET_MS", "1").env("JOB_SLICE_MS", "1");
    let api = Api::with(options.streams(false)).await;
    fill_one_partition(&api).await;
    let removal = invalidate(&api, json!({"pattern": "k:*"})).await.expect(200).json();
    let ids = [begin(&api, one_key()).await, removal["job_id"].as_str().unwrap().to_owned()];
    let of_another = |scopes: &[&str]| api.stack.token(Claims::with_scopes(scopes).api_key("another"));
    let (other, admin) = (of_another(&["cache:read", "cache:write"]), of_another(&["cache:read", "cache:admin"]));
    for id in &ids {
        for method in ["GET", "DELETE"] {
            about(&api, method, id).bearer(&other).send().await.expect_error(404, "JOB_NOT_FOUND");
        }
        about(&api, "GET", &format!("{id}?wait=1")).bearer(&other).send().await.expect_error(404, "JOB_NOT_FOUND");
        assert_eq!(report(&api, id).await["state"], "ready");
        about(&api, "GET", id).bearer(&admin).send().await.expect(200);
    }
    for bearer in [&other, &admin] {
        assert_eq!(api.get("/warm").bearer(bearer).send().await.expect(200).json()["jobs"], json!([]));
    }
}

/// More entries of one partition than one page of DynamoDB has.
async fn fill_one_partition(api: &Api) {
    let keys = (0..).map(|i| format!("k:{i}"));
    for key in keys.filter(|key| shard(key) == "0").take(150) {
        put(api, "entries-1", &key, "1").await.expect(201);
    }
}
