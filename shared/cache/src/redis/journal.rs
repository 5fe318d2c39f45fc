//! The journal: one stream of the fleet's newest mutations, and the sync that reads it.

use super::{Down, Keyspace, scripts};
use crate::{
    record::{Change, Record},
    version::{Position, Version},
};
use redis::{Cmd, FromRedisValue, Value};
use std::{collections::HashMap, time::Duration};

/// T: longest life of one operation (the function timeout of 30 s, and margin).
pub(crate) const OPERATION_LIFE: Duration = Duration::from_secs(35);
/// How far back a reset reads the journal: 2T, by when every operation of before has ended.
pub(crate) const HISTORY: Duration = Duration::from_secs(70);
/// How long records are kept: a container frozen for longer begins with an empty L1.
const KEEP: Duration = Duration::from_secs(600);
/// Most records kept, which bounds the journal's memory to about 30 MB.
const KEEP_RECORDS: usize = 200_000;
/// Most records one sync reads; when more are waiting the container begins with an empty L1.
const SYNC_RECORDS: usize = 1000;

/// Names the journal and makes its commands.
#[derive(Debug)]
pub(crate) struct Journal {
    journal: String,
    meta: String,
    cluster: bool,
}

/// What a sync learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyncReply {
    /// Redis TIME in microseconds.
    pub time_us: u64,
    /// Where the epoch began.
    pub epoch: Position,
    /// Redis time in ms when the outage notes were read last; 0 for never.
    pub notes_checked_ms: u64,
    /// The records do not follow on the cursor: they are the newest ones there are.
    pub reset: bool,
    /// The records, oldest first.
    pub records: Vec<Record>,
}

impl Journal {
    pub(crate) fn new(keys: &Keyspace, cluster: bool) -> Journal {
        Journal { journal: keys.journal(), meta: keys.meta(), cluster }
    }

    /// The command that reads what came after `cursor`; `None` for a container that knows nothing yet.
    pub(crate) fn sync(&self, cursor: Option<Position>) -> Cmd {
        let mut call = scripts::SYNC.call(&[self.journal.clone(), self.meta.clone()]);
        call.arg(cursor.map(|at| at.to_string()).unwrap_or_default())
            .arg(SYNC_RECORDS)
            .arg(HISTORY.as_millis() as u64)
            .arg(u8::from(self.cluster));
        call
    }

    /// The command that appends the record of a mutation of one key that began at `started_us`.
    pub(crate) fn append(&self, started_us: u64, change: Change, key: &str, version: Version) -> Cmd {
        let mut call = scripts::APPEND.call(std::slice::from_ref(&self.journal));
        call.arg(started_us)
            .arg(OPERATION_LIFE.as_micros() as u64)
            .arg(KEEP.as_millis() as u64)
            .arg(KEEP_RECORDS)
            .arg(&["kind", change.name(), "key", key, "version", &version.sortable()]);
        call
    }

    /// The command that remembers that the outage notes were read from `began_ms` of Redis time on.
    pub(crate) fn notes_checked(&self, began_ms: u64, begin_epoch: bool) -> Cmd {
        let mut call = scripts::CHECKED.call(&[self.meta.clone(), self.journal.clone()]);
        call.arg(began_ms).arg(u8::from(begin_epoch));
        call
    }
}

type RawReply = (u64, u64, String, String, u8, Vec<(String, HashMap<String, String>)>);

impl SyncReply {
    pub(crate) fn parse(reply: Value) -> Result<SyncReply, Down> {
        let (seconds, micros, epoch, notes, reset, raw) =
            RawReply::from_redis_value(reply).map_err(|_| Down::Odd("sync"))?;
        let mut records = raw
            .iter()
            .map(|(id, fields)| Record::parse(id, fields))
            .collect::<Option<Vec<_>>>()
            .ok_or(Down::Odd("a record's position"))?;
        records.sort_by_key(|record| record.at);
        Ok(SyncReply {
            time_us: seconds * 1_000_000 + micros,
            epoch: Position::parse(&epoch).ok_or(Down::Odd("the epoch"))?,
            notes_checked_ms: notes.parse().unwrap_or_default(),
            reset: reset == 1,
            records,
        })
    }
}

/// Reads the reply to [`Journal::append`]: `None` when the operation was too old to go on.
pub(crate) fn appended(reply: Value) -> Result<Option<Position>, Down> {
    let id = String::from_redis_value(reply).map_err(|_| Down::Odd("append"))?;
    Ok(Position::parse(&id))
}
