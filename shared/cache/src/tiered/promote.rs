//! Promoting many entries from L3 to L2 at once: written in one pipeline, and checked against the journal after it, as every
//! promotion is.

use super::{load::Found, sync::Written, view::View};
use crate::{
    codec,
    coherence::{Since, Stamp},
    config::LARGEST_ENTRY_BYTES,
    entry::Entry,
    job::Job,
    key::Key,
    level::Level,
    outcome::CacheError,
    redis::{Done, Down, Outcome, WriteCopy},
    register::Expected,
};
use bytes::Bytes;
use std::{collections::BTreeMap, ops::Range};

/// Most bytes of one pipeline, but for one value that is larger: what the network of a small container carries in 200 ms.
const PIPELINE_BYTES: usize = 4 << 20;

/// What came of batches.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) done: u64,
    pub(super) missing: u64,
    pub(super) failed: BTreeMap<Failure, u64>,
    /// Where the stretches of pages go on: after this key, or nowhere.
    pub(super) next: Vec<(usize, Option<String>)>,
    /// Keys to load one by one.
    pub(super) single: Vec<Key>,
    /// Entries that L2 has, and bytes of their envelopes; with L3 switched off only those that were to be named.
    pub(super) loaded: Vec<(Key, usize)>,
}

/// Why an entry that is there was not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// Its PUT named other levels.
    OtherLevels,
    /// What L3 has of it cannot be understood.
    Unreadable,
    /// Redis did not take it, because its memory is full for instance.
    Refused,
    /// It could not be read, or was changed while it was loaded, each time it was tried.
    RetriesExhausted,
}

/// A value on its way into L2.
struct Ready {
    key: Key,
    /// But for its text, which nobody reads here.
    entry: Entry,
    envelope: Bytes,
}

impl View<'_> {
    /// Puts what was found into L2.
    pub(super) async fn promote_all(&self, found: Found) -> Result<Sum, CacheError> {
        let Found { stamp, asked_ms, pieces } = found;
        let (mut sum, mut values) = (Sum::default(), Vec::new());
        for piece in pieces {
            sum.done += piece.there;
            sum.missing += piece.missing;
            sum.next.extend(piece.next);
            sum.loaded.extend(piece.named);
            sum.single.extend(piece.single);
            values.extend(piece.values);
        }
        let ready: Vec<Ready> =
            values.into_iter().filter_map(|(key, value)| self.ready(key, value, &mut sum)).collect();
        for part in pipelines(&ready) {
            self.write_all(stamp, asked_ms, &ready[part], &mut sum).await?;
        }
        Ok(sum)
    }

    /// Writes values into L2, and takes back those that were changed meanwhile.
    async fn write_all(&self, stamp: Stamp, asked_ms: i64, ready: &[Ready], sum: &mut Sum) -> Result<(), CacheError> {
        let written = self.write_and_sync(stamp, asked_ms, ready).await;
        let outcomes = written.inspect_err(|down| {
            // What was not even sent needs no undoing.
            if !matches!(down, Unwritten::NotSent(_)) {
                self.owe_undo_all(ready, stamp);
            }
        })?;
        let mut changed = Vec::new();
        for (ready, outcome) in ready.iter().zip(outcomes) {
            let unchanged = self.since(ready, stamp) == Since::Unchanged;
            match outcome {
                Ok(outcome) if unchanged && matches!(outcome.done, Done::Yes | Done::Newer) => {
                    self.count_promotion(ready.entry.version, outcome);
                    sum.done += 1;
                    sum.loaded.push((ready.key.clone(), ready.envelope.len()));
                }
                Err(down) if unchanged => {
                    tracing::warn!(%down, "L2 refuses an entry");
                    sum.fail(Failure::Refused);
                }
                _ => changed.push(ready),
            }
        }
        self.undo_all(&changed, stamp).await.inspect_err(|_| self.owe_undo_all(ready, stamp))?;
        sum.single.extend(changed.into_iter().map(|ready| ready.key.clone()));
        Ok(())
    }

    /// The value, if it is one that L2 may have.
    fn ready(&self, key: Key, envelope: Bytes, sum: &mut Sum) -> Option<Ready> {
        match codec::decode(&envelope, LARGEST_ENTRY_BYTES) {
            Ok(entry) if entry.is_expired(self.clock.now_ms()) || self.is_hidden(Level::L3, &key, &entry) => {
                sum.missing += 1;
                None
            }
            Ok(entry) if !entry.levels.has(Level::L2) => {
                sum.fail(Failure::OtherLevels);
                None
            }
            Ok(entry) => Some(Ready { key, entry: Entry { text: Bytes::new(), ..entry }, envelope }),
            Err(error) => {
                tracing::warn!(%error, level = %Level::L3, "unreadable envelope");
                sum.fail(Failure::Unreadable);
                None
            }
        }
    }

    async fn write_and_sync(
        &self,
        stamp: Stamp,
        asked_ms: i64,
        ready: &[Ready],
    ) -> Result<Vec<Result<Outcome, Down>>, Unwritten> {
        let operation = self.operation(stamp);
        let write = |Ready { key, entry, envelope }: &Ready| {
            self.setup.copies.write(&WriteCopy {
                key: key.as_str(),
                operation,
                version: entry.version,
                stamp: stamp.position,
                certified_ms: asked_ms,
                expires_at_ms: entry.expires_at_ms,
                envelope,
                tags: &entry.tags,
                levels: entry.levels,
                distrusted: None,
                expected: Expected::Anything,
            })
        };
        let replies = self.bulk(ready.iter().map(write).collect()).await.map_err(|down| match down {
            Down::Skipped => Unwritten::NotSent(down),
            _ => Unwritten::Unknown(down),
        })?;
        self.sync(Vec::new()).await.map_err(Unwritten::Unknown)?;
        Ok(replies.into_iter().map(Outcome::parse).collect())
    }

    fn since(&self, Ready { key, entry, .. }: &Ready, stamp: Stamp) -> Since {
        self.knowledge().since(key, &entry.tags, stamp, entry.version)
    }

    async fn undo_all(&self, changed: &[&Ready], stamp: Stamp) -> Result<(), Down> {
        let operation = self.operation(stamp);
        let undo = |ready: &&Ready| {
            let Ready { key, entry, .. } = ready;
            self.setup.copies.undo(operation, key.as_str(), entry.version, stamp.position)
        };
        let replies = self.bulk(changed.iter().map(undo).collect()).await?;
        replies.into_iter().map(Outcome::parse).try_for_each(|outcome| outcome.map(drop))
    }

    fn owe_undo_all(&self, ready: &[Ready], stamp: Stamp) {
        for Ready { key, entry, envelope } in ready {
            let written = Written { key, tags: &entry.tags, version: entry.version, bytes: envelope.len() };
            self.owe_undo(&written, stamp);
        }
    }
}

/// Why it is not known that values were written.
enum Unwritten {
    /// They were not sent.
    NotSent(Down),
    /// Some may have arrived, or may still.
    Unknown(Down),
}

impl From<Unwritten> for CacheError {
    fn from((Unwritten::NotSent(down) | Unwritten::Unknown(down)): Unwritten) -> CacheError {
        down.into()
    }
}

impl Sum {
    /// One more entry was not loaded.
    pub(super) fn fail(&mut self, failure: Failure) {
        *self.failed.entry(failure).or_default() += 1;
    }

    /// Adds it to what a job has done.
    pub(super) fn add_to(self, job: &mut Job) {
        job.counters.done += self.done;
        job.counters.missing += self.missing;
        for (failure, keys) in self.failed {
            job.counters.failed += keys;
            *job.errors.entry(failure.name().to_owned()).or_default() += keys;
        }
    }
}

impl Failure {
    const fn name(self) -> &'static str {
        match self {
            Failure::OtherLevels => "other_levels",
            Failure::Unreadable => "unreadable",
            Failure::Refused => "refused",
            Failure::RetriesExhausted => "retries_exhausted",
        }
    }
}

/// Cuts values into parts that fit one pipeline.
fn pipelines(ready: &[Ready]) -> Vec<Range<usize>> {
    let (mut parts, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (at, Ready { envelope, .. }) in ready.iter().enumerate() {
        if at > begin && bytes + envelope.len() > PIPELINE_BYTES {
            parts.push(begin..at);
            (begin, bytes) = (at, 0);
        }
        bytes += envelope.len();
    }
    if begin < ready.len() {
        parts.push(begin..ready.len());
    }
    parts
}
