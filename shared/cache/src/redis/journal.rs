//! The journal: one stream of the fleet's newest mutations, and the sync that reads it.

use super::{Down, Keyspace, link::read, scripts};
use crate::{
    barriers::Barriers,
    config::document::Document,
    key::Key,
    record::{Change, Record, cut, named},
    selector::Written,
    version::{Position, Version},
};
use redis::{Cmd, Value, cmd};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// T: longest life of one operation (the function timeout of 30 s, and margin).
pub(crate) const OPERATION_LIFE: Duration = Duration::from_secs(35);
/// How far back a container remembers what it read: 2T, by when every operation of before has ended.
pub(crate) const HISTORY: Duration = Duration::from_secs(70);
/// How long records are kept.
const KEEP: Duration = Duration::from_secs(600);
/// Most records kept, which bounds the journal's memory to about 30 MB.
const KEEP_RECORDS: usize = 200_000;
/// Most records one sync reads. When more are waiting it reads none of them: the container doubts what it holds.
pub(crate) const SYNC_RECORDS: usize = 128;
/// Most bytes of records, about: what a round trip carries for nothing, and Redis reads in 0.1 ms.
const SYNC_BYTES: usize = 8 * 1024;

/// How long operations of the configuration before may go on after a level was switched: a container that hears nothing
/// from Redis asks for the configuration every [Λ](crate::coherence::LAMBDA_MS), and its last operation lives for T.
pub(crate) const SETTLE: Duration = Duration::from_secs(10 + OPERATION_LIFE.as_secs());

/// How old an operation may be for a script to go on with it: what arrives later, from a connection that was given up,
/// does nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    /// When it began, in microseconds of Redis time.
    pub started_us: u64,
    /// How long it may take, in microseconds.
    pub life_us: u64,
}

/// Names the journal and makes its commands.
#[derive(Debug)]
pub(crate) struct Journal {
    journal: String,
    meta: String,
    open: String,
    index: String,
    stats: String,
    cluster: bool,
}

/// Keys that a sync asks the index about.
#[derive(Debug, Default)]
pub(crate) struct Question<'a> {
    /// What happened to these, as far back as the index goes.
    pub keys: &'a [&'a Key],
    /// Also where there is no gap.
    pub always: bool,
    /// What happened to these since the cursor, where there is a gap.
    pub hot: &'a [Key],
}

/// What the index says of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Said {
    /// What was recorded after this is in the index.
    pub floor: Position,
    /// What it has of each key, in the order in which they were asked for.
    pub keys: Vec<Option<Recorded>>,
}

/// What the index has of a key that was put or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The greatest version by which.
    pub greatest: Version,
    /// Where the last record of it stands.
    pub last: Position,
}

/// What a sync learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyncReply {
    /// Redis TIME in microseconds.
    pub time_us: u64,
    /// When it was received.
    pub received: Instant,
    /// Where the epoch began.
    pub epoch: Position,
    /// Redis time in ms when the outage notes were read last; 0 for never.
    pub notes_checked_ms: u64,
    /// Invalidations that have not removed all they mean.
    pub open: Barriers,
    /// A version that was ahead of Redis time when it was recorded, the greatest of those; zero for none. Its record may
    /// be gone.
    pub ahead: Version,
    /// What it says of the configuration.
    pub published: Published,
    /// The records do not follow on the cursor, but there is a gap before the newest one, which stands here: they are the
    /// invalidations that lie in it.
    pub gap: Option<Position>,
    /// How many records there were; some that touch no key may not be counted yet.
    pub count: u64,
    /// What the index says, if it was asked.
    pub said: Option<Said>,
    /// The records, oldest first.
    pub records: Vec<Record>,
}

/// The configuration as it stands beside the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Published {
    /// Version of the document; `None` where it is lost, or was never there.
    pub version: Option<u64>,
    /// The document, when it is not the one the container has.
    pub document: Option<String>,
    /// Where L2 or L3 was switched on or off last.
    pub switched: Position,
    /// Operations of the configuration before that may still go on.
    pub settling: bool,
}

impl Journal {
    pub(crate) fn new(keys: &Keyspace, cluster: bool) -> Journal {
        let (journal, meta, open) = (keys.journal(), keys.meta(), keys.open());
        Journal { journal, meta, open, index: keys.journal_index(), stats: keys.stats(), cluster }
    }

    /// The command that reads what came after `cursor`, `None` for a container that knows nothing yet and else one that
    /// knows of `count` records, and the configuration document where that is not version `document`.
    pub(crate) fn sync(&self, cursor: Option<Position>, count: u64, document: u64, question: &Question<'_>) -> Cmd {
        let keys = [self.journal.clone(), self.meta.clone(), self.open.clone(), self.index.clone()];
        let mut call = scripts::SYNC.call(&keys);
        call.arg(cursor.map(|at| at.to_string()).unwrap_or_default())
            .arg(SYNC_RECORDS)
            .arg(SYNC_BYTES)
            .arg(count)
            .arg(u8::from(self.cluster))
            .arg(document)
            .arg(hashes(question.keys.iter().copied()))
            .arg(u8::from(question.always))
            .arg(hashes(question.hot));
        call
    }

    /// The command that asks the index what happened to keys, without a sync; worth nothing on a server that has not the
    /// record at `cursor`.
    pub(crate) fn ask<'a>(&self, cursor: Position, keys: impl IntoIterator<Item = &'a Key>) -> Cmd {
        let mut call = scripts::SINCE.call(&[self.journal.clone(), self.index.clone()]);
        call.arg(cursor.to_string()).arg(hashes(keys));
        call
    }

    /// The command that publishes a configuration document.
    pub(crate) fn configure(&self, document: &Document) -> Cmd {
        let body = serde_json::to_string(document).expect("numbers and texts can be written as JSON");
        let mut call = scripts::CONFIGURE.call(&[self.journal.clone(), self.meta.clone(), self.stats.clone()]);
        call.arg(document.version).arg(body).arg(document.switched).arg(SETTLE.as_millis() as u64);
        call
    }

    /// The command that appends the record of a mutation of one key.
    pub(crate) fn append(&self, operation: Operation, change: Change, key: &str, version: Version, by: &str) -> Cmd {
        let mut call = self.appending(operation, "", version);
        call.arg(hash(key).as_slice()).arg(version.sortable()).arg("");
        call.arg(&["kind", change.name(), "key", key, "version", &version.sortable(), "by", &*cut(by)]);
        call
    }

    /// The command that appends the record of an invalidation, and keeps it open when it has something to remove.
    pub(crate) fn invalidate(&self, operation: Operation, invalidation: &Written, open: bool) -> Cmd {
        let body = invalidation.to_json();
        if open {
            return self.raise(operation, &body);
        }
        self.invalidating(operation, "", &body)
    }

    /// The command that appends the record of an invalidation, as it is written down, and keeps it open; while that very
    /// text is open it only says where.
    pub(crate) fn raise(&self, operation: Operation, body: &str) -> Cmd {
        self.invalidating(operation, body, body)
    }

    fn invalidating(&self, operation: Operation, open: &str, body: &str) -> Cmd {
        let mut call = self.appending(operation, open, Version::ZERO);
        call.arg("").arg("").arg(body).arg(&["kind", "invalidate", "body", body]);
        call
    }

    /// The command that appends the record of entries that a warm job has brought into L2, with bytes of their envelopes.
    pub(crate) fn warm(&self, operation: Operation, entries: &[(Key, usize)]) -> Cmd {
        let mut call = self.appending(operation, "", Version::ZERO);
        call.arg("").arg("").arg("").arg(&["kind", "warm", "body", &named(entries)]);
        call
    }

    /// The command that closes the invalidation recorded at `at`, which met so many distinct keys.
    pub(crate) fn close(&self, at: Position, matched: u64) -> Cmd {
        let mut call = scripts::CLOSE.call(&[self.journal.clone(), self.open.clone()]);
        call.arg(at.to_string()).arg(matched);
        call
    }

    fn appending(&self, operation: Operation, open: &str, version: Version) -> Cmd {
        let keys = [self.journal.clone(), self.open.clone(), self.meta.clone(), self.index.clone()];
        let mut call = scripts::APPEND.call(&keys);
        call.arg(operation.started_us).arg(operation.life_us).arg(KEEP.as_millis() as u64).arg(KEEP_RECORDS).arg(open);
        call.arg(version.micros());
        call
    }

    /// The command that reads the raw records after `since`, oldest first; without it, the newest, newest first.
    pub(crate) fn history(&self, since: Option<Position>, limit: usize) -> Cmd {
        let mut read = match since {
            Some(since) => {
                let mut read = cmd("XRANGE");
                read.arg(&self.journal).arg(format!("({since}")).arg("+");
                read
            }
            None => {
                let mut read = cmd("XREVRANGE");
                read.arg(&self.journal).arg("+").arg("-");
                read
            }
        };
        read.arg("COUNT").arg(limit);
        read
    }

    /// The command that remembers that the outage notes were read from `began_ms` of Redis time on.
    pub(crate) fn notes_checked(&self, began_ms: u64, begin_epoch: bool) -> Cmd {
        let mut call = scripts::CHECKED.call(&[self.meta.clone(), self.journal.clone()]);
        call.arg(began_ms).arg(u8::from(begin_epoch));
        call
    }
}

/// Digits of [`Version::sortable`].
const VERSION_DIGITS: usize = 20;

/// Fields of a raw record.
pub(crate) type Fields = HashMap<String, String>;

type RawReply = (
    u64,
    u64,
    String,
    String,
    Vec<(String, String)>,
    u8,
    Vec<(String, Fields)>,
    RawPublished,
    u64,
    String,
    u64,
    Vec<String>,
);
type RawPublished = (String, String, String, u8);

impl From<RawPublished> for Published {
    fn from((version, document, switched, settling): RawPublished) -> Published {
        Published {
            version: version.parse().ok(),
            document: Some(document).filter(|document| !document.is_empty()),
            switched: Position::parse(&switched).unwrap_or(Position::ZERO),
            settling: settling == 1,
        }
    }
}

impl SyncReply {
    /// A reply that says nothing but the time, received now, for tests.
    #[cfg(test)]
    pub(crate) fn at(time_us: u64) -> SyncReply {
        SyncReply {
            time_us,
            received: Instant::now(),
            epoch: Position::ZERO,
            notes_checked_ms: 0,
            open: Barriers::default(),
            ahead: Version::ZERO,
            published: Published::default(),
            gap: None,
            count: 0,
            said: None,
            records: Vec::new(),
        }
    }

    pub(crate) fn parse(reply: Value) -> Result<SyncReply, Down> {
        let (seconds, micros, epoch, notes, open, gap, raw, published, ahead_us, newest, count, said) =
            read::<RawReply>(reply, "a sync")?;
        let gap =
            if gap == 1 { Some(Position::parse(&newest).ok_or(Down::Odd("the end of the journal"))?) } else { None };
        let mut records = raw
            .iter()
            .map(|(id, fields)| Record::parse(id, fields))
            .collect::<Option<Vec<_>>>()
            .ok_or(Down::Odd("a record's position"))?;
        records.sort_by_key(|record| record.at);
        Ok(SyncReply {
            time_us: seconds * 1_000_000 + micros,
            received: Instant::now(),
            epoch: Position::parse(&epoch).ok_or(Down::Odd("the epoch"))?,
            notes_checked_ms: notes.parse().unwrap_or_default(),
            open: Barriers::read(open.iter().map(|(id, body)| (Position::parse(id), body.as_str()))),
            ahead: if ahead_us > 0 { Version::at(ahead_us, u16::MAX) } else { Version::ZERO },
            published: published.into(),
            gap,
            count,
            said: Said::read(&said)?,
            records,
        })
    }
}

impl Said {
    fn read(said: &[String]) -> Result<Option<Said>, Down> {
        let Some((floor, keys)) = said.split_first() else { return Ok(None) };
        let odd = || Down::Odd("the index of the journal");
        let floor = Position::parse(floor).ok_or_else(odd)?;
        let keys = keys.iter().map(|text| match text.split_at_checked(VERSION_DIGITS) {
            None if text.is_empty() => Ok(None),
            Some((greatest, last)) => match (Version::parse(greatest), Position::parse(last)) {
                (Some(greatest), Some(last)) => Ok(Some(Recorded { greatest, last })),
                _ => Err(odd()),
            },
            None => Err(odd()),
        });
        Ok(Some(Said { floor, keys: keys.collect::<Result<_, _>>()? }))
    }

    /// Reads the reply to [`Journal::ask`]; `None` where the index says nothing.
    pub(crate) fn parse(reply: Value) -> Result<Option<Said>, Down> {
        Said::read(&read::<Vec<String>>(reply, "the index of the journal")?)
    }
}

/// By what the index calls a key: the same in every container and release. Clients may find keys that share one; then each
/// is taken for touched when the other is.
fn hash(key: &str) -> [u8; 8] {
    xxhash_rust::xxh3::xxh3_64(key.as_bytes()).to_be_bytes()
}

fn hashes<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Vec<u8> {
    keys.into_iter().flat_map(|key| hash(key.as_str())).collect()
}

/// Reads the reply to [`Journal::history`], oldest first.
pub(crate) fn history(reply: Value) -> Result<Vec<(Position, Fields)>, Down> {
    let raw: Vec<(String, Fields)> = read(reply, "the journal")?;
    let mut records: Vec<_> =
        raw.into_iter().filter_map(|(id, fields)| Some((Position::parse(&id)?, fields))).collect();
    records.sort_by_key(|(at, _)| *at);
    Ok(records)
}

/// Reads the reply to [`Journal::configure`]: whether the document stands there now, and not another that is as new or
/// newer.
pub(crate) fn is_published(reply: Value) -> Result<bool, Down> {
    read::<i64>(reply, "a configuration").map(|said| said != 2)
}

/// Reads the reply to [`Journal::close`]: whether it was open.
pub(crate) fn closed(reply: Value) -> Result<bool, Down> {
    read::<i64>(reply, "a close").map(|closed| closed == 1)
}

/// Reads the reply to [`Journal::append`], [`Journal::invalidate`] and [`Journal::warm`]: `None` when the operation was too old to go on.
pub(crate) fn appended(reply: Value) -> Result<Option<Position>, Down> {
    read::<String>(reply, "an append").map(|id| Position::parse(&id))
}
