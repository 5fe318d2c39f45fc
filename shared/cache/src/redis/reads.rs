//! Reading many copies of L2 in one round trip, whatever their size: a reply is bounded, and what does not fit is told by
//! its size.

use super::{Copies, Down, Found, link::read, scripts};
use crate::shard::{SHARDS, shard};
use redis::{Cmd, Value, cmd};

/// What L2 says of one copy of many.
#[derive(Debug)]
pub(crate) enum Copied {
    /// The copy; `None` where there is none.
    Read(Option<Found>),
    /// It has an envelope of so many bytes, for which the reply had no room.
    Left(usize),
}

impl Copies {
    /// The command that asks for the bytes of the envelope of `key`.
    pub(crate) fn size(&self, key: &str) -> Cmd {
        let mut size = cmd("HSTRLEN");
        size.arg(self.keys.copy(key)).arg("e");
        size
    }

    /// The commands that read copies, one for each shard, with the places that the keys of each have in `keys`. Together
    /// they bring at most about so many bytes of envelopes.
    pub(crate) fn read_all(&self, keys: &[&str], most_bytes: usize) -> Vec<(Cmd, Vec<usize>)> {
        let mut by_shard: Vec<(u64, Vec<usize>)> = (0..SHARDS).map(|number| (number, Vec::new())).collect();
        for (at, key) in keys.iter().enumerate() {
            by_shard[usize::try_from(shard(key)).expect("a shard is a small number")].1.push(at);
        }
        by_shard.retain(|(_, places)| !places.is_empty());
        let most_of_each = most_bytes / by_shard.len().max(1);
        let call = |(number, places): (u64, Vec<usize>)| {
            let before = self.keys.copies(number);
            let names: Vec<String> = places.iter().map(|at| [&before, keys[*at]].concat()).collect();
            let mut call = scripts::READ.call(&names);
            call.arg(most_of_each);
            (call, places)
        };
        by_shard.into_iter().map(call).collect()
    }
}

/// Reads the reply to [`Copies::size`]; 0 where there is no copy.
pub(crate) fn size(reply: Value) -> Result<usize, Down> {
    read(reply, "a size")
}

impl Copied {
    /// Reads the reply to one command of [`Copies::read_all`] for so many keys. A copy that cannot be understood is none.
    pub(crate) fn parse(reply: Value, keys: usize) -> Result<Vec<Copied>, Down> {
        let Value::Array(copies) = reply.extract_error().map_err(Down::Failed)? else {
            return Err(Down::Odd("copies"));
        };
        let copied = |copy| match copy {
            Value::Int(0) => Copied::Read(None),
            Value::Int(bytes) => Copied::Left(usize::try_from(bytes).unwrap_or(usize::MAX)),
            fields => Copied::Read(Found::parse(fields).unwrap_or_default()),
        };
        if copies.len() == keys { Ok(copies.into_iter().map(copied).collect()) } else { Err(Down::Odd("copies")) }
    }
}
