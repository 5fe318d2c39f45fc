//! Texts.

use super::data::{Bytes, Held, Kind};
use super::reply::{NO_INTEGER, SYNTAX, arity, bulk, bulk_or_nil, count, integer, span};
use super::{Answer, Database};
use redis::Value;

pub(super) fn command(data: &mut Database, name: &str, arguments: &[&[u8]]) -> Option<Answer> {
    let now_ms = data.now_ms;
    let read = |data: &mut Database, name: &[u8]| data.names.read::<Bytes>(name, now_ms).map(Option::<&Bytes>::cloned);
    Some(match (name, arguments) {
        ("GET", [name]) => read(data, name).map(|text| bulk_or_nil(text.as_ref())),
        ("SET", [name, value, options @ ..]) => set(data, name, value, options),
        ("MGET", [_, ..]) => {
            let texts = arguments.iter().map(|name| read(data, name).ok().flatten());
            Ok(Value::Array(texts.map(|text| bulk_or_nil(text.as_ref())).collect()))
        }
        ("STRLEN", [name]) => read(data, name).map(|text| count(text.unwrap_or_default().len())),
        ("GETRANGE", [name, start, end]) => (|| {
            let (start, end) = (integer(start)?, integer(end)?);
            let text = read(data, name)?.unwrap_or_default();
            Ok(bulk(&text[span(start, end, text.len())]))
        })(),
        ("SETRANGE", [name, offset, value]) => set_range(data, name, offset, value),
        ("APPEND", [name, value]) => data.names.write::<Bytes>(name, now_ms).map(|text| {
            text.extend_from_slice(value);
            count(text.len())
        }),
        ("INCRBY", [name, by]) => (|| {
            let by = integer(by)?;
            let before = read(data, name)?.map_or(Ok(0), |text| integer(&text))?;
            let after = before.checked_add(by).ok_or(NO_INTEGER)?;
            *data.names.write::<Bytes>(name, now_ms)? = after.to_string().into_bytes();
            Ok(Value::Int(after))
        })(),
        ("GET" | "SET" | "MGET" | "STRLEN" | "GETRANGE" | "SETRANGE" | "APPEND" | "INCRBY", _) => Err(arity(name)),
        _ => return None,
    })
}

fn set(data: &mut Database, name: &[u8], value: &[u8], options: &[&[u8]]) -> Answer {
    let now_ms = data.now_ms;
    let mut expires_ms = None;
    let (mut only_new, mut only_old) = (false, false);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut number = || options.next().ok_or(SYNTAX.to_owned()).and_then(|text| integer(text));
        match option.to_ascii_uppercase().as_slice() {
            b"NX" => only_new = true,
            b"XX" => only_old = true,
            b"PX" => expires_ms = Some(now_ms.saturating_add(number()?)),
            b"EX" => expires_ms = Some(now_ms.saturating_add(number()?.saturating_mul(1000))),
            b"PXAT" => expires_ms = Some(number()?),
            b"KEEPTTL" => expires_ms = data.names.get(name, now_ms).and_then(|held| held.expires_ms),
            _ => return Err(SYNTAX.to_owned()),
        }
    }
    let is_there = data.names.get(name, now_ms).is_some();
    if (only_new && is_there) || (only_old && !is_there) {
        return Ok(Value::Nil);
    }
    data.names.put(name, Held { kind: Kind::Text(value.to_vec()), expires_ms });
    Ok(Value::Okay)
}

fn set_range(data: &mut Database, name: &[u8], offset: &[u8], value: &[u8]) -> Answer {
    let now_ms = data.now_ms;
    let offset = usize::try_from(integer(offset)?).map_err(|_| "ERR offset is out of range".to_owned())?;
    if value.is_empty() {
        return Ok(count(data.names.read::<Bytes>(name, now_ms)?.map_or(0, Vec::len)));
    }
    let text = data.names.write::<Bytes>(name, now_ms)?;
    let end = offset + value.len();
    if text.len() < end {
        text.resize(end, 0);
    }
    text[offset..end].copy_from_slice(value);
    Ok(count(text.len()))
}
