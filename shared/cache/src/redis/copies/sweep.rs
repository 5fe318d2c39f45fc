//! The sweep of the indexes, a slice at a time.

use super::{Copies, PAGE_KEYS};
use crate::redis::{Down, link::read, scripts};
use redis::{Cmd, Value};

impl Copies {
    /// The command that takes out of the indexes of a shard the next members whose copies are gone, from `index` on, and of
    /// that from after the member `after`; both are empty at the beginning.
    pub(crate) fn sweep(&self, shard: u64, index: &str, after: &str) -> Cmd {
        let mut call = scripts::SWEEP.call(&[self.keys.index(shard)]);
        call.arg(self.keys.shard(shard)).arg(index).arg(after).arg(PAGE_KEYS);
        call
    }
}

/// A slice of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Where it goes on: in which index, after which member; `None` at the end of the shard.
    pub next: Option<(String, String)>,
    /// Members it looked at.
    pub looked: u64,
    /// Members it took out.
    pub removed: u64,
}

impl Slice {
    /// Reads the reply to [`Copies::sweep`].
    pub(crate) fn parse(reply: Value) -> Result<Slice, Down> {
        let (index, after, looked, removed) = read::<(String, String, u64, u64)>(reply, "a sweep")?;
        Ok(Slice { next: (!index.is_empty()).then_some((index, after)), looked, removed })
    }
}
