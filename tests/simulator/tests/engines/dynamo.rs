//! DynamoDB: the same requests to the engine and to dynoxide, which is tested against DynamoDB itself.

#![allow(clippy::unwrap_used)]

use dynoxide::{Database, errors::DynoxideError};
use fastrand::Rng;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use strata_engines::dynamo::Tables;

const TABLE: &str = "rows";
const REQUESTS: usize = 4000;

fn theirs() -> Database {
    let database = Database::memory().unwrap();
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let table = json!({
        "TableName": TABLE,
        "AttributeDefinitions": [attribute("pk"), attribute("sk")],
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        "BillingMode": "PAY_PER_REQUEST",
    });
    database.create_table(serde_json::from_value(table).unwrap()).unwrap();
    database
}

fn answer<Q: DeserializeOwned, A: Serialize>(
    request: &Value,
    act: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> (u16, Value) {
    match act(serde_json::from_value(request.clone()).unwrap()) {
        Ok(answer) => (200, serde_json::to_value(answer).unwrap()),
        Err(error) => (error.status_code(), serde_json::from_str(&error.to_json()).unwrap()),
    }
}

fn ask(database: &Database, operation: &str, request: &Value) -> (u16, Value) {
    match operation {
        "GetItem" => answer(request, |request| database.get_item(request)),
        "PutItem" => answer(request, |request| database.put_item(request)),
        "DeleteItem" => answer(request, |request| database.delete_item(request)),
        "UpdateItem" => answer(request, |request| database.update_item(request)),
        "Query" => answer(request, |request| database.query(request)),
        "BatchGetItem" => answer(request, |request| database.batch_get_item(request)),
        "BatchWriteItem" => answer(request, |request| database.batch_write_item(request)),
        _ => answer(request, |request| database.transact_write_items(request)),
    }
}

/// What both must say: the kind of an error, its item or its reasons; of an answer everything but what it cost.
fn comparable((status, mut answer): (u16, Value)) -> Value {
    if status != 200 {
        let kind = answer["__type"].as_str().unwrap_or_default().rsplit('#').next().unwrap_or_default().to_owned();
        let reasons = answer["CancellationReasons"]
            .as_array()
            .map(|reasons| reasons.iter().map(|reason| json!([reason["Code"], reason["Item"]])).collect::<Vec<_>>());
        return json!([kind, answer["Item"], reasons]);
    }
    let Some(parts) = answer.as_object_mut() else { return answer };
    parts.retain(|name, part| !name.contains("Consumed") && !part.is_null() && name != "ScannedCount");
    let is_nothing = |part: &Value| part.as_object().is_some_and(serde_json::Map::is_empty);
    parts.retain(|name, part| !(name.starts_with("Unprocessed") && is_nothing(part)));
    // A batch comes in no order.
    if let Some(items) = answer["Responses"].get_mut(TABLE).and_then(Value::as_array_mut) {
        items.sort_by_key(Value::to_string);
    }
    answer
}

fn key(rng: &mut Rng) -> Value {
    let (pk, sk) = (["e#0", "e#1"][rng.usize(..2)], ["a", "a/1", "b", "ß", "zz"][rng.usize(..5)]);
    json!({"pk": {"S": pk}, "sk": {"S": sk}})
}

fn item(rng: &mut Rng) -> Value {
    let mut item = key(rng);
    item["version"] = json!({"N": rng.u8(..9).to_string()});
    if rng.bool() {
        let (kind, body) = (["value", "gone"][rng.usize(..2)], ["AAEC", "/w=="][rng.usize(..2)]);
        item["kind"] = json!({"S": kind});
        item["body"] = json!({"B": body});
        item["tags"] = json!({"L": [{"S": "t"}, {"S": "u"}]});
    }
    item
}

/// Adds a condition such as the cache has.
fn condition(request: &mut Value, rng: &mut Rng) {
    let text = [
        "attribute_not_exists(#v)",
        "attribute_not_exists(#v) OR #v < :v",
        "#v = :v AND #k = :k",
        "#v <= :v AND (#k = :k OR attribute_not_exists(#k))",
        "#k IN (:k, :gone) AND NOT #v <> :v",
        "#v = :v OR (#v > :v AND #k = :gone)",
    ][rng.usize(..6)];
    request["ConditionExpression"] = text.into();
    let all = [("#v", "version"), ("#k", "kind")];
    let names = all.into_iter().filter(|(name, _)| text.contains(name));
    request["ExpressionAttributeNames"] = names.map(|(name, of)| (name.to_owned(), Value::from(of))).collect();
    let values =
        [(":v", json!({"N": rng.u8(..9).to_string()})), (":k", json!({"S": "value"})), (":gone", json!({"S": "gone"}))];
    let values: serde_json::Map<_, _> =
        values.into_iter().filter(|(name, _)| text.contains(name)).map(|(name, of)| (name.to_owned(), of)).collect();
    if !values.is_empty() {
        request["ExpressionAttributeValues"] = values.into();
    }
    request["ReturnValuesOnConditionCheckFailure"] = ["ALL_OLD", "NONE"][rng.usize(..2)].into();
}

fn update(rng: &mut Rng) -> Value {
    let text = [
        "SET #o = if_not_exists(#o, :n), seen = :n",
        "SET #o = :n REMOVE seen, tags",
        "SET #o = if_not_exists(#o, :n) + :n",
    ][rng.usize(..3)];
    json!({
        "Key": key(rng),
        "UpdateExpression": text,
        "ExpressionAttributeNames": {"#o": "owner"},
        "ExpressionAttributeValues": {":n": {"N": rng.u8(..9).to_string()}},
    })
}

fn query(rng: &mut Rng) -> Value {
    let (text, value) = [
        ("pk = :pk", None),
        ("pk = :pk AND begins_with(sk, :sk)", Some("a")),
        ("pk = :pk AND sk = :sk", Some("b")),
        ("pk = :pk AND sk >= :sk", Some("a/1")),
        ("pk = :pk AND sk < :sk", Some("zz")),
    ][rng.usize(..5)];
    let mut request = json!({
        "KeyConditionExpression": text,
        "ExpressionAttributeValues": {":pk": {"S": "e#0"}},
        "ScanIndexForward": rng.bool(),
        "ConsistentRead": true,
    });
    if let Some(value) = value {
        request["ExpressionAttributeValues"][":sk"] = json!({"S": value});
    }
    if rng.bool() {
        request["Limit"] = rng.u8(1..4).into();
    }
    if rng.u8(..3) == 0 && value.is_none() {
        request["ExclusiveStartKey"] = json!({"pk": {"S": "e#0"}, "sk": {"S": "a/1"}});
    }
    if rng.bool() {
        request["ProjectionExpression"] = "sk, #v".into();
        request["ExpressionAttributeNames"] = json!({"#v": "version"});
    }
    request
}

fn distinct_keys(rng: &mut Rng) -> Vec<Value> {
    let mut keys = vec![key(rng), key(rng), key(rng)];
    keys.sort_by_key(Value::to_string);
    keys.dedup();
    keys
}

fn transaction(rng: &mut Rng) -> Value {
    let parts: Vec<Value> = distinct_keys(rng)
        .into_iter()
        .map(|key| {
            let mut part = match rng.u8(..3) {
                0 => json!({"Put": {"Item": item(rng)}}),
                1 => json!({"Delete": {}}),
                _ => json!({"Update": update(rng)}),
            };
            let (kind, body) = part.as_object_mut().unwrap().iter_mut().next().unwrap();
            body["TableName"] = TABLE.into();
            match kind.as_str() {
                "Put" => body["Item"].as_object_mut().unwrap().extend(key.as_object().unwrap().clone()),
                _ => body["Key"] = key,
            }
            if kind != "Update" && rng.bool() {
                condition(body, rng);
            }
            part
        })
        .collect();
    json!({"TransactItems": parts})
}

fn draw(rng: &mut Rng) -> (&'static str, Value) {
    let (operation, mut request) = match rng.u8(..12) {
        0 => ("GetItem", json!({"Key": key(rng), "ConsistentRead": true})),
        1..=3 => ("PutItem", json!({"Item": item(rng)})),
        4 => ("DeleteItem", json!({"Key": key(rng)})),
        5 => ("UpdateItem", update(rng)),
        6 | 7 => ("Query", query(rng)),
        8 => {
            let keys = distinct_keys(rng);
            return ("BatchGetItem", json!({"RequestItems": {TABLE: {"Keys": keys, "ConsistentRead": true}}}));
        }
        9 => {
            let writes: Vec<Value> = distinct_keys(rng)
                .into_iter()
                .map(|key| {
                    if rng.bool() {
                        json!({"DeleteRequest": {"Key": key}})
                    } else {
                        json!({"PutRequest": {"Item": key}})
                    }
                })
                .collect();
            return ("BatchWriteItem", json!({"RequestItems": {TABLE: writes}}));
        }
        _ => return ("TransactWriteItems", transaction(rng)),
    };
    request["TableName"] = TABLE.into();
    if matches!(operation, "PutItem" | "DeleteItem") {
        request["ReturnValues"] = ["ALL_OLD", "NONE"][rng.usize(..2)].into();
        if rng.bool() {
            condition(&mut request, rng);
        }
    }
    if operation == "UpdateItem" {
        // Not ALL_OLD: of an item that was not there dynoxide 3.2 returns the key, DynamoDB nothing.
        request["ReturnValues"] = "ALL_NEW".into();
    }
    (operation, request)
}

#[test]
fn requests_are_answered_as_by_an_engine_that_is_tested_against_dynamodb() {
    let (database, mut ours, mut rng) = (theirs(), Tables::new([TABLE]), Rng::with_seed(11));
    for at in 0..REQUESTS {
        let (operation, request) = draw(&mut rng);
        let theirs = comparable(ask(&database, operation, &request));
        let (status, body) = ours.handle(1_700_000_000_000, operation, request.to_string().as_bytes());
        let mine = comparable((status, serde_json::from_slice(&body).unwrap()));
        assert_eq!(mine, theirs, "request {at}: {operation} {request}");
    }
}

#[test]
fn a_transaction_that_comes_again_is_not_done_again() {
    let mut tables = Tables::new([TABLE]);
    let add = json!({"ClientRequestToken": "one", "TransactItems": [{"Update": {
        "TableName": TABLE,
        "Key": {"pk": {"S": "p"}, "sk": {"S": "s"}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }}]});
    for _ in 0..2 {
        assert_eq!(tables.handle(0, "TransactWriteItems", add.to_string().as_bytes()).0, 200);
    }
    let get = json!({"TableName": TABLE, "Key": {"pk": {"S": "p"}, "sk": {"S": "s"}}});
    let (_, body) = tables.handle(0, "GetItem", get.to_string().as_bytes());
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["Item"]["n"]["N"], "1");
}
