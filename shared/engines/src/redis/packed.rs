//! Numbers as bytes, for scripts: of Redis' `struct` what they use, unsigned numbers that begin with their greatest byte.

use mlua::{Error, Lua, LuaString, MultiValue, Table, Value};

/// What scripts know as `struct`.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("pack", lua.create_function(pack)?)?;
    library.raw_set("unpack", lua.create_function(unpack)?)?;
    Ok(library)
}

fn pack(lua: &Lua, (format, mut numbers): (LuaString, MultiValue)) -> mlua::Result<LuaString> {
    let mut packed = Vec::new();
    for size in sizes(&format.as_bytes())? {
        let number = match numbers.pop_front() {
            Some(Value::Integer(number)) => number as u64,
            Some(Value::Number(number)) => number as u64,
            _ => return Err(Error::runtime("bad argument to 'pack' (number expected)")),
        };
        packed.extend_from_slice(&number.to_be_bytes()[8 - size..]);
    }
    lua.create_string(packed)
}

fn unpack(_: &Lua, (format, text, from): (LuaString, LuaString, Option<usize>)) -> mlua::Result<MultiValue> {
    let (mut at, text) = (from.unwrap_or(1) - 1, text.as_bytes());
    let mut found = MultiValue::new();
    for size in sizes(&format.as_bytes())? {
        let bytes = text.get(at..at + size).ok_or_else(|| Error::runtime("data string too short"))?;
        let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        found.push_back(Value::Number(number as f64));
        at += size;
    }
    found.push_back(Value::Number((at + 1) as f64));
    Ok(found)
}

/// How many bytes each number of a format such as `>I4I2` has.
fn sizes(format: &[u8]) -> mlua::Result<Vec<usize>> {
    let unknown = || Error::runtime(format!("invalid format '{}'", String::from_utf8_lossy(format)));
    let numbers = std::str::from_utf8(format).ok().and_then(|format| format.strip_prefix(">I")).ok_or_else(unknown)?;
    let sizes = numbers.split('I').map(|size| size.parse().ok().filter(|size| (1..=8).contains(size)));
    sizes.collect::<Option<_>>().ok_or_else(unknown)
}
