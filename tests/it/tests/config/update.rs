//! What an update may say, and what it answers.

use super::{configure, shown};
use serde_json::{Value, json};
use strata_it::{
    Api,
    stack::{Claims, Options, Stack},
};

/// Fields and messages of a refusal.
fn errors(details: &Value) -> Vec<(String, String)> {
    let error =
        |error: &Value| (error["field"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned());
    details["errors"].as_array().unwrap().iter().map(error).collect()
}

#[tokio::test]
async fn the_contract_s_example() {
    let api = Api::start().await;
    let before = api.get("/config").send().await.expect(200);
    assert_eq!(before.header("etag"), Some("\"0\""));
    let document = before.json();
    assert_eq!(document["l1_config"]["max_capacity"], 10_000);
    assert_eq!(document["compression"], json!({"algorithm": "lz4", "level": 1, "threshold_bytes": 1024}));
    let update = json!({
        "l1_config": {"max_capacity": 15000, "max_size_mb": 150, "ttl_minutes": 90},
        "compression": {"algorithm": "zstd", "level": 3},
    });
    let answer = configure(&api, update.clone()).await.expect(200);
    let body = answer.json();
    assert_eq!(body["success"], true);
    assert_eq!(body["message"], "Cache configuration updated successfully");
    let fields = [
        "l1_config.max_capacity",
        "l1_config.max_size_mb",
        "l1_config.ttl_minutes",
        "compression.algorithm",
        "compression.level",
    ];
    assert_eq!(body["updated_fields"], json!(fields));
    assert_eq!(body["restart_required"], false);
    assert!(body["updated_at"].as_str().unwrap().ends_with('Z'));
    assert!(body.get("degraded").is_none());
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let after = api.get("/config").send().await.expect(200);
    assert_eq!(after.header("etag"), Some("\"1\""));
    let mut expected = document;
    for (section, fields) in update.as_object().unwrap() {
        for (field, value) in fields.as_object().unwrap() {
            expected[section][field] = value.clone();
        }
    }
    assert_eq!(after.json(), expected);
    let again = configure(&api, update).await.expect(200);
    assert_eq!(again.json()["updated_fields"], json!([]));
    assert_eq!(again.json()["updated_at"], body["updated_at"], "nothing was updated");
    assert_eq!(again.header("etag"), Some("\"1\""));
}

#[tokio::test]
async fn no_change_needs_a_restart() {
    let api = Api::start().await;
    for update in [
        json!({"l2_config": {"connection_timeout_seconds": 6}}),
        json!({"l2_config": {"max_connections": 21}, "l3_config": {"timeout_ms": 4_000}}),
    ] {
        assert_eq!(configure(&api, update).await.expect(200).json()["restart_required"], false);
    }
}

#[tokio::test]
async fn what_get_shows_may_be_put_back() {
    let api = Api::start().await;
    let mut document = shown(&api).await;
    document["max_entry_size_mb"] = json!(9);
    let answer = api.put("/config", document.to_string()).pin("config-2").send().await.expect(200);
    assert_eq!(answer.json()["updated_fields"], json!(["max_entry_size_mb"]));
    assert_eq!(shown(&api).await, document);
}

#[tokio::test]
async fn whole_numbers_that_nothing_holds_are_out_of_range() {
    let api = Api::start().await;
    for number in ["18446744073709551616", "1e400", "-1e30", "5.0"] {
        let refused = api.put("/config", format!("{{\"max_entry_size_mb\":{number}}}")).send().await;
        refused.expect_error(422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn what_cannot_be_read_changes_nothing() {
    let api = Api::start().await;
    let before = shown(&api).await;
    for (body, field) in [
        ("{}", "body"),
        ("{\"l1_config\"", "body"),
        ("[]", "body"),
        (r#"{"max_entry_size_mb":5,"l1_config":{"maxcapacity":5}}"#, "l1_config.maxcapacity"),
        (r#"{"max_entry_size_mb":5,"max_entry_size_mb":6}"#, "max_entry_size_mb"),
        (r#"{"max_entry_size_mb":5,"l1_config":{"enabled":1}}"#, "l1_config.enabled"),
        (r#"{"max_entry_size_mb":"5"}"#, "max_entry_size_mb"),
    ] {
        let refused = api.put("/config", body).send().await.expect_error(400, "INVALID_REQUEST");
        assert_eq!(errors(&refused.details())[0].0, field, "{body}");
    }
    assert_eq!(shown(&api).await, before);
}

#[tokio::test]
async fn what_is_not_allowed_changes_nothing_and_every_field_is_named() {
    let api = Api::start().await;
    let before = shown(&api).await;
    let update = json!({
        "l1_config": {"max_capacity": 20_000, "ttl_minutes": 0, "eviction_policy": "LFU"},
        "l2_config": {"redis_url": "redis://elsewhere", "key_prefix": "x", "timeout_ms": 999_999},
        "l3_config": {"database_url": "dynamodb://x/y", "table_name": "t"},
        "compression": {"algorithm": "gzip"},
        "max_entry_size_mb": 11,
    });
    let refused = configure(&api, update).await.expect_error(422, "VALIDATION_FAILED");
    let errors = errors(&refused.details());
    let fields: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
    let expected = [
        "l1_config.ttl_minutes",
        "l1_config.eviction_policy",
        "l2_config.redis_url",
        "l2_config.key_prefix",
        "l2_config.timeout_ms",
        "l3_config.database_url",
        "l3_config.table_name",
        "compression.algorithm",
        "max_entry_size_mb",
    ];
    assert_eq!(fields, expected);
    assert_eq!(errors[8].1, "must be from 1 to 10");
    let both_off = json!({"l2_config": {"enabled": false}, "l3_config": {"enabled": false}});
    configure(&api, both_off).await.expect_error(422, "VALIDATION_FAILED");
    configure(&api, json!({"l3_config": {"enabled": false}})).await.expect(200);
    let l2_off = configure(&api, json!({"l2_config": {"enabled": false}})).await;
    let details = l2_off.expect_error(422, "VALIDATION_FAILED").details();
    assert_eq!(details["errors"][0]["field"], "l2_config.enabled", "what was asked for");
    configure(&api, json!({"l3_config": {"enabled": true}})).await.expect(200);
    let level = configure(&api, json!({"compression": {"level": 2}})).await.expect_error(422, "VALIDATION_FAILED");
    assert!(level.json().to_string().contains("lz4"));
    assert_eq!(shown(&api).await, before);
}

#[tokio::test]
async fn of_two_updates_of_the_same_version_one_is_made() {
    let api = Api::start().await;
    let update = |container: &str, size: u32| {
        let update = json!({"max_entry_size_mb": size}).to_string();
        api.put("/config", update).pin(container).header("if-match", "\"0\"").send()
    };
    let (one, two) = tokio::join!(update("config-1", 3), update("config-2", 4));
    let (made, refused, size) = if one.status == 200 { (one, two, 3) } else { (two, one, 4) };
    made.expect(200);
    refused.expect_error(412, "PRECONDITION_FAILED");
    assert_eq!(shown(&api).await["max_entry_size_mb"], size);
    let any = api.put("/config", r#"{"max_entry_size_mb":5}"#).header("if-match", "*").send().await;
    assert_eq!(any.expect(200).header("etag"), Some("\"2\""));
}

#[tokio::test]
async fn concurrent_updates_without_a_condition_are_all_made() {
    let api = Api::with(strata_it::patient().containers(4)).await;
    let update = |number: u32, field: &str, value: u64| {
        let (section, name) = field.split_once('.').unwrap();
        let update = json!({section: {name: value}}).to_string();
        api.put("/config", update).pin(&format!("config-{number}")).send()
    };
    let answers = tokio::join!(
        update(1, "l1_config.max_capacity", 11),
        update(2, "l1_config.ttl_minutes", 12),
        update(3, "l2_config.timeout_ms", 913),
        update(4, "compression.threshold_bytes", 14),
    );
    let (one, two, three, four) = answers;
    for answer in [one, two, three, four] {
        answer.expect(200);
    }
    let document = shown(&api).await;
    assert_eq!(document["l1_config"]["max_capacity"], 11);
    assert_eq!(document["l1_config"]["ttl_minutes"], 12);
    assert_eq!(document["l2_config"]["timeout_ms"], 913);
    assert_eq!(document["compression"]["threshold_bytes"], 14);
}

#[tokio::test]
async fn every_operation_has_its_scope() {
    let api = Api::start().await;
    let reader = api.stack.token(Claims::with_scopes(&["cache:read"]));
    api.get("/config").bearer(&reader).send().await.expect(200);
    let update = json!({"max_entry_size_mb": 2}).to_string();
    api.put("/config", update.clone()).bearer(&reader).send().await.expect_error(403, "FORBIDDEN");
    let writer = api.stack.token(Claims::with_scopes(&["cache:write"]));
    api.get("/config").bearer(&writer).send().await.expect_error(403, "FORBIDDEN");
    api.get("/config").anonymous().send().await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn passwords_are_shown_nowhere() {
    let options = Options::default().functions(["config"]).env("REDIS_URL", "redis://user:sesame@127.0.0.1:1/0");
    let stack = Stack::start(options).await.unwrap();
    let mut answers = Vec::new();
    for (method, update) in [
        ("GET", None),
        ("PUT", Some(json!({"max_entry_size_mb": 2}))),
        ("PUT", Some(json!({"l2_config": {"redis_url": "redis://u:sesame@h"}}))),
        ("GET", None),
    ] {
        let event = json!({
            "resource": "/cache/config", "httpMethod": method, "body": update.map(|update| update.to_string()),
            "requestContext": {"authorizer": {"sub": "it", "api_key": "it", "exp": i64::MAX / 1000,
                "scopes": "[\"cache:read\",\"cache:admin\"]"}},
        });
        answers.push(stack.invoke("config", event, None).await.unwrap());
    }
    let statuses: Vec<_> = answers.iter().map(|answer| answer["statusCode"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 422, 200]);
    assert!(answers[3].to_string().contains("redis://***@127.0.0.1:1/0"));
    assert!(!answers.iter().any(|answer| answer.to_string().contains("sesame")));
    for container in stack.containers() {
        assert!(!stack.logs(&container.name).contains("sesame"), "{}", container.name);
    }
}
