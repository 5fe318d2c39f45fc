//! Puts what a release has left into engines, as if it had run until now: what tells by the time when to go stays, and
//! the server of Redis is the one it was.

use super::{to_bytes, to_field};
use crate::tables::{self, Item};
use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use redis::{Cmd, aio::MultiplexedConnection};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use strata_it::stack::Stack;

const DAY_SECONDS: u64 = 86_400;
/// The field of a copy that says when it was last confirmed, in ms.
const CONFIRMED: &str = "w";
/// What is known of the server, the field with its name, and what stands before that where copies are strings.
const META: (&str, &str) = ("strata:cache:{j}meta", "id");
const COPIES: &str = "c:";

/// Fills the engines of `stack`, of which nobody has made use.
pub async fn load(stack: &Stack, stored: &Value) {
    let client = tables::client_of(stack.l3().engine_endpoint());
    for (table, items) in stored["tables"].as_object().unwrap() {
        for item in items.as_array().unwrap() {
            client.put_item().table_name(table).set_item(Some(item_of(item))).send().await.unwrap();
        }
    }
    let client = redis::Client::open(stack.redis().url()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    for (name, key) in stored["redis"].as_object().unwrap() {
        for command in commands(name, &key["value"], key["type"].as_str().unwrap()) {
            command.exec_async(&mut redis).await.unwrap();
        }
        if key["expires"] == true {
            redis::cmd("EXPIRE").arg(name).arg(DAY_SECONDS).exec_async(&mut redis).await.unwrap();
        }
    }
    let keeps = stored["redis"][META.0]["value"][META.1].as_str().unwrap();
    let server = if keeps.starts_with(COPIES) { COPIES } else { "" }.to_owned() + &name_of(&mut redis).await;
    redis::cmd("HSET").arg(META.0).arg(META.1).arg(server).exec_async(&mut redis).await.unwrap();
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn item_of(item: &Value) -> Item {
    let mut item: Item =
        item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute_of(value))).collect();
    if let Some(ttl) = item.get_mut("ttl") {
        *ttl = AttributeValue::N((now_seconds() + DAY_SECONDS).to_string());
    }
    item
}

fn attribute_of(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap().to_owned();
    match kind.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "B" => AttributeValue::B(Blob::new(to_bytes(value))),
        "L" => AttributeValue::L(value.as_array().unwrap().iter().map(attribute_of).collect()),
        other => panic!("no row has had a {other}"),
    }
}

/// What makes a key of Redis.
fn commands(name: &str, value: &Value, kind: &str) -> Vec<Cmd> {
    let of = |command: &str| {
        let mut command = redis::cmd(command);
        command.arg(name);
        command
    };
    let with = |mut command: Cmd, fields: &Value| {
        for (field, value) in fields.as_object().unwrap() {
            let value = if field == CONFIRMED { (now_seconds() * 1000).to_string().into() } else { to_bytes(value) };
            command.arg(to_field(field)).arg(value);
        }
        command
    };
    let items = || value.as_array().unwrap().iter();
    match kind {
        "string" => vec![of("SET").arg(to_bytes(value)).to_owned()],
        "hash" => vec![with(of("HSET"), value)],
        "set" => items().map(|member| of("SADD").arg(to_bytes(member)).to_owned()).collect(),
        "zset" => items().map(|member| of("ZADD").arg(0).arg(to_bytes(member)).to_owned()).collect(),
        "stream" => items()
            .map(|record| with(of("XADD").arg(record["id"].as_str().unwrap()).to_owned(), &record["fields"]))
            .collect(),
        other => panic!("nothing in Redis has been a {other}"),
    }
}

/// The name by which a sync knows the server.
async fn name_of(redis: &mut MultiplexedConnection) -> String {
    let info: String = redis::cmd("INFO").arg("replication").query_async(redis).await.unwrap();
    info.lines().find_map(|line| line.strip_prefix("master_replid:")).unwrap().to_owned()
}
