//! The journal: one stream of the fleet's newest mutations, and the sync that reads it.

use super::{Down, Keyspace, link::read, scripts};
use crate::{
    barriers::Barriers,
    config::document::Document,
    key::Key,
    record::{Change, Record, named},
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
/// How far back a reset reads the journal: 2T, by when every operation of before has ended.
pub(crate) const HISTORY: Duration = Duration::from_secs(70);
/// How long records are kept: a container frozen for longer begins with an empty L1.
const KEEP: Duration = Duration::from_secs(600);
/// Most records kept, which bounds the journal's memory to about 30 MB.
const KEEP_RECORDS: usize = 200_000;
/// Most records one sync reads; when more are waiting the container begins with an empty L1.
const SYNC_RECORDS: usize = 1000;
/// Most records such a beginning reads. Copies from before them are confirmed by L3 for the next 2T.
const RESET_RECORDS: usize = 5000;

/// Most invalidations open at once, and most bytes of their texts: every container reads them with the sync after a
/// change. One alone may be longer.
const MOST_OPEN: usize = 100;
const MOST_OPEN_BYTES: usize = 8192;

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
    stats: String,
    cluster: bool,
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
    /// Invalidations that have not removed all they mean; `None` where the container has that set.
    pub open: Option<Barriers>,
    /// A version that was ahead of Redis time when it was recorded, the greatest of those; zero for none. Its record may
    /// be gone.
    pub ahead: Version,
    /// What it says of the configuration.
    pub published: Published,
    /// The records do not follow on the cursor: they are the newest ones there are.
    pub reset: bool,
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
        Journal { journal: keys.journal(), meta: keys.meta(), open: keys.open(), stats: keys.stats(), cluster }
    }

    /// The command that reads what came after `cursor`, `None` for a container that knows nothing yet, the configuration
    /// document where that is not version `document`, and the open invalidations where they are not those of `open_set`.
    pub(crate) fn sync(&self, cursor: Option<Position>, document: u64, open_set: &str) -> Cmd {
        let mut call = scripts::SYNC.call(&[self.journal.clone(), self.meta.clone(), self.open.clone()]);
        call.arg(cursor.map(|at| at.to_string()).unwrap_or_default())
            .arg(SYNC_RECORDS)
            .arg(RESET_RECORDS)
            .arg(HISTORY.as_millis() as u64)
            .arg(u8::from(self.cluster))
            .arg(document)
            .arg(open_set);
        call
    }

    /// The command that publishes a configuration document.
    pub(crate) fn configure(&self, document: &Document) -> Cmd {
        let body = serde_json::to_string(document).expect("numbers and texts can be written as JSON");
        let mut call = scripts::CONFIGURE.call(&[self.journal.clone(), self.meta.clone(), self.stats.clone()]);
        call.arg(document.version).arg(body).arg(document.switched).arg(SETTLE.as_millis() as u64);
        let changes = serde_json::to_string(&document.changes).expect("numbers and texts can be written as JSON");
        call.arg(&["time", &document.updated_at_ms.to_string(), "by", &document.by, "changes", &changes]);
        call
    }

    /// The command that appends the record of a mutation of one key.
    pub(crate) fn append(&self, operation: Operation, change: Change, key: &str, version: Version, by: &str) -> Cmd {
        let mut call = self.appending(operation, "", version, "");
        call.arg(&["kind", change.name(), "key", key, "version", &version.sortable(), "by", by]);
        call
    }

    /// The command that appends the record of an invalidation that has nothing to remove.
    pub(crate) fn invalidated(&self, operation: Operation, invalidation: &Written) -> Cmd {
        self.invalidation(operation, &invalidation.to_json(), "", "")
    }

    /// The command that appends the record of an invalidation and keeps it open, unless too many are. It takes the place of
    /// those at `passed` whose operations have ended.
    pub(crate) fn invalidate(&self, operation: Operation, invalidation: &Written, passed: &[Position]) -> Cmd {
        let body = invalidation.to_json();
        let ended_ms = OPERATION_LIFE.as_millis();
        let bounds = format!("{MOST_OPEN} {MOST_OPEN_BYTES} {ended_ms}");
        let bounds = passed.iter().fold(bounds, |bounds, at| format!("{bounds} {at}"));
        self.invalidation(operation, &body, &body, &bounds)
    }

    /// The command that appends the record of an invalidation, as it is written down, and keeps it open; while that very
    /// text is open it only says where. It was acknowledged already, so that no bound keeps it out.
    pub(crate) fn raise(&self, operation: Operation, body: &str) -> Cmd {
        self.invalidation(operation, body, body, "")
    }

    fn invalidation(&self, operation: Operation, body: &str, open: &str, bounds: &str) -> Cmd {
        let mut call = self.appending(operation, open, Version::ZERO, bounds);
        call.arg(&["kind", "invalidate", "body", body]);
        call
    }

    /// The command that appends the record of entries that a warm job has brought into L2, with bytes of their envelopes.
    pub(crate) fn warm(&self, operation: Operation, entries: &[(Key, usize)]) -> Cmd {
        let mut call = self.appending(operation, "", Version::ZERO, "");
        call.arg(&["kind", "warm", "body", &named(entries)]);
        call
    }

    /// The command that closes the invalidation recorded at `at`, which met so many distinct keys, and those at `passed`,
    /// of which nothing is left either.
    pub(crate) fn close(&self, at: Position, matched: u64, passed: &[Position]) -> Cmd {
        let mut call = scripts::CLOSE.call(&[self.journal.clone(), self.open.clone()]);
        call.arg(at.to_string()).arg(matched).arg(HISTORY.as_millis() as u64);
        passed.iter().for_each(|at| {
            call.arg(at.to_string());
        });
        call
    }

    fn appending(&self, operation: Operation, open: &str, version: Version, bounds: &str) -> Cmd {
        let mut call = scripts::APPEND.call(&[self.journal.clone(), self.open.clone(), self.meta.clone()]);
        call.arg(operation.started_us).arg(operation.life_us).arg(KEEP.as_millis() as u64).arg(KEEP_RECORDS).arg(open);
        call.arg(version.micros()).arg(bounds);
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

    /// The command that remembers that the outage notes were read from `began_ms` of Redis time on, and begins an epoch if
    /// their generation is one that the journal has not heard of.
    pub(crate) fn notes_checked(&self, began_ms: u64, generation: u64) -> Cmd {
        let mut call = scripts::CHECKED.call(&[self.meta.clone(), self.journal.clone()]);
        call.arg(began_ms).arg(generation);
        call
    }
}

/// Fields of a raw record.
pub(crate) type Fields = HashMap<String, String>;

type RawReply = (u64, u64, String, String, RawOpen, u8, Vec<(String, Fields)>, RawPublished, u64);
type RawOpen = (String, u8, Vec<(String, String)>);
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
            open: Some(Barriers::default()),
            ahead: Version::ZERO,
            published: Published::default(),
            reset: false,
            records: Vec::new(),
        }
    }

    pub(crate) fn parse(reply: Value) -> Result<SyncReply, Down> {
        let (seconds, micros, epoch, notes, open, reset, raw, published, ahead_us) = read::<RawReply>(reply, "a sync")?;
        let (open_set, is_known, open) = open;
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
            open: (is_known == 0).then(|| {
                let open = open.iter().map(|(id, body)| (Position::parse(id), body.as_str()));
                Barriers::read(open).named(open_set)
            }),
            ahead: if ahead_us > 0 { Version::at(ahead_us, u16::MAX) } else { Version::ZERO },
            published: published.into(),
            reset: reset == 1,
            records,
        })
    }
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

/// Reads the reply to [`Journal::notes_checked`].
pub(crate) fn checked(reply: Value) -> Result<(), Down> {
    read::<i64>(reply, "the notes").map(drop)
}

/// What came of beginning an invalidation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    /// Its record stands there.
    At(Position),
    /// The operation was too old to go on.
    Late,
    /// Too many are open.
    Full,
}

/// Reads the reply to [`Journal::invalidate`].
pub(crate) fn opened(reply: Value) -> Result<Opened, Down> {
    Ok(match read::<String>(reply, "an invalidation")?.as_str() {
        "full" => Opened::Full,
        id => Position::parse(id).map_or(Opened::Late, Opened::At),
    })
}

/// Reads the reply to [`Journal::close`]: whether it is closed; if not, its record was lost.
pub(crate) fn closed(reply: Value) -> Result<bool, Down> {
    read::<i64>(reply, "a close").map(|closed| closed == 1)
}

/// Reads the reply to [`Journal::append`], [`Journal::raise`], [`Journal::invalidated`] and [`Journal::warm`]: `None` when
/// the operation was too old to go on.
pub(crate) fn appended(reply: Value) -> Result<Option<Position>, Down> {
    read::<String>(reply, "an append").map(|id| Position::parse(&id))
}
