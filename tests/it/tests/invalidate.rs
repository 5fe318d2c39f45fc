//! Invalidation by pattern and tag, in every level and in some, and the journal that tells of it.

use crate::support::{command, flush, fresh, get, invalidate, put, put_tagged, wait_out_the_window};
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
        let problem = &refused.details()["errors"][0];
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
        as_me(json!({"pattern": pattern})).await.expect_error(403, "FORBIDDEN");
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
    let names: Vec<String> = command(&api, &["KEYS", "strata:cache:{e*"]).await;
    assert_eq!(names, Vec::<String>::new(), "nothing is left of what was invalidated");
}

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
