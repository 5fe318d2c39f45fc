//! Scripts, in the Lua 5.1 that Redis itself has.

use super::reply::error;
use super::{Answer, Database, Shared, packed};
use mlua::{Error, Function, Lua, MultiValue, Table};
use redis::{Script, Value};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// The error with which a command of the script that runs made an end of it.
type Raised = Arc<Mutex<Option<String>>>;

/// What a script is told of a command that the user may not run.
const DENIED: &str = "ERR The user executing the script can't run this command or subcommand";

/// The scripts a server knows.
pub(super) struct Scripts {
    lua: Lua,
    known: BTreeMap<String, Function>,
    raised: Raised,
}

impl Scripts {
    /// Scripts whose commands work on `data`.
    pub(super) fn new(data: &Shared) -> Scripts {
        let (lua, raised) = (Lua::new(), Raised::default());
        open(&lua, data, &raised).expect("functions can be made known to a new Lua");
        Scripts { lua, known: BTreeMap::new(), raised }
    }

    /// Makes a script known; returns its hash.
    pub(super) fn load(&mut self, text: &str) -> Result<String, String> {
        let sha = sha1(text);
        if !self.known.contains_key(&sha) {
            let function = self.lua.load(text).set_name("@user_script").into_function();
            let function = function.map_err(|error| format!("ERR Error compiling script (new function): {error}"))?;
            self.known.insert(sha.clone(), function);
        }
        Ok(sha)
    }

    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Runs a script with what follows its hash: how many keys, the keys, and other arguments.
    pub(super) fn run(&self, sha: &str, rest: &[&[u8]]) -> Value {
        let Some(function) = self.known.get(&sha.to_ascii_lowercase()) else {
            return error("NOSCRIPT No matching script.");
        };
        let count = rest.first().and_then(|count| std::str::from_utf8(count).ok()?.parse::<usize>().ok());
        let Some((keys, arguments)) = count.and_then(|count| rest[1..].split_at_checked(count)) else {
            return error("ERR Number of keys can't be greater than number of args");
        };
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let ran = self.call(function, keys, arguments);
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (ran, raised) {
            (Ok(value), _) => value,
            (Err(_), Some(text)) => error(&format!("{text} script: {sha}, on @user_script:1.")),
            (Err(failed), None) => error(&format!("ERR {failed} script: {sha}, on @user_script:1.")),
        }
    }

    fn call(&self, function: &Function, keys: &[&[u8]], arguments: &[&[u8]]) -> mlua::Result<Value> {
        let globals = self.lua.globals();
        globals.raw_set("KEYS", texts(&self.lua, keys)?)?;
        globals.raw_set("ARGV", texts(&self.lua, arguments)?)?;
        from_lua(&function.call::<mlua::Value>(())?)
    }
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripts").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

/// Makes known what scripts call.
fn open(lua: &Lua, data: &Shared, raised: &Raised) -> mlua::Result<()> {
    let server = lua.create_table()?;
    let (shared, slot) = (Arc::clone(data), Arc::clone(raised));
    server.raw_set(
        "call",
        lua.create_function(move |lua, arguments: MultiValue| match command(&shared, &arguments) {
            Ok(Value::ServerError(failed)) => Err(raise(&slot, text_of(&failed))),
            Ok(value) => to_lua(lua, value),
            Err(text) => Err(raise(&slot, text)),
        })?,
    )?;
    let shared = Arc::clone(data);
    server.raw_set(
        "pcall",
        lua.create_function(move |lua, arguments: MultiValue| {
            to_lua(lua, command(&shared, &arguments).unwrap_or_else(|text| error(&text)))
        })?,
    )?;
    let reply = |field: &'static str| {
        lua.create_function(move |lua, text: mlua::LuaString| {
            let table = lua.create_table()?;
            table.raw_set(field, text)?;
            Ok(table)
        })
    };
    server.raw_set("error_reply", reply("err")?)?;
    server.raw_set("status_reply", reply("ok")?)?;
    let hash = |_: &Lua, text: mlua::LuaString| Ok(sha1(&String::from_utf8_lossy(&text.as_bytes())));
    server.raw_set("sha1hex", lua.create_function(hash)?)?;
    lua.globals().raw_set("struct", packed::library(lua)?)?;
    lua.globals().raw_set("redis", server)
}

fn raise(slot: &Raised, text: String) -> Error {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.clone());
    Error::runtime(text)
}

fn text_of(failed: &redis::ServerError) -> String {
    format!("{} {}", failed.code(), failed.details().unwrap_or_default())
}

fn command(data: &Mutex<Database>, arguments: &MultiValue) -> Answer {
    let parts: Option<Vec<Vec<u8>>> = arguments.iter().map(argument).collect();
    let parts = parts.ok_or("ERR Lua redis lib command arguments must be strings or integers")?;
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let (name, rest) = parts.split_first().ok_or("ERR Please specify at least one argument for this redis.call()")?;
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    let answer = data.lock().unwrap_or_else(PoisonError::into_inner).command(&name, rest);
    answer.map_err(|text| if text.starts_with("NOPERM") { DENIED.to_owned() } else { text })
}

fn argument(value: &mlua::Value) -> Option<Vec<u8>> {
    match value {
        mlua::Value::String(text) => Some(text.as_bytes().to_vec()),
        mlua::Value::Integer(number) => Some(number.to_string().into_bytes()),
        mlua::Value::Number(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

fn texts(lua: &Lua, parts: &[&[u8]]) -> mlua::Result<Table> {
    let texts: mlua::Result<Vec<_>> = parts.iter().map(|part| lua.create_string(part)).collect();
    lua.create_sequence_from(texts?)
}

fn to_lua(lua: &Lua, value: Value) -> mlua::Result<mlua::Value> {
    let tagged = |field: &str, text: String| {
        let table = lua.create_table()?;
        table.raw_set(field, text)?;
        Ok(mlua::Value::Table(table))
    };
    match value {
        Value::Int(number) => Ok(mlua::Value::Number(number as f64)),
        Value::BulkString(bytes) => lua.create_string(bytes).map(mlua::Value::String),
        Value::Array(items) => {
            let items: mlua::Result<Vec<_>> = items.into_iter().map(|item| to_lua(lua, item)).collect();
            lua.create_sequence_from(items?).map(mlua::Value::Table)
        }
        Value::Okay => tagged("ok", "OK".to_owned()),
        Value::SimpleString(text) => tagged("ok", text),
        Value::ServerError(failed) => tagged("err", text_of(&failed)),
        _ => Ok(mlua::Value::Boolean(false)),
    }
}

fn from_lua(value: &mlua::Value) -> mlua::Result<Value> {
    Ok(match value {
        mlua::Value::String(text) => Value::BulkString(text.as_bytes().to_vec()),
        mlua::Value::Integer(number) => Value::Int(*number),
        mlua::Value::Number(number) => Value::Int(*number as i64),
        mlua::Value::Boolean(true) => Value::Int(1),
        mlua::Value::Table(table) => {
            if let Some(text) = table.raw_get::<Option<String>>("err")? {
                return Ok(error(&text));
            }
            if let Some(text) = table.raw_get::<Option<String>>("ok")? {
                return Ok(if text == "OK" { Value::Okay } else { Value::SimpleString(text) });
            }
            let mut items = Vec::with_capacity(table.raw_len());
            for at in 1.. {
                match table.raw_get::<mlua::Value>(at)? {
                    mlua::Value::Nil => break,
                    item => items.push(from_lua(&item)?),
                }
            }
            Value::Array(items)
        }
        _ => Value::Nil,
    })
}

fn sha1(text: &str) -> String {
    Script::new(text).get_hash().to_owned()
}
