//! Invalidation of entries by name, and of those that have some tags and not others.

use crate::support::{flush, fresh, get, invalidate, put, put_tagged, wait_out_the_window};
use serde_json::{Value, json};
use strata_it::{Api, entry, stack::Claims};

/// The keys that are still there of those that were put.
async fn left<'k>(api: &Api, keys: &[&'k str]) -> Vec<&'k str> {
    let mut left = Vec::new();
    for key in keys {
        match fresh(api, key).await.status {
            200 => left.push(*key),
            404 => {}
            other => panic!("{key}: {other}"),
        }
    }
    left
}

#[tokio::test]
async fn keys_by_name_are_gone_from_every_container() {
    let api = Api::start().await;
    for key in ["a", "b*", "c/é", "other"] {
        put(&api, "entries-1", key, "1").await.expect(201);
        get(&api, "entries-2", key).await.expect(200);
    }
    let named = json!(["a", "b*", "c/é", "never-there", "a"]);
    let dry = invalidate(&api, json!({"keys": named, "dry_run": true})).await.expect(200).json();
    assert_eq!((&dry["invalidated_count"], &dry["sample_keys"]), (&json!(3), &json!(["a", "b*", "c/é"])));
    let refused =
        invalidate(&api, json!({"keys": named, "max_affected": 2})).await.expect_error(409, "TOO_MANY_MATCHES");
    assert_eq!(refused.details()["matched_count"], 3);
    let done = invalidate(&api, json!({"keys": named, "reason": "r"})).await.expect(200).json();
    assert_eq!(done["invalidated_count"], 3);
    assert_eq!(done["levels_affected"], json!(["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]));
    assert!(done.get("pattern").is_none() && done.get("keys").is_none());
    wait_out_the_window().await;
    for container in ["entries-1", "entries-2"] {
        for key in ["a", "b*", "c/é"] {
            get(&api, container, key).await.expect(404);
        }
        get(&api, container, "other").await.expect(200);
    }
    let journal = api.get("/journal").send().await.expect(200).json();
    let line = journal["mutations"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&line["kind"], &line["keys"]), (&json!("invalidate"), &json!(["a", "b*", "c/é", "never-there"])));
    assert_eq!((&line["reason"], &line["matched_count"]), (&json!("r"), &json!(3)));
}

/// A safeguard that is asked for in the wrong place must not be ignored.
#[tokio::test]
async fn a_field_in_the_query_removes_nothing() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    for (query, field) in
        [("dry_run=true", "dry_run"), ("undo_seconds=60", "undo_seconds"), ("max_affected=0", "max_affected")]
    {
        let request = api.request("POST", &format!("/invalidate?{query}")).body(r#"{"keys":["k"]}"#);
        let refused = request.send().await.expect_error(400, "INVALID_REQUEST").json();
        let said = format!("{field} is not a query parameter; it is a field of the body");
        assert_eq!(refused["error"]["message"], said);
    }
    fresh(&api, "k").await.expect(200);
}

#[tokio::test]
async fn keys_by_name_can_be_limited_to_the_upper_levels() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    let done = invalidate(&api, json!({"keys": ["k"], "levels": ["L1_MEMORY", "L2_REDIS"]})).await.expect(200);
    assert_eq!(done.json()["levels_affected"], json!(["L1_MEMORY", "L2_REDIS"]));
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L3_DATABASE");
}

#[tokio::test]
async fn five_hundred_keys_of_any_length_are_more_than_one_record() {
    let api = Api::start().await;
    let names = |length: usize| (0..500).map(move |number| format!("{number:0>length$}")).collect::<Vec<_>>();
    for length in [16, 512] {
        let names = names(length);
        let there = [0, 1, 127, 128, 255, 256, 499].map(|at: usize| names[at].as_str());
        for key in there {
            put(&api, "entries-1", key, "1").await.expect(201);
            get(&api, "entries-2", key).await.expect(200);
        }
        let kept = format!("x{}", &names[3][1..]);
        put(&api, "entries-1", &kept, "1").await.expect(201);
        let done = invalidate(&api, json!({"keys": names})).await.expect(200).json();
        assert_eq!((&done["invalidated_count"], &done["reclaim"]), (&json!(7), &json!("complete")));
        wait_out_the_window().await;
        for key in there {
            get(&api, "entries-1", key).await.expect(404);
            get(&api, "entries-2", key).await.expect(404);
        }
        get(&api, "entries-1", &kept).await.expect(200);
    }
}

#[tokio::test]
async fn tags_mean_any_or_all_and_spare_those_that_are_excepted() {
    let api = Api::start().await;
    let tagged = [("r", &["red"][..]), ("rr", &["red", "round"]), ("rrp", &["red", "round", "pin"]), ("p", &["pin"])];
    let keys = tagged.map(|(key, _)| key);
    let cases = [
        (json!({"tags": ["red", "round"]}), 3, &["p"][..]),
        (json!({"tags": ["red", "round"], "match": "any", "except_tags": ["pin"]}), 2, &["rrp", "p"]),
        (json!({"tags": ["red", "round"], "match": "all"}), 2, &["r", "p"]),
        (json!({"tags": ["round", "red"], "match": "all", "except_tags": ["pin", "none"]}), 1, &["r", "rrp", "p"]),
        (json!({"pattern": "*r*", "except_tags": ["round"]}), 1, &["rr", "rrp", "p"]),
        (json!({"keys": ["r", "rr", "rrp", "p"], "except_tags": ["pin"]}), 2, &["rrp", "p"]),
    ];
    for from_l3 in [false, true] {
        for (selector, count, spared) in &cases {
            for (key, tags) in tagged {
                let body = json!({"value": key, "tags": tags}).to_string();
                api.put(&entry(key), body).pin("entries-1").send().await;
                get(&api, "entries-2", key).await.expect(200);
            }
            if from_l3 {
                flush(&api).await;
            }
            let mut dry = selector.clone();
            dry["dry_run"] = json!(true);
            assert_eq!(invalidate(&api, dry).await.expect(200).json()["invalidated_count"], *count, "{selector}");
            let done = invalidate(&api, selector.clone()).await.expect(200).json();
            assert_eq!(done["invalidated_count"], *count, "{selector}");
            for echoed in ["pattern", "tags", "except_tags"] {
                assert_eq!(done.get(echoed), selector.get(echoed), "{selector}");
            }
            assert_eq!(left(&api, &keys).await, *spared, "{selector}, from L3: {from_l3}");
            wait_out_the_window().await;
            for key in keys {
                let status = if spared.contains(&key) { 200 } else { 404 };
                get(&api, "entries-2", key).await.expect(status);
            }
            // What was spared is found by its tags again.
            let rest = invalidate(&api, json!({"tags": ["red", "pin"]})).await.json();
            assert_eq!(rest["invalidated_count"], spared.len(), "{selector}");
        }
    }
}

#[tokio::test]
async fn a_token_names_no_keys_beyond_its_prefixes() {
    let api = Api::start().await;
    put_tagged(&api, "mine:1", &["t", "u"]).await;
    put_tagged(&api, "yours:1", &["t", "u"]).await;
    let token = api.stack.token(Claims::default().prefixes(&["mine:"]));
    let as_me =
        async |body: Value| api.request("POST", "/invalidate").bearer(&token).body(body.to_string()).send().await;
    let refused = as_me(json!({"keys": ["mine:1", "yours:1"]})).await.expect_error(403, "FORBIDDEN");
    assert_eq!(refused.details(), json!({"key": "yours:1"}));
    fresh(&api, "mine:1").await.expect(200);
    invalidate(&api, json!({"keys": ["yours:1", "mine:2"]})).await.expect(200);
    put_tagged(&api, "yours:1", &["t", "u"]).await;
    let all = json!({"tags": ["t", "u"], "match": "all", "except_tags": ["v"]});
    assert_eq!(as_me(all).await.expect(200).json()["invalidated_count"], 1);
    fresh(&api, "yours:1").await.expect(200);
    put_tagged(&api, "mine:1", &["t"]).await;
    assert_eq!(as_me(json!({"keys": ["mine:1"]})).await.expect(200).json()["invalidated_count"], 1);
    let journal = api.get("/journal").bearer(&token).send().await.expect(200).json();
    let named: Vec<&Value> =
        journal["mutations"].as_array().unwrap().iter().filter_map(|line| line.get("keys")).collect();
    assert_eq!(named, [&json!(["mine:1"])], "not of an invalidation that names a key of others");
}

#[tokio::test]
async fn without_redis_keys_by_name_are_cleared_as_well() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    api.stack.redis_path("invalidate-1").cut().await;
    let done =
        api.request("POST", "/invalidate").body(r#"{"keys":["k"]}"#).pin("invalidate-1").send().await.expect(200);
    assert_eq!((&done.json()["degraded"], &done.json()["invalidated_count"]), (&json!(true), &json!(1)));
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    for container in ["entries-1", "entries-2"] {
        get(&api, container, "k").await.expect(404);
    }
}
