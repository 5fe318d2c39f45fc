//! What stands in the engines, as JSON; and what of it an older release would miss.

use super::{is_count, of_bytes, of_field};
use crate::tables::{self, Item};
use aws_sdk_dynamodb::types::AttributeValue;
use redis::aio::MultiplexedConnection;
use serde_json::{Map, Value, json};
use strata_it::stack::Stack;

/// Items as they stand in the tables, and keys as they stand in Redis.
pub async fn dump(stack: &Stack) -> Value {
    let mut tables = Map::new();
    for table in ["cache_entries", "cache_control"] {
        let mut items = tables::all_of(stack.l3().engine_endpoint(), table).await;
        items.sort_by_key(|item| ["pk", "sk"].map(|name| tables::text_of(item, name).to_owned()));
        tables.insert(table.to_owned(), items.iter().map(of_item).collect());
    }
    json!({"tables": tables, "redis": of_redis(stack.redis().url()).await})
}

fn of_item(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), of_attribute(value))).collect::<Map<_, _>>().into()
}

fn of_attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(number) => json!({"N": number}),
        AttributeValue::B(bytes) => json!({"B": of_bytes(bytes.as_ref())}),
        AttributeValue::L(list) => json!({"L": list.iter().map(of_attribute).collect::<Vec<_>>()}),
        other => panic!("no row has had one: {other:?}"),
    }
}

async fn of_redis(url: &str) -> Value {
    let mut redis = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    let mut names: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query_async(&mut redis).await.unwrap();
    names.sort();
    let mut keys = Map::new();
    for name in names {
        let kind: String = redis::cmd("TYPE").arg(&name).query_async(&mut redis).await.unwrap();
        let said = of_key(&mut redis, &kind, &name).await;
        let life: i64 = redis::cmd("PTTL").arg(&name).query_async(&mut redis).await.unwrap();
        keys.insert(String::from_utf8(name).unwrap(), json!({"type": kind, "expires": life >= 0, "value": said}));
    }
    keys.into()
}

async fn of_key(redis: &mut MultiplexedConnection, kind: &str, name: &[u8]) -> Value {
    let pairs = |list: Vec<Vec<u8>>| -> Value {
        list.chunks(2).map(|pair| (of_field(&pair[0]), of_bytes(&pair[1]))).collect::<Map<_, _>>().into()
    };
    match kind {
        "string" => of_bytes(&redis::cmd("GET").arg(name).query_async::<Vec<u8>>(redis).await.unwrap()),
        "hash" => pairs(redis::cmd("HGETALL").arg(name).query_async(redis).await.unwrap()),
        "set" => {
            let members: Vec<Vec<u8>> = redis::cmd("SMEMBERS").arg(name).query_async(redis).await.unwrap();
            members.iter().map(|member| of_bytes(member)).collect()
        }
        "zset" => {
            let all = redis::cmd("ZRANGE").arg(name).arg(0).arg(-1).query_async(redis).await;
            all.map(|members: Vec<Vec<u8>>| members.iter().map(|member| of_bytes(member)).collect()).unwrap()
        }
        "stream" => {
            let records: Vec<(String, Vec<Vec<u8>>)> =
                redis::cmd("XRANGE").arg(name).arg("-").arg("+").query_async(redis).await.unwrap();
            records.into_iter().map(|(id, fields)| json!({"id": id, "fields": pairs(fields)})).collect()
        }
        other => panic!("nothing in Redis has been a {other}"),
    }
}

/// A dump less what two releases may write differently: times, versions, names by chance, envelopes (of which the library
/// has files of its own), and counts.
pub fn masked(dump: &Value) -> Value {
    match dump {
        Value::Object(members) if members.contains_key("base64") || members.contains_key("zeros") => json!("bytes"),
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| !is_count(name));
            kept.map(|(name, value)| (mask(name), masked(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::String(text) => json!(mask(text)),
        other => other.clone(),
    }
}

/// Text without times, versions, positions and hashes of this kind: ten digits and more, sixteen hexadecimal ones and more.
/// Which slot of an account, and which of the partitions of notes, is taken by chance.
fn mask(text: &str) -> String {
    if let Some(part) = ["~", "note#"].into_iter().find(|part| text.starts_with(part)) {
        return part.to_owned();
    }
    let is_long = |run: &str| {
        run.len() >= 16 && run.bytes().all(|byte| byte.is_ascii_hexdigit())
            || run.len() >= 10 && run.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    let (mut masked, mut run) = (String::new(), String::new());
    for c in text.chars() {
        if c.is_ascii_hexdigit() || c == '-' {
            run.push(c);
            continue;
        }
        masked += if is_long(&run) { "#" } else { &run };
        run.clear();
        masked.push(c);
    }
    masked + if is_long(&run) { "#" } else { &run }
}

/// Adds to `found` where `old` has something that `new` has not: members and items may be more, and not fewer.
pub fn missing(old: &Value, new: &Value, at: &str, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                match new.get(name) {
                    Some(other) => missing(value, other, &format!("{at}/{name}"), found),
                    None => found.push(format!("{at}: no {name}")),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for item in old {
                let fits = |other: &Value| {
                    let mut missed = Vec::new();
                    missing(item, other, at, &mut missed);
                    missed.is_empty()
                };
                if !new.iter().any(fits) {
                    found.push(format!("{at}: none like {item}"));
                }
            }
        }
        (old, new) if old == new => {}
        (old, new) => found.push(format!("{at}: {new} instead of {old}")),
    }
}

#[test]
fn what_may_differ_is_masked_and_what_is_missing_is_found() {
    let found = |old: Value, new: Value| {
        let mut found = Vec::new();
        missing(&masked(&old), &masked(&new), "", &mut found);
        found.len()
    };
    let old = json!({"v": "01796057000000-1", "n": ["a", {"base64": "//8="}], "strata:cache:{j}stats": 1});
    assert_eq!(found(old.clone(), json!({"v": "01796057999999-1", "n": ["b", "bytes", "a"], "more": 1})), 0);
    assert_eq!(found(old.clone(), json!({"v": "soon", "n": ["a"]})), 2);
    assert_eq!(found(json!({"type": "hash"}), json!({"type": "string"})), 1);
    assert_eq!(found(old, json!({})), 2);
}
