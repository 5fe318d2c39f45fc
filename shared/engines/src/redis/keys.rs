//! Names, whatever they stand for, and the server itself.

use super::data::Kind;
use super::reply::{arity, count, error, integer};
use super::{Answer, Database, Refusal};
use redis::Value;

pub(super) fn command(data: &mut Database, name: &str, arguments: &[&[u8]]) -> Option<Answer> {
    let now_ms = data.now_ms;
    Some(match (name, arguments) {
        ("DEL" | "UNLINK", [_, ..]) => {
            Ok(count(arguments.iter().filter(|name| data.names.take(name, now_ms).is_some()).count()))
        }
        ("EXISTS", [_, ..]) => {
            Ok(count(arguments.iter().filter(|name| data.names.get(name, now_ms).is_some()).count()))
        }
        ("TYPE", [name]) => Ok(Value::SimpleString(type_of(data, name).to_owned())),
        ("PTTL", [name]) => Ok(Value::Int(match data.names.get(name, now_ms) {
            None => -2,
            Some(held) => held.expires_ms.map_or(-1, |expires_ms| expires_ms - now_ms),
        })),
        ("PERSIST", [name]) => {
            let until = data.names.get(name, now_ms).and_then(|held| held.expires_ms.take());
            Ok(Value::Int(until.is_some().into()))
        }
        ("PEXPIRE", [name, ms]) => integer(ms).map(|ms| expire(data, name, now_ms.saturating_add(ms))),
        ("EXPIRE", [name, s]) => integer(s).map(|s| expire(data, name, now_ms.saturating_add(s.saturating_mul(1000)))),
        ("PEXPIREAT", [name, at]) => integer(at).map(|at| expire(data, name, at)),
        ("RENAME", [from, to]) => match data.names.take(from, now_ms) {
            Some(held) => {
                data.names.put(to, held);
                Ok(Value::Okay)
            }
            None => Err("ERR no such key".to_owned()),
        },
        ("TIME", []) => {
            let part = |number: i64| Value::BulkString(number.to_string().into_bytes());
            Ok(Value::Array(vec![part(data.now_us / 1_000_000), part(data.now_us % 1_000_000)]))
        }
        ("PING", []) => Ok(Value::SimpleString("PONG".to_owned())),
        ("FLUSHALL", _) => {
            data.names.clear();
            Ok(Value::Okay)
        }
        ("DBSIZE", []) => Ok(count(data.names.list(now_ms).count())),
        ("INFO", _) => Ok(info(data)),
        ("CLUSTER", _) => Ok(error("ERR This instance has cluster support disabled")),
        (
            "DEL" | "UNLINK" | "EXISTS" | "TYPE" | "PTTL" | "PERSIST" | "PEXPIRE" | "EXPIRE" | "PEXPIREAT" | "RENAME",
            _,
        ) => Err(arity(name)),
        _ => return None,
    })
}

fn expire(data: &mut Database, name: &[u8], at_ms: i64) -> Value {
    let now_ms = data.now_ms;
    let Some(held) = data.names.get(name, now_ms) else { return Value::Int(0) };
    held.expires_ms = Some(at_ms);
    data.names.get(name, now_ms);
    Value::Int(1)
}

fn type_of(data: &mut Database, name: &[u8]) -> &'static str {
    let now_ms = data.now_ms;
    match data.names.get(name, now_ms).map(|held| &held.kind) {
        None => "none",
        Some(Kind::Text(_)) => "string",
        Some(Kind::Hash(_)) => "hash",
        Some(Kind::Set(_)) => "set",
        Some(Kind::Sorted(_)) => "zset",
        Some(Kind::Stream(_)) => "stream",
    }
}

/// What is asked for of INFO, in one section.
fn info(data: &Database) -> Value {
    let role = if data.refusal == Some(Refusal::ReadOnly) { "slave" } else { "master" };
    let identity = &data.identity;
    let text = format!(
        "# Server\r\nredis_version:7.4.0\r\nrun_id:{identity}\r\n# Memory\r\nused_memory:1000000\r\nmaxmemory:0\r\n\
         # Stats\r\nevicted_keys:0\r\n# Replication\r\nrole:{role}\r\nmaster_replid:{identity}\r\n"
    );
    Value::BulkString(text.into_bytes())
}
