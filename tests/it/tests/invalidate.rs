//! Invalidation by pattern and tag, in every level and in some, and the journal that tells of it.

mod journal;
mod keys;

use crate::support::{copies_and_indexes, flush, fresh, get, invalidate, put, put_tagged, wait_out_the_window};
use serde_json::{Value, json};
use strata_it::{Api, configured, entry, stack::Claims};

#[tokio::test]
async fn a_pattern_touches_every_match_and_nothing_else() {
    let api = Api::start().await;
    let matching = ["customer:1", "customer:2", "customer:/a b", "customer:😀"];
    let others = ["customer", "customers:1", "xcustomer:1", "Customer:1"];
    for key in matching.iter().chain(&others) {
        put(&api, "entries-1", key, "1").await.expect(201);
        get(&api, "entries-2", key).await.expect(200);
    }
    let done = invalidate(&api, json!({"pattern": "customer:*", "reason": "batch"})).await.expect(200);
    let answer = done.json();
    assert_eq!(answer["success"], true);
    assert_eq!(answer["message"], "Cache entries invalidated successfully");
    assert_eq!((&answer["pattern"], &answer["reason"]), (&json!("customer:*"), &json!("batch")));
    assert_eq!(answer["invalidated_count"], 4);
    assert_eq!(answer["levels_affected"], json!(["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]));
    assert_eq!(answer["reclaim"], "complete");
    wait_out_the_window().await;
    for key in matching {
        for container in ["entries-1", "entries-2"] {
            get(&api, container, key).await.expect(404);
        }
    }
    for key in others {
        get(&api, "entries-2", key).await.expect(200);
    }
    let again = invalidate(&api, json!({"pattern": "customer:*"})).await.expect(200);
    assert_eq!(again.json()["invalidated_count"], 0);
    assert!(again.json().get("reason").is_none(), "left out when not given");
}

#[tokio::test]
async fn tags_mean_those_that_the_newest_value_has() {
    let api = Api::start().await;
    put_tagged(&api, "a", &["red", "round"]).await;
    put_tagged(&api, "b", &["red"]).await;
    put_tagged(&api, "c", &["blue"]).await;
    put_tagged(&api, "was-red", &["red"]).await;
    put(&api, "entries-1", "was-red", "1").await.expect(200);
    let done = invalidate(&api, json!({"tags": ["red"]})).await.expect(200);
    assert_eq!(done.json()["invalidated_count"], 2);
    assert_eq!(done.json()["tags"], json!(["red"]));
    for (key, status) in [("a", 404), ("b", 404), ("c", 200), ("was-red", 200)] {
        fresh(&api, key).await.expect(status);
    }
    // What L3 alone knows of is found by tag as well.
    flush(&api).await;
    assert_eq!(invalidate(&api, json!({"tags": ["green", "blue"]})).await.json()["invalidated_count"], 1);
    fresh(&api, "c").await.expect(404);
}

#[tokio::test]
async fn limited_to_the_upper_levels_the_next_read_is_answered_by_l3() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    let done = invalidate(&api, json!({"pattern": "k", "levels": ["L1_MEMORY", "L2_REDIS"]})).await.expect(200);
    assert_eq!(done.json()["levels_affected"], json!(["L1_MEMORY", "L2_REDIS"]));
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L3_DATABASE");
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L1_MEMORY");
}

#[tokio::test]
async fn a_dry_run_and_a_limit_remove_nothing() {
    let api = Api::start().await;
    for i in 0..30 {
        put_tagged(&api, &format!("k:{i:02}"), &["t"]).await;
    }
    for selector in [json!({"pattern": "k:*"}), json!({"tags": ["t"]})] {
        let mut request = selector.clone();
        request["dry_run"] = json!(true);
        let dry = invalidate(&api, request).await.expect(200).json();
        assert_eq!(dry["invalidated_count"], 30);
        assert_eq!(dry["sample_keys"].as_array().unwrap().len(), 20);
        let mut request = selector;
        request["max_affected"] = json!(29);
        let refused = invalidate(&api, request).await.expect_error(409, "TOO_MANY_MATCHES");
        assert_eq!(refused.details()["matched_count"], 30);
    }
    fresh(&api, "k:07").await.expect(200);
    let done = invalidate(&api, json!({"pattern": "k:*", "max_affected": 30})).await.expect(200);
    assert_eq!(done.json()["invalidated_count"], 30);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let api = Api::start().await;
    for (body, field, said) in [
        (json!({}), "pattern", "required"),
        (json!({"pattern": ""}), "pattern", "at least 1 byte"),
        (json!({"pattern": "a[b"}), "pattern", "byte 1"),
        (json!({"pattern": "a".repeat(257)}), "pattern", "at most 256"),
        (json!({"pattern": "*".repeat(17)}), "pattern", "at most 16 stars"),
        (json!({"pattern": 1}), "pattern", "a string"),
        (json!({"pattern": "a", "tags": ["b"]}), "tags", "together"),
        (json!({"tags": []}), "tags", "at least one"),
        (json!({"keys": []}), "keys", "at least one"),
        (json!({"keys": ["a", ""]}), "keys[1]", "at least 1 byte"),
        (json!({"keys": [""]}), "keys[0]", "at least 1 byte"),
        (json!({"keys": vec!["a"; 501]}), "keys", "at most 500"),
        (json!({"keys": ["a"], "pattern": "b"}), "keys", "together"),
        (json!({"keys": ["a"], "tags": ["b"]}), "keys", "together"),
        (json!({"keys": ["a"], "match": "all"}), "match", "tags only"),
        (json!({"tags": ["a"], "match": "some"}), "match", "any or all"),
        (json!({"pattern": "a", "except_tags": []}), "except_tags", "at least one"),
        (json!({"except_tags": ["a"]}), "pattern", "required"),
        (json!({"pattern": "a", "levels": ["L9"]}), "levels", "L1_MEMORY"),
        (json!({"pattern": "a", "levels": []}), "levels", "at least one"),
        (json!({"pattern": "a", "reason": "r".repeat(257)}), "reason", "at most 256"),
        (json!({"pattern": "a", "max_affected": -1}), "max_affected", "not negative"),
        (json!({"pattern": "a", "dryrun": true}), "dryrun", "dry_run"),
    ] {
        let refused = invalidate(&api, body.clone()).await.expect_error(400, "INVALID_REQUEST");
        let errors = refused.details()["errors"].take();
        assert_eq!(errors.as_array().unwrap().len(), 1, "{errors}");
        let problem = &errors[0];
        assert_eq!(problem["field"], field, "{body}");
        assert!(problem["message"].as_str().unwrap().contains(said), "{problem}");
    }
}

#[tokio::test]
async fn a_token_reaches_no_further_than_its_prefixes() {
    let api = Api::start().await;
    put_tagged(&api, "mine:1", &["t"]).await;
    put_tagged(&api, "yours:1", &["t"]).await;
    let token = api.stack.token(Claims { prefixes: Some(vec!["mine:".to_owned()]), ..Claims::default() });
    let as_me = |body: Value| {
        let request = api.request("POST", "/invalidate").anonymous().bearer(&token);
        async move { request.body(body.to_string()).send().await }
    };
    for pattern in ["*", "m*", "yours:*", "[a-z]*"] {
        let refused = as_me(json!({"pattern": pattern})).await.expect_error(403, "FORBIDDEN");
        assert_eq!(refused.details(), json!({ "pattern": pattern }));
    }
    assert_eq!(as_me(json!({"tags": ["t"]})).await.expect(200).json()["invalidated_count"], 1);
    fresh(&api, "mine:1").await.expect(404);
    fresh(&api, "yours:1").await.expect(200);
}

#[tokio::test]
async fn signs_in_keys_are_matched_literally_when_escaped() {
    let api = Api::start().await;
    for key in ["a*b", "a[b", "a{b", "a\\b", "axb"] {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    for pattern in ["a\\*b", "a\\[b", "a{b", "a\\\\b"] {
        assert_eq!(invalidate(&api, json!({"pattern": pattern})).await.expect(200).json()["invalidated_count"], 1);
    }
    fresh(&api, "axb").await.expect(200);
    assert_eq!(invalidate(&api, json!({"pattern": "*"})).await.expect(200).json()["invalidated_count"], 1);
}

#[tokio::test]
async fn the_journal_tells_who_did_what_and_why() {
    let api = Api::start().await;
    put_tagged(&api, "k", &["t"]).await;
    invalidate(&api, json!({"pattern": "k", "reason": "because"})).await.expect(200);
    api.delete(&entry("k")).send().await.expect(404);
    let journal = api.get("/journal").send().await.expect(200).json();
    let told: Vec<(&Value, &Value)> =
        journal["mutations"].as_array().unwrap().iter().map(|line| (&line["kind"], &line["by"])).collect();
    let by = json!("local");
    assert_eq!(told, [(&json!("put"), &by), (&json!("invalidate"), &by), (&json!("delete"), &by)]);
    let line = &journal["mutations"][1];
    assert_eq!(
        (&line["pattern"], &line["reason"], &line["matched_count"]),
        (&json!("k"), &json!("because"), &json!(1))
    );
    let since = journal["mutations"][1]["position"].as_str().unwrap();
    let later = api.get(&format!("/journal?since={since}&limit=1")).send().await.expect(200).json();
    assert_eq!(later["mutations"].as_array().unwrap().len(), 1);
    api.get("/journal?since=x").send().await.expect_error(400, "INVALID_REQUEST");
    api.get("/journal?limit=0").send().await.expect_error(400, "INVALID_REQUEST");
    let other = Claims { prefixes: Some(vec!["other:".to_owned()]), ..Claims::default() };
    let limited = api.get("/journal").anonymous().bearer(&api.stack.token(other)).send().await.expect(200);
    assert_eq!(limited.json()["mutations"], json!([]), "a limited token sees only what lies under its prefixes");
    let reader = api.stack.token(Claims { scopes: vec!["cache:read".to_owned()], ..Claims::default() });
    api.get("/journal").anonymous().bearer(&reader).send().await.expect_error(403, "FORBIDDEN");
}

#[tokio::test]
async fn the_journal_tells_a_tenant_nothing_of_when_others_write() {
    let api = Api::start().await;
    let tenant = api.stack.token(Claims::default().prefixes(&["tenant:"]));
    let page = async |query: &str| api.get(&format!("/journal{query}")).bearer(&tenant).send().await.expect(200).json();
    let empty = page("?limit=1").await;
    put(&api, "entries-1", "others:1", "1").await.expect(201);
    assert_eq!(page("?limit=1").await, empty, "somebody else has written");
    let since = empty["next"].as_str().unwrap().to_owned();
    assert_eq!(page(&format!("?since={since}&limit=1")).await, empty);
    put(&api, "entries-1", "tenant:1", "1").await.expect(201);
    let told = page(&format!("?since={since}&limit=1")).await;
    assert_eq!(told["mutations"][0]["key"], "tenant:1");
    assert_eq!(told["next"], told["mutations"][0]["position"]);
    for others in 2..6 {
        put(&api, "entries-1", &format!("others:{others}"), "1").await.expect(201);
    }
    assert_eq!(page("?limit=1").await, told);
    let rest = page(&format!("?since={}&limit=1", told["next"].as_str().unwrap())).await;
    assert_eq!(rest, json!({"mutations": [], "next": told["next"]}));
}

#[tokio::test]
async fn who_may_only_write_is_not_shown_keys() {
    let api = Api::start().await;
    put(&api, "entries-1", "k:1", "1").await.expect(201);
    for (scopes, shown) in [(&["cache:write"][..], false), (&["cache:write", "cache:read"], true)] {
        let token = api.stack.token(Claims::with_scopes(scopes));
        let dry = api.request("POST", "/invalidate").body(r#"{"pattern":"k:*","dry_run":true}"#).bearer(&token);
        let dry = dry.send().await.expect(200).json();
        assert_eq!((&dry["invalidated_count"], dry.get("sample_keys").is_some()), (&json!(1), shown));
    }
}

#[tokio::test]
async fn without_redis_l3_is_cleared_at_once_and_the_rest_when_redis_is_back() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    api.stack.redis_path("invalidate-1").cut().await;
    let done =
        api.request("POST", "/invalidate").body(r#"{"pattern":"k"}"#).pin("invalidate-1").send().await.expect(200);
    assert_eq!((&done.json()["degraded"], &done.json()["invalidated_count"]), (&json!(true), &json!(1)));
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    for container in ["entries-1", "entries-2"] {
        get(&api, container, "k").await.expect(404);
    }
}

#[tokio::test]
async fn l2_alone_is_invalidated_as_well() {
    let api = Api::with(configured(json!({"l3_config": {"enabled": false}}))).await;
    put_tagged(&api, "k:1", &["t"]).await;
    put_tagged(&api, "k:2", &["t"]).await;
    put_tagged(&api, "x", &["t"]).await;
    assert_eq!(invalidate(&api, json!({"pattern": "k:*"})).await.expect(200).json()["invalidated_count"], 2);
    assert_eq!(invalidate(&api, json!({"tags": ["t"]})).await.expect(200).json()["invalidated_count"], 1);
    for key in ["k:1", "k:2", "x"] {
        fresh(&api, key).await.expect(404);
    }
}

#[tokio::test]
async fn indexes_do_not_outgrow_what_they_index() {
    let api = Api::start().await;
    for round in 0..3 {
        for i in 0..40 {
            put_tagged(&api, &format!("{round}:{i}"), &["t"]).await;
        }
        assert_eq!(invalidate(&api, json!({"pattern": format!("{round}:*")})).await.json()["invalidated_count"], 40);
    }
    assert_eq!(copies_and_indexes(&api).await, [""; 0], "nothing is left of what was invalidated");
}
