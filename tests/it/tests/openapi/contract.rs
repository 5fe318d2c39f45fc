//! The contract's own examples: each request is sent as it stands there, and answered in the shape that stands there.

use super::document::{operation, operations};
use serde_json::{Value, json};
use strata_it::{Answer, Api, configured, entry};

/// The operations in the contract's order, with the path and the status of its examples.
const EXAMPLES: [(&str, &str, u16); 8] = [
    ("getStatus", "/status", 200),
    // The first PUT of a key creates it.
    ("putEntry", "/entries/customer:12345", 201),
    ("getEntry", "/entries/customer:12345", 200),
    ("deleteEntry", "/entries/customer:12345", 200),
    ("invalidate", "/invalidate", 200),
    ("startWarming", "/warm", 202),
    ("getConfig", "/config", 200),
    ("updateConfig", "/config", 200),
];

/// The contract's example of an answer. A created entry is answered as an updated one.
fn answered(id: &str, status: u16) -> Value {
    let status = if id == "putEntry" { 200 } else { status }.to_string();
    let operation = operation(id);
    let (_, response) = operation.responses().find(|(known, _)| *known == status).unwrap();
    response["content"]["application/json"]["examples"]["contract"]["value"].clone()
}

async fn send(api: &Api, id: &str, path: &str) -> Answer {
    let operation = operation(id);
    let request = api.request(&operation.method.to_uppercase(), path);
    let body = &operation.definition["requestBody"]["content"]["application/json"]["examples"]["contract"]["value"];
    let request = if body.is_null() {
        request
    } else {
        request.header("content-type", "application/json").body(body.to_string())
    };
    request.send().await
}

/// Every member of the example is there, and of the same type.
#[track_caller]
fn assert_same_shape(example: &Value, real: &Value, at: &str) {
    match (example, real) {
        (Value::Object(members), Value::Object(_)) => {
            for (name, member) in members {
                assert_same_shape(member, &real[name], &format!("{at}.{name}"));
            }
        }
        (Value::Array(examples), Value::Array(items)) => {
            assert_eq!(examples.is_empty(), items.is_empty(), "{at}: {real}");
            for (index, item) in items.iter().enumerate() {
                assert_same_shape(&examples[index.min(examples.len() - 1)], item, &format!("{at}[{index}]"));
            }
        }
        _ => assert_eq!(std::mem::discriminant(example), std::mem::discriminant(real), "{at}: {real}"),
    }
}

#[tokio::test]
async fn examples_are_answered_in_the_contracts_shape() {
    let api = Api::start().await;
    for (id, path, status) in EXAMPLES {
        if id == "invalidate" {
            send(&api, "putEntry", &entry("customer:12345")).await.expect(201);
        }
        let answer = send(&api, id, path).await.expect(status);
        operation(id).assert_gives(&answer);
        assert_same_shape(&answered(id, status), &answer.json(), id);
    }
}

/// Each request that the document has for an example, those of the contract's last section among them.
#[tokio::test]
async fn every_example_of_a_request_is_accepted() {
    let api = Api::start().await;
    for operation in operations() {
        let examples = &operation.definition["requestBody"]["content"]["application/json"]["examples"];
        for (name, example) in examples.as_object().into_iter().flatten() {
            let of_an_entry = operation.path.starts_with("/entries");
            let path = if of_an_entry { "/entries?key=customer:12345" } else { operation.path };
            let request = api.request(&operation.method.to_uppercase(), path).body(example["value"].to_string());
            let answer = request.send().await;
            assert!((200..300).contains(&answer.status), "{name}: {answer:?}");
            operation.assert_gives(&answer);
        }
    }
}

/// Fails unless these members of an answer are as in the contract's example of it.
#[track_caller]
fn assert_same(id: &str, status: u16, answer: &Answer, members: &[&str]) {
    let (example, real) = (answered(id, status), answer.json());
    for pointer in members {
        assert!(example.pointer(pointer).is_some(), "{id} has no {pointer}");
        assert_eq!(real.pointer(pointer), example.pointer(pointer), "{id} {pointer}");
    }
}

#[tokio::test]
async fn what_is_determined_is_as_in_the_contract() {
    let api = Api::start().await;
    let key = entry("customer:12345");
    let stored = send(&api, "putEntry", &key).await.expect(201);
    let fixed = ["/success", "/message", "/key", "/metadata/levels_stored", "/metadata/serialization_format"];
    assert_same("putEntry", 201, &stored, &fixed);
    let found = api.get(&key).pin(stored.container()).send().await.expect(200);
    let value = ["/value/id", "/value/name", "/value/email", "/value/status"];
    assert_same("getEntry", 200, &found, &value);
    let said = ["/metadata/level", "/metadata/ttl_seconds", "/metadata/compressed", "/metadata/serialization_format"];
    assert_same("getEntry", 200, &found, &[&["/found", "/key"], &said[..]].concat());
    let invalidated = send(&api, "invalidate", "/invalidate").await.expect(200);
    let fixed = ["/success", "/message", "/pattern", "/levels_affected", "/reason"];
    assert_same("invalidate", 200, &invalidated, &fixed);
    send(&api, "putEntry", &key).await.expect(201);
    let deleted = send(&api, "deleteEntry", &key).await.expect(200);
    assert_same("deleteEntry", 200, &deleted, &["/success", "/message", "/key", "/deleted_from_levels"]);
    let warming = send(&api, "startWarming", "/warm").await.expect(202);
    let fixed = ["/success", "/message", "/strategy", "/batch_size", "/max_concurrent"];
    assert_same("startWarming", 202, &warming, &fixed);
    let configured = send(&api, "updateConfig", "/config").await.expect(200);
    assert_same("updateConfig", 200, &configured, &["/success", "/message", "/updated_fields", "/restart_required"]);
    let missing = api.get("/entries/customer:99999").send().await.expect(404);
    assert_same("getEntry", 404, &missing, &["/error/code", "/error/message", "/error/details"]);
}

/// The contract's status and configuration are those of a deployment without L3.
#[tokio::test]
async fn a_deployment_like_the_contracts_says_the_same_of_itself() {
    let api = Api::with(configured(json!({"l3_config": {"enabled": false}}))).await;
    let config = api.get("/config").send().await.expect(200);
    let (example, real) = (answered("getConfig", 200), config.json());
    // All but what names the servers of a deployment.
    for (section, other) in [("l1_config", ""), ("l2_config", "redis_url key_prefix"), ("l3_config", "database_url")] {
        for (field, value) in example[section].as_object().unwrap() {
            assert!(other.contains(field.as_str()) || real[section][field] == *value, "{section}.{field}: {config:?}");
        }
    }
    assert_same("getConfig", 200, &config, &["/compression", "/serialization", "/max_entry_size_mb"]);

    let status = api.get("/status").send().await.expect(200);
    let settings = ["/levels/0/level", "/levels/0/enabled", "/levels/0/max_capacity", "/levels/0/max_size_mb"];
    let pool = ["/levels/1/level", "/levels/1/enabled", "/levels/1/connection_pool_size"];
    let off = ["level", "enabled", "status", "size", "entries", "hit_ratio"].map(|field| format!("/levels/2/{field}"));
    let off = off.each_ref().map(String::as_str);
    assert_same("getStatus", 200, &status, &[&settings[..], &pool, &off].concat());
}
