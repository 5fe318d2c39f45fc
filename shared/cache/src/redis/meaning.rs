//! What an error of Redis means: the one place that knows its codes.
//!
//! Redis 7 and Valkey 9 put the code first, also for what fails inside a script, but for one: a command that a user may
//! not run is `NOPERM` by itself and `ERR` in a script. `docs/redis-answers.md` says what each state of a server does to
//! each operation.

use redis::{RedisError, Value};

/// What follows from an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The connection is broken, or leads to a server that is not the one to ask: a new one may lead to another.
    Lost,
    /// The server can be asked nothing for a while, by whatever connection.
    Away,
    /// The server answers, and takes no writes at present. This one did nothing.
    Refused,
    /// The server does not know the script.
    UnknownScript,
    /// Something that is no copy, index or journal of ours has the name of one.
    WrongType,
    /// It belongs to its own command, and says nothing of others.
    Own,
}

/// Codes that mean more than that their own command failed.
const CODES: [(&str, Meaning); 15] = [
    ("READONLY", Meaning::Lost),
    ("MASTERDOWN", Meaning::Lost),
    ("CLUSTERDOWN", Meaning::Lost),
    // The cluster client follows them by itself; what it gives up is not known where to ask for.
    ("MOVED", Meaning::Lost),
    ("ASK", Meaning::Lost),
    ("TRYAGAIN", Meaning::Lost),
    // A new connection signs in anew.
    ("NOAUTH", Meaning::Lost),
    ("WRONGPASS", Meaning::Lost),
    ("LOADING", Meaning::Away),
    ("BUSY", Meaning::Away),
    ("OOM", Meaning::Refused),
    ("NOREPLICAS", Meaning::Refused),
    ("MISCONF", Meaning::Refused),
    ("NOSCRIPT", Meaning::UnknownScript),
    ("WRONGTYPE", Meaning::WrongType),
];

impl Meaning {
    pub(super) fn of(error: &RedisError) -> Meaning {
        if error.is_io_error() || error.is_unrecoverable_error() {
            return Meaning::Lost;
        }
        let meant = CODES.iter().find(|(code, _)| error.code() == Some(code));
        meant.map_or(Meaning::Own, |(_, meaning)| *meaning)
    }

    /// What a reply means; `None` where it is no error.
    pub(super) fn of_reply(reply: &Value) -> Option<Meaning> {
        let Value::ServerError(error) = reply else { return None };
        Some(Meaning::of(&RedisError::from(error.clone())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn meaning(line: &str) -> Meaning {
        Meaning::of_reply(&redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn the_code_decides_whoever_sent_it() {
        for (line, expected) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", Meaning::Refused),
            // In a script: Redis 7, Valkey 9.
            (
                "OOM command not allowed. script: 9954477250181229462b09e35e1a1bf1c853dcf3, on @user_script:1.",
                Meaning::Refused,
            ),
            ("NOREPLICAS Not enough good replicas to write. script: on @user_script:1.", Meaning::Refused),
            ("MISCONF Valkey is configured to save RDB snapshots", Meaning::Refused),
            ("READONLY You can't write against a read only replica.", Meaning::Lost),
            ("NOAUTH Authentication required.", Meaning::Lost),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Meaning::Lost),
            ("BUSY Redis is busy running a script.", Meaning::Away),
            ("LOADING Redis is loading the dataset in memory", Meaning::Away),
            ("NOSCRIPT No matching script.", Meaning::UnknownScript),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Meaning::WrongType),
            ("NOPERM this user has no permissions to run the 'evalsha' command", Meaning::Own),
            ("ERR ACL failure in script: User u has no permissions to run the 'hset' command", Meaning::Own),
            ("ERR The user executing the script can't run this command or subcommand", Meaning::Own),
        ] {
            assert_eq!(meaning(line), expected, "{line}");
        }
        assert_eq!(Meaning::of_reply(&Value::Nil), None);
    }
}
