//! Leases to fill what is missing, and those who wait for somebody else to do so. A lease lies in the slot of the copy that
//! it is for, so that it is taken in the round trip that finds none.

use super::{Copies, Down, Keyspace, link::read, scripts};
use crate::shard::shard;
use redis::{Cmd, Value};

/// What came of asking for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leased {
    /// There is a live copy.
    No,
    /// It is taken.
    Yes,
    /// Another has it, for so many ms.
    Held(u64),
    /// Redis takes no writes.
    Refused,
}

/// Who asks for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its name.
    pub lease: u64,
    /// For how long, in seconds.
    pub seconds: u32,
}

impl Keyspace {
    fn fill(&self, key: &str) -> String {
        format!("{}f:{key}", self.shard(shard(key)))
    }

    /// Those who wait for a key.
    pub(crate) fn waiting_for(&self, key: &str) -> String {
        format!("{}w:{key}", self.shard(shard(key)))
    }

    /// Those who wait of the API key that `name` stands for.
    pub(crate) fn waiting_of(&self, name: &str) -> String {
        self.limit(name, "waiting")
    }
}

impl Copies {
    /// The command that reads the copy of `key` at `now_ms`, and takes the lease where there is none that lives; or, `anyway`,
    /// takes the lease.
    pub(crate) fn read_or_lease(&self, key: &str, wanted: Wanted, anyway: bool, now_ms: i64) -> Cmd {
        let mut call = scripts::FILL.call(&[self.keys.copy(key), self.keys.fill(key)]);
        call.arg(wanted.lease).arg(u64::from(wanted.seconds) * 1000).arg(u8::from(anyway)).arg(now_ms);
        call
    }

    /// The command that gives a lease back.
    pub(crate) fn release(&self, key: &str, lease: u64) -> Cmd {
        let mut call = scripts::RELEASE.call(&[self.keys.fill(key)]);
        call.arg(lease);
        call
    }
}

/// The command that lets one more wait in `queue` for so many ms, of so many at most.
pub(crate) fn enter(queue: String, name: u64, ms: u64, most: usize) -> Cmd {
    let mut call = scripts::WAIT.call(&[queue]);
    call.arg(name).arg(ms).arg(most);
    call
}

/// The command that lets one leave.
pub(crate) fn leave(queue: String, name: u64) -> Cmd {
    let mut call = redis::cmd("ZREM");
    call.arg(queue).arg(name);
    call
}

/// Reads the reply to [`enter`]: whether it may wait.
pub(crate) fn entered(reply: Value) -> Result<bool, Down> {
    read::<i64>(reply, "a queue").map(|entered| entered == 1)
}

/// Takes the reply to [`Copies::read_or_lease`] apart: what [`Copies::read`] would answer, and what came of the lease.
pub(crate) fn leased(reply: Value) -> Result<(Value, Leased), Down> {
    let odd = || Down::Odd("a lease");
    let Value::Array(parts) = reply.extract_error().map_err(Down::Failed)? else { return Err(odd()) };
    let [fields, said]: [Value; 2] = parts.try_into().map_err(|_| odd())?;
    let leased = match read::<i64>(said, "a lease")? {
        0 => Leased::No,
        -1 => Leased::Yes,
        -2 => Leased::Refused,
        ms => Leased::Held(u64::try_from(ms).map_err(|_| odd())?),
    };
    Ok((fields, leased))
}
