//! The contract's own examples: each request is sent as it stands there, and answered in the shape that stands there.

use super::document::operation;
use serde_json::Value;
use strata_it::{Answer, Api, entry};

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

#[tokio::test]
async fn what_is_determined_is_as_in_the_contract() {
    let api = Api::start().await;
    let same = |id: &str, status: u16, answer: &Answer, members: &[&str]| {
        let (example, real) = (answered(id, status), answer.json());
        for pointer in members {
            assert_eq!(real.pointer(pointer), example.pointer(pointer), "{id} {pointer}");
        }
    };
    let key = entry("customer:12345");
    let stored = send(&api, "putEntry", &key).await.expect(201);
    let fixed = ["/success", "/message", "/key", "/metadata/levels_stored", "/metadata/serialization_format"];
    same("putEntry", 201, &stored, &fixed);
    let found = api.get(&key).pin(stored.container()).send().await.expect(200);
    same("getEntry", 200, &found, &["/found", "/key", "/value/name", "/metadata/level", "/metadata/ttl_seconds"]);
    let invalidated = send(&api, "invalidate", "/invalidate").await.expect(200);
    same("invalidate", 200, &invalidated, &["/success", "/message", "/pattern", "/levels_affected", "/reason"]);
    send(&api, "putEntry", &key).await.expect(201);
    let deleted = send(&api, "deleteEntry", &key).await.expect(200);
    same("deleteEntry", 200, &deleted, &["/success", "/message", "/key", "/deleted_from_levels"]);
    let warming = send(&api, "startWarming", "/warm").await.expect(202);
    same("startWarming", 202, &warming, &["/success", "/message", "/strategy", "/batch_size", "/max_concurrent"]);
    let configured = send(&api, "updateConfig", "/config").await.expect(200);
    same("updateConfig", 200, &configured, &["/success", "/message", "/updated_fields", "/restart_required"]);
    let missing = api.get("/entries/customer:99999").send().await.expect(404);
    same("getEntry", 404, &missing, &["/error/code", "/error/message", "/error/details"]);
}
