//! Sets.

use super::data::Bytes;
use super::reply::{arity, count, list};
use super::{Answer, Database};
use redis::Value;
use std::collections::BTreeSet;

type Set = BTreeSet<Bytes>;

pub(super) fn command(data: &mut Database, name: &str, arguments: &[&[u8]]) -> Option<Answer> {
    let now_ms = data.now_ms;
    Some(match (name, arguments) {
        ("SADD", [name, members @ ..]) if !members.is_empty() => data
            .names
            .write::<Set>(name, now_ms)
            .map(|set| count(members.iter().filter(|member| set.insert(member.to_vec())).count())),
        ("SREM", [name, members @ ..]) if !members.is_empty() => data
            .names
            .change::<Set, _>(name, now_ms, |set| members.iter().filter(|member| set.remove(**member)).count())
            .map(|gone| count(gone.unwrap_or_default())),
        ("SMEMBERS", [name]) => {
            data.names.read::<Set>(name, now_ms).map(|set| set.map_or(Value::Array(Vec::new()), list))
        }
        ("SCARD", [name]) => data.names.read::<Set>(name, now_ms).map(|set| count(set.map_or(0, Set::len))),
        ("SISMEMBER", [name, member]) => data
            .names
            .read::<Set>(name, now_ms)
            .map(|set| Value::Int(set.is_some_and(|set| set.contains(*member)).into())),
        ("SADD" | "SREM" | "SMEMBERS" | "SCARD" | "SISMEMBER", _) => Err(arity(name)),
        _ => return None,
    })
}
