//! Hashes.

use super::data::Bytes;
use super::reply::{NO_INTEGER, arity, bulk, bulk_or_nil, count, integer, list};
use super::{Answer, Database};
use redis::Value;
use std::collections::BTreeMap;

type Hash = BTreeMap<Bytes, Bytes>;

pub(super) fn command(data: &mut Database, name: &str, arguments: &[&[u8]]) -> Option<Answer> {
    let now_ms = data.now_ms;
    Some(match (name, arguments) {
        ("HSET", [name, fields @ ..]) if !fields.is_empty() && fields.len() % 2 == 0 => {
            data.names.write::<Hash>(name, now_ms).map(|hash| {
                let insert = |pair: &&[&[u8]]| hash.insert(pair[0].to_vec(), pair[1].to_vec()).is_none();
                count(fields.chunks(2).filter(insert).count())
            })
        }
        ("HSETNX", [name, field, value]) => data.names.write::<Hash>(name, now_ms).map(|hash| {
            let is_new = !hash.contains_key(*field);
            hash.entry(field.to_vec()).or_insert_with(|| value.to_vec());
            Value::Int(is_new.into())
        }),
        ("HDEL", [name, fields @ ..]) if !fields.is_empty() => data
            .names
            .change::<Hash, _>(name, now_ms, |hash| {
                fields.iter().filter(|field| hash.remove(**field).is_some()).count()
            })
            .map(|gone| count(gone.unwrap_or_default())),
        ("HINCRBY", [name, field, by]) => increase(data, name, field, by),
        (
            "HGET" | "HMGET" | "HGETALL" | "HKEYS" | "HVALS" | "HLEN" | "HSTRLEN" | "HEXISTS" | "HRANDFIELD",
            [key, rest @ ..],
        ) => {
            let drawn = data.chance.clone();
            let hash = match data.names.read::<Hash>(key, now_ms) {
                Ok(hash) => hash,
                Err(wrong) => return Some(Err(wrong)),
            };
            let (answer, drawn) = read(hash.unwrap_or(&Hash::new()), name, rest, drawn);
            data.chance = drawn;
            answer
        }
        ("HSET" | "HSETNX" | "HDEL" | "HINCRBY" | "HGET" | "HMGET" | "HGETALL", _) => Err(arity(name)),
        _ => return None,
    })
}

fn read(hash: &Hash, name: &str, arguments: &[&[u8]], mut chance: fastrand::Rng) -> (Answer, fastrand::Rng) {
    let answer = match (name, arguments) {
        ("HGET", [field]) => Ok(bulk_or_nil(hash.get(*field))),
        ("HMGET", [_, ..]) => Ok(Value::Array(arguments.iter().map(|field| bulk_or_nil(hash.get(*field))).collect())),
        ("HGETALL", []) => Ok(list(hash.iter().flat_map(|(field, value)| [field, value]))),
        ("HKEYS", []) => Ok(list(hash.keys())),
        ("HVALS", []) => Ok(list(hash.values())),
        ("HLEN", []) => Ok(count(hash.len())),
        ("HSTRLEN", [field]) => Ok(count(hash.get(*field).map_or(0, Vec::len))),
        ("HEXISTS", [field]) => Ok(Value::Int(hash.contains_key(*field).into())),
        ("HRANDFIELD", []) if hash.is_empty() => Ok(Value::Nil),
        ("HRANDFIELD", []) => Ok(hash.keys().nth(chance.usize(..hash.len())).map_or(Value::Nil, |field| bulk(field))),
        _ => Err(arity(name)),
    };
    (answer, chance)
}

fn increase(data: &mut Database, name: &[u8], field: &[u8], by: &[u8]) -> Answer {
    let now_ms = data.now_ms;
    let by = integer(by)?;
    let hash = data.names.write::<Hash>(name, now_ms)?;
    let before = hash.get(field).map_or(Ok(0), |text| integer(text));
    let before = before.map_err(|_| "ERR hash value is not an integer".to_owned())?;
    let after = before.checked_add(by).ok_or(NO_INTEGER)?;
    hash.insert(field.to_vec(), after.to_string().into_bytes());
    Ok(Value::Int(after))
}
