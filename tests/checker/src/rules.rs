//! The judge: reads that no order of the operations can explain.
//!
//! All comparisons are of times at which a client had sent something or had an answer. One operation is *certainly
//! before* another when it ended before the other started; in between, either order is taken for what happened, so
//! what is found here is wrong whatever happened inside.

mod agreement;
mod availability;
mod key;
mod times;

use std::time::Duration;

use crate::history::{History, KeyId};
use key::KeyHistory;

#[cfg(test)]
mod tests;

/// T: how long an operation may live whose end the client did not see.
pub const OPERATION_LIFE: Duration = Duration::from_secs(35);
/// Λ: the bound of a mutation that was acknowledged as degraded.
pub const DEGRADED_BOUND: Duration = Duration::from_secs(10);

/// What is wrong with a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// It returned a value although a later mutation had been acknowledged long enough ago.
    Stale,
    /// It says something else of a key than another read, although nothing happened in between that could explain it.
    Divided,
    /// It found nothing although a value had been stored and nothing had made an end of it.
    Vanished,
    /// It returned a value that had expired, to who does not take that, without a mark, or after its grace.
    Expired,
    /// It returned bytes that nobody stored under that key.
    Altered,
    /// It was one of many operations that a process refused, and nothing else for long, although L3 was well.
    Unavailable,
}

/// One read, or refused operation, that breaks a promise.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Which promise.
    pub rule: Rule,
    /// The key.
    pub key: KeyId,
    /// The read, by its place in [`History::operations`]; the last of the operations that were refused.
    pub read: usize,
    /// The PUT of the value that was returned, or of the one that is missing.
    pub put: Option<usize>,
    /// The mutation that should have been seen; where reads are divided, the PUT of what another one returned; the first
    /// of the operations that were refused.
    pub ignored: Option<usize>,
    /// A process killed between a write into L2 and its undo may leave a copy that is found out only when it is due
    /// for revalidation, and this read may be of such a copy.
    pub allowed: bool,
}

/// Everything that is wrong with a history.
pub fn violations(history: &History) -> Vec<Violation> {
    let keys = 0..history.keys.len();
    let judged = keys.map(|key| KeyHistory::new(history, key));
    let wrong = judged.flat_map(|key| key.violations().into_iter().chain(key.divided()).collect::<Vec<_>>());
    wrong.chain(availability::refused(history)).collect()
}
