//! L2: one hash per entry, written by script only over what is older.

use super::{Down, Keyspace, journal::OPERATION_LIFE, scripts};
use crate::{
    coherence::Certificate,
    key::Key,
    register::Expected,
    shard::{SHARDS, shard},
    version::{Position, Version},
};
use bytes::Bytes;
use redis::{Cmd, FromRedisValue, Value, cmd};

/// How long an L2 tombstone stays when L2 is the register: 2T, by when every older operation has ended.
const TOMBSTONE_MS: u64 = 70_000;

/// Names copies and makes their commands.
#[derive(Debug)]
pub(crate) struct Copies {
    keys: Keyspace,
    /// Whether L2 decides which value of a key is the newest (L3 is switched off).
    register: bool,
}

/// A copy as it stands in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its envelope.
    pub envelope: Bytes,
    /// Which mutation it comes from.
    pub version: Version,
    /// The journal position at which L3 had that version.
    pub stamp: Position,
    /// Redis time in ms when that was last confirmed.
    pub certified_ms: i64,
    /// Reads of the value by the fleet.
    pub reads: u64,
    /// When it was last read, in ms; 0 for never.
    pub last_read_ms: i64,
}

/// A copy to write.
#[derive(Debug)]
pub(crate) struct WriteCopy<'a> {
    pub key: &'a str,
    /// When the operation began, in microseconds of Redis time.
    pub started_us: u64,
    pub version: Version,
    pub stamp: Position,
    pub certified_ms: i64,
    pub expires_at_ms: i64,
    pub envelope: &'a [u8],
    /// A distrusted copy that was seen and may be overwritten whatever its version.
    pub distrusted: Option<(Version, Position)>,
    /// What must stand there; used only when L2 is the register.
    pub expected: Expected,
}

/// What a write or a removal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub done: Done,
    /// Whether a live copy stood there before.
    pub was_live: bool,
    /// The version that stood there before.
    pub before: Option<Version>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// The copy is written, or nothing older is left.
    Yes,
    /// A newer copy stands.
    Newer,
    /// The operation was too old to go on.
    Late,
    /// What was expected is not there.
    Unexpected,
}

/// Reads of one copy to add to its counter.
#[derive(Debug)]
pub(crate) struct Touch {
    pub key: Key,
    pub version: Version,
    pub reads: u64,
    pub last_ms: i64,
}

impl Copies {
    pub(crate) fn new(keys: Keyspace, register: bool) -> Copies {
        Copies { keys, register }
    }

    /// The command that reads the copy of `key`.
    pub(crate) fn read(&self, key: &str) -> Cmd {
        let mut read = cmd("HMGET");
        read.arg(self.keys.copy(key)).arg(&["e", "v", "a", "w", "n", "l"]);
        read
    }

    /// The command that writes a copy.
    pub(crate) fn write(&self, copy: &WriteCopy<'_>) -> Cmd {
        let (seen_version, seen_stamp) = match copy.distrusted {
            Some((version, stamp)) => (version.sortable(), stamp.sortable()),
            None => (String::new(), String::new()),
        };
        let expected = match copy.expected {
            Expected::Anything => String::new(),
            Expected::Absent => "none".to_owned(),
            Expected::Version(version) => version.sortable(),
        };
        let mut call = scripts::STORE.call(&self.slots(copy.key));
        call.arg(copy.started_us)
            .arg(OPERATION_LIFE.as_micros() as u64)
            .arg(copy.version.sortable())
            .arg(copy.stamp.sortable())
            .arg(copy.certified_ms)
            .arg(copy.expires_at_ms)
            .arg(copy.key)
            .arg(seen_version)
            .arg(seen_stamp)
            .arg(expected)
            .arg(u8::from(self.register))
            .arg(copy.envelope);
        call
    }

    /// The command that removes every copy of `key` older than `version`.
    pub(crate) fn remove(&self, started_us: u64, key: &str, version: Version) -> Cmd {
        self.removal(started_us, key, version, "", self.register)
    }

    /// The command that removes exactly the copy of that version and stamp.
    pub(crate) fn undo(&self, started_us: u64, key: &str, version: Version, stamp: Position) -> Cmd {
        self.removal(started_us, key, version, &stamp.sortable(), false)
    }

    fn removal(&self, started_us: u64, key: &str, version: Version, exact: &str, tombstone: bool) -> Cmd {
        let mut call = scripts::REMOVE.call(&self.slots(key));
        call.arg(started_us)
            .arg(OPERATION_LIFE.as_micros() as u64)
            .arg(version.sortable())
            .arg(key)
            .arg(exact)
            .arg(if tombstone { TOMBSTONE_MS.to_string() } else { String::new() });
        call
    }

    /// The commands that add reads to counters, one for each shard, with the touches each one carries.
    pub(crate) fn touch(&self, touches: Vec<Touch>) -> Vec<(Cmd, Vec<Touch>)> {
        let mut by_shard: Vec<Vec<Touch>> = (0..SHARDS).map(|_| Vec::new()).collect();
        for touch in touches {
            let shard = usize::try_from(shard(touch.key.as_str())).expect("a shard is a small number");
            by_shard[shard].push(touch);
        }
        by_shard.retain(|touches| !touches.is_empty());
        by_shard
            .into_iter()
            .map(|touches| {
                let keys: Vec<String> = touches.iter().map(|touch| self.keys.copy(touch.key.as_str())).collect();
                let mut call = scripts::TOUCH.call(&keys);
                for touch in &touches {
                    call.arg(touch.version.sortable()).arg(touch.reads).arg(touch.last_ms);
                }
                (call, touches)
            })
            .collect()
    }

    fn slots(&self, key: &str) -> [String; 2] {
        [self.keys.copy(key), self.keys.index(shard(key))]
    }
}

type RawCopy = (Option<Vec<u8>>, Option<String>, Option<String>, Option<i64>, Option<u64>, Option<i64>);

impl Found {
    /// What it rests on.
    pub(crate) fn certificate(&self) -> Certificate {
        Certificate { version: self.version, stamp: self.stamp, certified_ms: self.certified_ms }
    }

    /// Reads the reply to [`Copies::read`]; `None` where there is no copy, or only a tombstone.
    pub(crate) fn parse(reply: Value) -> Result<Option<Found>, Down> {
        let (envelope, version, stamp, certified_ms, reads, last_read_ms) =
            RawCopy::from_redis_value(reply).map_err(|_| Down::Odd("a copy"))?;
        let (Some(envelope), Some(version)) = (envelope, version.as_deref().and_then(Version::parse)) else {
            return Ok(None);
        };
        Ok(Some(Found {
            envelope: envelope.into(),
            version,
            stamp: stamp.as_deref().and_then(Position::parse).unwrap_or(Position::ZERO),
            certified_ms: certified_ms.unwrap_or_default(),
            reads: reads.unwrap_or_default(),
            last_read_ms: last_read_ms.unwrap_or_default(),
        }))
    }
}

/// Reads the reply to one command of [`Copies::touch`]: the fleet's reads of each copy, or none where it is gone.
pub(crate) fn totals(reply: Value) -> Vec<Option<u64>> {
    let totals = Vec::<i64>::from_redis_value(reply).unwrap_or_default();
    totals.into_iter().map(|total| u64::try_from(total).ok()).collect()
}

impl Outcome {
    /// Reads the reply to [`Copies::write`], [`Copies::remove`] and [`Copies::undo`].
    pub(crate) fn parse(reply: Value) -> Result<Outcome, Down> {
        let (done, live, before): (i64, u8, String) =
            FromRedisValue::from_redis_value(reply).map_err(|_| Down::Odd("a write"))?;
        let done = match done {
            1 => Done::Yes,
            0 => Done::Newer,
            -1 => Done::Late,
            -2 => Done::Unexpected,
            _ => return Err(Down::Odd("a write's outcome")),
        };
        Ok(Outcome { done, was_live: live == 1, before: Version::parse(&before) })
    }
}
