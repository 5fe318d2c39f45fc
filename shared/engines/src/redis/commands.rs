//! A command, of a client or of a script: whether the server takes it, and what it is answered.

use super::{Answer, Database, Refusal, hashes, keys, sets, sorted, streams, strings};

/// What a command does to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    /// It writes, and never needs more memory.
    Writes,
    /// It writes, and may need more memory.
    Grows,
}

impl Database {
    /// A command that is none of scripts.
    pub(super) fn command(&mut self, name: &str, arguments: &[&[u8]]) -> Answer {
        self.admit(effect(name))?;
        let found = keys::command(self, name, arguments)
            .or_else(|| strings::command(self, name, arguments))
            .or_else(|| hashes::command(self, name, arguments))
            .or_else(|| sets::command(self, name, arguments))
            .or_else(|| sorted::command(self, name, arguments))
            .or_else(|| streams::command(self, name, arguments));
        found.unwrap_or_else(|| Err(format!("ERR unknown command '{name}', with args beginning with: ")))
    }

    fn admit(&mut self, effect: Effect) -> Result<(), String> {
        let refused = match (self.refusal, effect) {
            (Some(Refusal::ReadOnly), Effect::Writes | Effect::Grows) => {
                Some("READONLY You can't write against a read only replica.")
            }
            (Some(Refusal::NoReplicas), Effect::Writes | Effect::Grows) => {
                Some("NOREPLICAS Not enough good replicas to write.")
            }
            (Some(Refusal::Full), Effect::Grows) if !self.has_written => {
                Some("OOM command not allowed when used memory > 'maxmemory'.")
            }
            _ => None,
        };
        self.has_written |= refused.is_none() && effect != Effect::None;
        refused.map_or(Ok(()), |text| Err(text.to_owned()))
    }
}

fn effect(name: &str) -> Effect {
    match name {
        "SET" | "SETRANGE" | "APPEND" | "INCRBY" | "HSET" | "HSETNX" | "HINCRBY" | "SADD" | "ZADD" | "XADD" => {
            Effect::Grows
        }
        "DEL" | "UNLINK" | "PEXPIRE" | "PEXPIREAT" | "EXPIRE" | "PERSIST" | "RENAME" | "HDEL" | "SREM" | "ZREM"
        | "ZREMRANGEBYSCORE" | "ZREMRANGEBYLEX" | "XTRIM" | "XDEL" | "FLUSHALL" => Effect::Writes,
        _ => Effect::None,
    }
}
