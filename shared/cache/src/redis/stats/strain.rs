//! Whether Redis takes writes, and whether it evicts: it may answer as ever and yet be of little use.

use super::Fleet;
use crate::{
    redis::{Down, Reply, link::read, meaning::Meaning},
    shard::SHARDS,
};
use redis::{Cmd, Value, cmd};

/// How long what is written on trial stays, in ms.
const TRIAL_MS: u64 = 1000;

/// How many keys Redis had evicted at a time, since it started; a cluster's nodes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Evictions {
    pub at_ms: i64,
    pub keys: u64,
}

impl Fleet {
    /// The commands that try to write, one for each shard.
    pub(crate) fn trials(&self) -> impl Iterator<Item = Cmd> {
        (0..SHARDS).map(|shard| {
            let mut set = cmd("SET");
            set.arg(self.0.shard(shard) + "trial").arg("").arg("PX").arg(TRIAL_MS);
            set
        })
    }

    /// The command that asks how much Redis has evicted.
    pub(crate) fn evictions(&self) -> Cmd {
        let mut info = cmd("INFO");
        info.arg("stats");
        info
    }

    /// The command that remembers how much it had, for whoever asks later.
    pub(crate) fn remember_evictions(&self, before: Evictions, now: Evictions) -> Cmd {
        let mut set = cmd("HSET");
        set.arg(self.0.stats()).arg("evicted_before").arg(before.written()).arg("evicted").arg(now.written());
        set
    }
}

/// The code with which Redis refused one of the [trials](Fleet::trials).
pub(crate) fn refusal(replies: impl IntoIterator<Item = Reply>) -> Option<String> {
    replies.into_iter().find_map(|reply| match (Meaning::of_reply(&reply), reply) {
        (Some(Meaning::Refused), Value::ServerError(error)) => Some(error.code().to_owned()),
        _ => None,
    })
}

impl Evictions {
    fn written(self) -> String {
        format!("{} {}", self.at_ms, self.keys)
    }

    pub(super) fn parse(text: &str) -> Option<Evictions> {
        let (at_ms, keys) = text.split_once(' ')?;
        Some(Evictions { at_ms: at_ms.parse().ok()?, keys: keys.parse().ok()? })
    }

    /// Reads the reply to [`Fleet::evictions`].
    pub(crate) fn of(reply: Value, at_ms: i64) -> Result<Evictions, Down> {
        let keys = match reply {
            Value::Map(nodes) => nodes.into_iter().map(|(_, node)| evicted(node)).sum::<Result<u64, Down>>(),
            node => evicted(node),
        };
        Ok(Evictions { at_ms, keys: keys? })
    }

    /// Keys that went between `before` and this. A server that was started since counts from nothing.
    pub(crate) fn since(self, before: Evictions) -> u64 {
        self.keys.checked_sub(before.keys).unwrap_or(self.keys)
    }
}

fn evicted(info: Value) -> Result<u64, Down> {
    let info = read::<String>(info, "INFO")?;
    let found = info.lines().find_map(|line| line.strip_prefix("evicted_keys:"));
    found.and_then(|keys| keys.trim().parse().ok()).ok_or(Down::Odd("INFO"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn evictions_are_read_written_and_compared() {
        let node = |keys: u64| Value::BulkString(format!("# Stats\r\nevicted_keys:{keys}\r\n").into_bytes());
        let nodes = Value::Map(vec![(Value::Int(1), node(5)), (Value::Int(2), node(7))]);
        let now = Evictions::of(nodes, 1000).unwrap();
        assert_eq!(Evictions::parse(&now.written()), Some(now));
        assert_eq!(now.since(Evictions { at_ms: 0, keys: 2 }), 10);
        assert_eq!(now.since(Evictions { at_ms: 0, keys: 20 }), 12, "started anew");
        assert_eq!(Evictions::parse(""), None);
    }
}
