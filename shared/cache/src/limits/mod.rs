//! Rate limits of the fleet: how many requests of a class one API key may make within a minute.
//!
//! The count is kept in Redis, but a request that L1 answers must not pay a round trip for it. So a container borrows
//! permits in small batches (a *lease*), and reports what it used with the next sync that happens anyway. What is
//! counted against the limit is only what was *used*; what is *lent* makes the next leases smaller, and nothing else.
//! A request that finds no permit is counted by the same script that lends, before it is admitted.
//!
//! # What holds
//!
//! While Redis answers, with N containers that served the key within the minute:
//!
//! - **Never too few.** A request is refused only when the requests admitted within the last [`WINDOW_SECONDS`] are as
//!   many as the limit. Permits that lie idle in a frozen container never count, and a report counts at the second of
//!   the use, however late it comes.
//! - **Hardly too many.** Within any [`WINDOW_SECONDS`] less one second (and less one way of a reply), at most the
//!   limit + N × ([`Limits::batch`] − 1) requests are admitted: when the last lease is given out, the reported ones are
//!   no more than the limit, and each container has at most one lease that it has not reported. Limits below 200 have
//!   no leases, and hold exactly.
//!
//! A request of several operations needs a permit for each, perhaps of two classes, and gets all or none. What Redis has
//! counted for it in one class when the other refuses stays with the container, for its next request.
//!
//! A container that starts does not know whether Redis answers. If a limit is exact, its first request waits for the
//! connection, once and for at most the connection timeout; any other request waits for it as a read would.
//!
//! While Redis does not answer, every container on its own admits as many requests as the limit in any minute, and reports
//! them later: at most N times the limit, and still never too few.
//!
//! # Layout
//!
//! | file | what |
//! |---|---|
//! | `meter` | what one container knows of one limit of one API key; no I/O, time is an argument |
//! | `meters` | the meters of all API keys that a container has served lately |
//! | `redis/limits`, `redis/lua/lease.lua` | the count of the fleet |

mod meter;
mod meters;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use meter::{Lent, Report};
pub(crate) use meters::{Meters, Renewal, name};

/// Length of the window in which requests are counted, in seconds.
pub const WINDOW_SECONDS: u32 = 60;

/// How long a lease may be used, in seconds: short enough that the permits of a container which is left frozen are lent
/// to others soon, long enough for a busy one to renew it with its syncs.
pub(crate) const LEASE_SECONDS: u32 = 10;

/// What part of a limit one lease has at most: a hundredth, so that ten containers are at most a tenth over the limit.
const BATCHES: u32 = 100;

/// A kind of operation with a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Reading.
    Read,
    /// Changing one thing.
    Write,
    /// Reading and changing the configuration.
    Config,
    /// Working on many entries at once.
    Bulk,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 4] = [Class::Read, Class::Write, Class::Config, Class::Bulk];

    /// The class's name in Redis and in headers.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Read => "read",
            Class::Write => "write",
            Class::Config => "config",
            Class::Bulk => "bulk",
        }
    }
}

/// The requests of each class that an API key may make within a minute. The default is the API contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits([Option<u32>; Class::ALL.len()]);

impl Limits {
    /// No limits.
    pub const OFF: Limits = Limits([None; Class::ALL.len()]);

    /// The largest limit: leases of more than a hundredth of it would say nothing.
    pub const MAX: u32 = 1_000_000;

    /// The limit of a class; `None` when it has none.
    pub const fn of(&self, class: Class) -> Option<u32> {
        self.0[class as usize]
    }

    /// The same with another limit for a class, 1 to [`Limits::MAX`].
    #[must_use]
    pub const fn with(mut self, class: Class, limit: u32) -> Limits {
        self.0[class as usize] = Some(limit);
        self
    }

    /// Most requests that one answer of Redis allows under `limit`: the one that asked, and a lease for others.
    pub const fn batch(limit: u32) -> u32 {
        if limit < BATCHES { 1 } else { limit / BATCHES }
    }

    /// Whether the limit of a class holds exactly while Redis answers: no more is admitted than Redis has counted.
    pub fn is_exact(&self, class: Class) -> bool {
        self.of(class).is_some_and(|limit| Limits::batch(limit) == 1)
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::OFF.with(Class::Read, 5000).with(Class::Write, 1000).with(Class::Config, 10).with(Class::Bulk, 100)
    }
}

/// What is left of a caller's limit after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The class of the request.
    pub class: Class,
    /// The limit of that class.
    pub limit: u32,
    /// Requests left, as far as this container knows; 0 if the request was refused.
    pub remaining: u32,
    /// Seconds until used permits begin to come back, at least 1; when the request was refused, until one can be had.
    pub reset_seconds: u32,
}
