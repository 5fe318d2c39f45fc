//! The times and numbers by which all containers and the journal hold.

use std::time::Duration;

/// T: longest life of one operation (the function timeout of 30 s, and margin).
pub(crate) const OPERATION_LIFE: Duration = Duration::from_secs(35);
/// How far back a container remembers what it read: 2T, by when every operation of before has ended.
pub(crate) const HISTORY: Duration = Duration::from_secs(70);
/// How long operations of the configuration before may go on after a level was switched: a container that hears nothing
/// from Redis asks for the configuration every [Λ](super::LAMBDA_MS), and its last operation lives for T.
pub(crate) const SETTLE: Duration = Duration::from_secs(10 + OPERATION_LIFE.as_secs());
/// Most records one sync reads. When more are waiting it reads none of them: the container doubts what it holds.
pub(crate) const SYNC_RECORDS: usize = 128;
