//! The journal: one stream of the fleet's newest mutations, and the sync that reads it.

mod past;
mod replies;

pub(crate) use self::past::PastReply;
pub(crate) use self::replies::{
    Fields, Opened, appended, checked, closed, history, is_published, marked, open_now, opened,
};
use super::{Keyspace, scripts};
use crate::{
    coherence::{HISTORY, OPERATION_LIFE, SETTLE, SYNC_RECORDS},
    config::document::Document,
    key::Key,
    record::{Change, cut, named},
    selector::WrittenInvalidation,
    version::{Position, Version},
};
use redis::{Cmd, cmd};
use std::time::Duration;
/// How long records are kept.
const KEEP: Duration = Duration::from_secs(600);
/// Most records kept, which bounds the journal's memory to about 30 MB.
const KEEP_RECORDS: usize = 200_000;
/// Most bytes of records, about: what a round trip carries for nothing, and Redis reads in 0.1 ms.
const SYNC_BYTES: usize = 8 * 1024;

/// Most invalidations open at once, and most bytes of their texts: every container reads them with the sync after a
/// change. One alone may be longer. Of these an API key may have as much as it leaves free.
const MOST_OPEN: usize = 100;
const MOST_OPEN_BYTES: usize = 8192;

/// How old an operation may be for a script to go on with it: what arrives later, from a connection that was given up,
/// does nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    /// When it began, in microseconds of Redis time.
    pub started_us: u64,
    /// How long it may take, in microseconds.
    pub life_us: u64,
}

/// From where the journal is read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum From {
    /// On from after this.
    After(Position),
    /// Back from before this, or from the end.
    Before(Option<Position>),
}

/// Names the journal and makes its commands.
#[derive(Debug)]
pub(crate) struct Journal {
    journal: String,
    meta: String,
    open: String,
    index: String,
    stats: String,
    census: String,
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
    /// The invalidations after this position are asked for.
    pub fence: Option<Position>,
}

impl Journal {
    pub(crate) fn new(keys: &Keyspace, cluster: bool) -> Journal {
        let (journal, meta, open) = (keys.journal(), keys.meta(), keys.open());
        Journal {
            journal,
            meta,
            open,
            index: keys.journal_index(),
            stats: keys.stats(),
            census: keys.census(),
            cluster,
        }
    }

    /// The command that reads what came after `cursor`, `None` for a container that knows nothing yet and else one that
    /// knows of `count` records, the configuration document where that is not version `document`, and the open
    /// invalidations where they are not those of `open_set`.
    pub(crate) fn sync(
        &self,
        cursor: Option<Position>,
        count: u64,
        document: u64,
        open_set: &str,
        question: &Question<'_>,
    ) -> Cmd {
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
            .arg(hashes(question.hot))
            .arg(open_set)
            .arg(question.fence.map(|since| since.to_string()).unwrap_or_default());
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
        let mut call = scripts::CONFIGURE.call(&[
            self.journal.clone(),
            self.meta.clone(),
            self.stats.clone(),
            self.census.clone(),
        ]);
        call.arg(document.version).arg(body).arg(document.switched).arg(SETTLE.as_millis() as u64);
        let changes = serde_json::to_string(&document.changes).expect("numbers and texts can be written as JSON");
        call.arg(&["time", &document.updated_at_ms.to_string(), "by", &document.by, "changes", &changes]);
        call
    }

    /// The command that appends the record of a mutation of one key.
    pub(crate) fn append(&self, operation: Operation, change: Change, key: &str, version: Version, by: &str) -> Cmd {
        let mut call = self.appending(operation, "", version, "");
        call.arg(hash(key).as_slice()).arg(version.sortable()).arg("");
        call.arg(&["kind", change.name(), "key", key, "version", &version.sortable(), "by", &*cut(by)]);
        call
    }

    /// The command that appends the record of an invalidation that has nothing to remove.
    pub(crate) fn invalidated(&self, operation: Operation, invalidation: &WrittenInvalidation) -> Cmd {
        self.invalidation(operation, &invalidation.to_json(), "", "", "")
    }

    /// The command that appends the record of an invalidation and keeps it open, unless too many are. It takes the place of
    /// those at `passed` whose operations have ended.
    pub(crate) fn invalidate(
        &self,
        operation: Operation,
        invalidation: &WrittenInvalidation,
        passed: &[Position],
    ) -> Cmd {
        let body = invalidation.to_json();
        let ended_ms = OPERATION_LIFE.as_millis();
        let account = invalidation.of.as_deref().unwrap_or("-");
        let bounds = format!("{MOST_OPEN} {MOST_OPEN_BYTES} {ended_ms} {account}");
        let bounds = passed.iter().fold(bounds, |bounds, at| format!("{bounds} {at}"));
        self.invalidation(operation, &body, &body, &bounds, &invalidation.version.sortable())
    }

    /// The command that appends the record of an invalidation, as it is written down, and keeps it open; while that very
    /// text is open it only says where. It was acknowledged already, so that no bound keeps it out.
    pub(crate) fn raise(&self, operation: Operation, body: &str) -> Cmd {
        self.invalidation(operation, body, body, "", "")
    }

    fn invalidation(&self, operation: Operation, body: &str, open: &str, bounds: &str, version: &str) -> Cmd {
        let mut call = self.appending(operation, open, Version::ZERO, bounds);
        call.arg("").arg(version).arg(body).arg(&["kind", "invalidate", "body", body]);
        call
    }

    /// The command that appends the record of entries that a warm job has brought into L2, with bytes of their envelopes.
    pub(crate) fn warm(&self, operation: Operation, entries: &[(Key, usize)]) -> Cmd {
        let mut call = self.appending(operation, "", Version::ZERO, "");
        call.arg("").arg("").arg("").arg(&["kind", "warm", "body", &named(entries)]);
        call
    }

    /// The command that says that something is back as that version: what begins from now on is newer.
    pub(crate) fn mark_undone(&self, version: Version) -> Cmd {
        let mut call = scripts::UNDONE.call(std::slice::from_ref(&self.meta));
        call.arg(version.sortable());
        call
    }

    /// The command that appends the record of an undo of what `undone` says, by whoever it names.
    pub(crate) fn undone(&self, operation: Operation, undone: &WrittenInvalidation) -> Cmd {
        let mut call = self.appending(operation, "", Version::ZERO, "");
        call.arg("").arg("").arg("").arg(&["kind", "undo", "body", &undone.to_json()]);
        call
    }

    /// The command that reads the texts of the open invalidations, with who began them and why.
    pub(crate) fn open_now(&self) -> Cmd {
        let mut read = cmd("HVALS");
        read.arg(&self.open);
        read
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
        let keys = [self.journal.clone(), self.open.clone(), self.meta.clone(), self.index.clone()];
        let mut call = scripts::APPEND.call(&keys);
        call.arg(operation.started_us).arg(operation.life_us).arg(KEEP.as_millis() as u64).arg(KEEP_RECORDS).arg(open);
        call.arg(version.micros()).arg(bounds);
        call
    }

    /// The command that reads raw records after a position, oldest first; or before one, newest first.
    pub(crate) fn history(&self, from: From, limit: usize) -> Cmd {
        let mut read = match from {
            From::After(since) => {
                let mut read = cmd("XRANGE");
                read.arg(&self.journal).arg(format!("({since}")).arg("+");
                read
            }
            From::Before(before) => {
                let mut read = cmd("XREVRANGE");
                read.arg(&self.journal).arg(before.map_or_else(|| "+".to_owned(), |at| format!("({at}"))).arg("-");
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

/// By what the index calls a key: the same in every container and release. Clients may find keys that share one; then each
/// is taken for touched when the other is.
fn hash(key: &str) -> [u8; 8] {
    xxhash_rust::xxh3::xxh3_64(key.as_bytes()).to_be_bytes()
}

fn hashes<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Vec<u8> {
    keys.into_iter().flat_map(|key| hash(key.as_str())).collect()
}
