//! The states: what puts a server into each, and what users see then.

/// What an operation is in a state, as the page says it.
pub const FROM_L2: &str = "L2";
pub const FROM_L3: &str = "L3";
pub const AS_EVER: &str = "as ever";
pub const DEGRADED: &str = "`degraded`";
pub const JOB: &str = "200, a job";

/// A state of Redis, and what users see of it.
pub struct Row {
    /// What Redis says.
    pub code: &'static str,
    /// When it does.
    pub when: &'static str,
    /// Where a value comes from that memory does not have.
    pub get: &'static str,
    /// PUT and DELETE.
    pub change: &'static str,
    /// POST /invalidate.
    pub invalidate: &'static str,
    /// What the status says of L2.
    pub status: &'static str,
    pub begin: &'static [&'static [&'static str]],
    pub end: &'static [&'static [&'static str]],
}

impl Row {
    /// Redis is of no use: as if it were cut off.
    const fn cut_off(code: &'static str, when: &'static str) -> Row {
        Row { get: FROM_L3, change: DEGRADED, invalidate: DEGRADED, status: "unhealthy", ..Row::healthy(code, when) }
    }

    /// Redis is read from.
    const fn read_only(code: &'static str, when: &'static str) -> Row {
        Row { get: FROM_L2, status: "degraded", ..Row::cut_off(code, when) }
    }

    /// Nobody but one key is concerned.
    const fn healthy(code: &'static str, when: &'static str) -> Row {
        Row { code, when, get: FROM_L3, change: AS_EVER, invalidate: AS_EVER, status: "healthy", begin: &[], end: &[] }
    }

    /// As the page has it.
    pub fn line(&self) -> String {
        let Row { code, when, get, change, invalidate, status, .. } = self;
        format!("| `{code}` | {when} | {get} | {change} | {invalidate} | `{status}` |")
    }
}

const MEMORY_FULL: &[&[&str]] = &[&["SET", "permanent", "{MB}"], &["CONFIG", "SET", "maxmemory", "1mb"]];
const MEMORY_FREE: &[&[&str]] = &[&["CONFIG", "SET", "maxmemory", "0"], &["DEL", "permanent"]];
const MASTER_AGAIN: &[&[&str]] = &[&["REPLICAOF", "NO", "ONE"], &["CONFIG", "SET", "replica-serve-stale-data", "yes"]];
const ALL_RIGHTS: &[&[&str]] = &[&["ACL", "SETUSER", "default", "+@all"]];

/// It answers, and takes no writes.
pub const REFUSING: [Row; 4] = [
    Row {
        begin: &[MEMORY_FULL[0], &["CONFIG", "SET", "maxmemory-policy", "noeviction"], MEMORY_FULL[1]],
        end: MEMORY_FREE,
        ..Row::read_only("OOM", "memory is full, `noeviction`")
    },
    Row {
        begin: &[MEMORY_FULL[0], &["CONFIG", "SET", "maxmemory-policy", "volatile-lru"], MEMORY_FULL[1]],
        end: MEMORY_FREE,
        // What may go is gone.
        ..Row { get: FROM_L3, ..Row::read_only("OOM", "memory is full of what may not go, `volatile-lru`") }
    },
    Row {
        begin: &[&["CONFIG", "SET", "min-replicas-to-write", "1"]],
        end: &[&["CONFIG", "SET", "min-replicas-to-write", "0"]],
        ..Row::read_only("NOREPLICAS", "fewer replicas than `min-replicas-to-write`")
    },
    Row {
        begin: &[&["CONFIG", "SET", "save", "3600 1"], &["{NO DUMP}"], &["BGSAVE"], &["{BGSAVE}"]],
        end: &[&["CONFIG", "SET", "save", ""]],
        ..Row::read_only("MISCONF", "a snapshot failed, `stop-writes-on-bgsave-error`")
    },
];

/// It cannot be asked.
pub const AWAY: [Row; 7] = [
    Row {
        begin: &[&["CONFIG", "SET", "busy-reply-threshold", "50"], &["{SCRIPT}"]],
        end: &[&["SCRIPT", "KILL"]],
        ..Row::cut_off("BUSY", "somebody's script runs for long")
    },
    Row {
        begin: &[&["REPLICAOF", "127.0.0.1", "1"]],
        end: MASTER_AGAIN,
        ..Row::cut_off("READONLY", "it is a replica now")
    },
    Row {
        begin: &[&["CONFIG", "SET", "replica-serve-stale-data", "no"], &["REPLICAOF", "127.0.0.1", "1"]],
        end: MASTER_AGAIN,
        ..Row::cut_off("MASTERDOWN", "a replica without its master, `replica-serve-stale-data no`")
    },
    Row {
        begin: &[&["{LOAD}"]],
        end: &[&["CONFIG", "SET", "key-load-delay", "0"], &["{LOADED}"], MASTER_AGAIN[0]],
        ..Row::cut_off("LOADING", "it loads its data")
    },
    Row {
        begin: &[&["ACL", "SETUSER", "default", "resetpass", ">other"], &["CLIENT", "KILL", "TYPE", "normal"]],
        end: &[&["ACL", "SETUSER", "default", "nopass"]],
        ..Row::cut_off("NOAUTH", "the password is another one")
    },
    Row {
        begin: &[&["ACL", "SETUSER", "default", "-evalsha"]],
        end: ALL_RIGHTS,
        ..Row::cut_off("NOPERM", "the user may not run scripts")
    },
    Row {
        begin: &[&["ACL", "SETUSER", "default", "-hmget"]],
        end: ALL_RIGHTS,
        ..Row::cut_off("ERR", "the user may not run a command of the sync")
    },
];

/// One right, or one key, is not as it should be.
pub const ODD: [Row; 6] = [
    Row {
        begin: &[&["ACL", "SETUSER", "default", "-xadd"]],
        end: ALL_RIGHTS,
        // No other write is refused.
        ..Row { status: "healthy", ..Row::read_only("ERR", "the user may not append to the journal") }
    },
    Row {
        begin: &[&["DEL", "{COPY}"], &["RPUSH", "{COPY}", "odd"]],
        ..Row::healthy("WRONGTYPE", "something else has the name of a copy")
    },
    Row {
        begin: &[&["RENAME", "{INDEX}", "{INDEX}:kept"], &["SET", "{INDEX}", "odd"]],
        end: &[&["RENAME", "{INDEX}:kept", "{INDEX}"]],
        ..Row {
            get: FROM_L2,
            change: DEGRADED,
            invalidate: JOB,
            status: "unhealthy",
            ..Row::healthy("WRONGTYPE", "… of the index of a shard")
        }
    },
    Row {
        begin: &[&["DEL", "{JOURNAL}"], &["SET", "{JOURNAL}", "odd"]],
        end: &[&["DEL", "{JOURNAL}"]],
        ..Row::cut_off("WRONGTYPE", "… of the journal")
    },
    Row {
        begin: &[&["DEL", "{META}"], &["SET", "{META}", "odd"]],
        end: &[&["DEL", "{META}"]],
        ..Row::cut_off("WRONGTYPE", "… of what stands beside the journal")
    },
    Row {
        begin: &[&["DEL", "{OPEN}"], &["SET", "{OPEN}", "odd"]],
        end: &[&["DEL", "{OPEN}"]],
        ..Row::cut_off("WRONGTYPE", "… of the open invalidations")
    },
];

/// The one of a cluster: see [`slots_are_missing`].
pub const MISSING: Row = Row::cut_off("CLUSTERDOWN", "slots of a cluster are nobody's");
