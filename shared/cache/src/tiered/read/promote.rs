//! Promoting many entries from L3 to L2 at once: written in pipelines, and checked against the journal after all of them, as
//! every promotion is.

use crate::tiered::{
    jobs::Halt,
    sync::{About, Synced, unfinished::CopyWrite},
    view::View,
    warm::load::{Ground, Piece},
};
use crate::{
    codec,
    coherence::{AsOf, Looked, Since},
    config::LARGEST_ENTRY_BYTES,
    entry::Entry,
    job::Job,
    key::Key,
    level::Level,
    outcome::CacheError,
    quota::share_of,
    redis::{Done, Down, Life, Outcome, Reply, WriteCopy, is_refused},
    shard::shard,
    source_of_truth::Expected,
};
use bytes::Bytes;
use std::{collections::BTreeMap, ops::Range, sync::Arc};
use tokio::sync::Mutex;

/// Most bytes of one pipeline, but for one value that is larger: what the network of a small container carries in 200 ms.
const PIPELINE_BYTES: usize = 4 << 20;
/// Most copies of one call: it holds Redis up for less than a millisecond.
pub(crate) const CALL_COPIES: usize = 50;

/// What came of batches.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) done: u64,
    pub(crate) missing: u64,
    pub(crate) failed: BTreeMap<Failure, u64>,
    /// Where the key_ranges of pages go on: after this key, or nowhere.
    pub(crate) next: Vec<(usize, Option<String>)>,
    /// Keys to load one by one.
    pub(crate) single: Vec<Key>,
    /// Entries that L2 has, and bytes of their envelopes; with L3 switched off only those that were to be named.
    pub(crate) loaded: Vec<(Key, usize)>,
}

/// Why an entry that is there was not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// Its PUT named other levels.
    OtherLevels,
    /// What L3 has of it cannot be understood.
    Unreadable,
    /// Redis did not take it, because something else has the name of an index for instance.
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
    owner: Option<Arc<str>>,
}

/// A batch whose entries were sent to L2.
pub(crate) struct Load {
    sum: Sum,
    /// What was sent.
    sent: Vec<Ready>,
    /// What became of each, in the same order, `None` where Redis refused it; an error when that is not known of some.
    outcomes: Result<Vec<Option<Outcome>>, Down>,
}

impl View<'_> {
    /// Sends what a batch has brought to L2, when its turn has come. It is not believed before [`View::promoted`] has looked
    /// into the journal.
    pub(crate) async fn promote_all(&self, ground: Ground, turn: &Mutex<()>, piece: Piece) -> Load {
        let mut sum = Sum {
            done: piece.there,
            missing: piece.missing,
            next: piece.next.into_iter().collect(),
            single: piece.single,
            loaded: piece.named,
            ..Sum::default()
        };
        let values = piece.values.into_iter();
        let mut sent: Vec<Ready> =
            values.filter_map(|(key, value, owner)| self.ready(key, value, owner, &mut sum)).collect();
        sent.sort_by_key(|ready| shard(ready.key.as_str()));
        // One pipeline at a time: they share one connection, and what each may carry is meant for it alone.
        let _turn = turn.lock().await;
        let outcomes = self.write_all(ground, &mut sent).await;
        Load { sum, sent, outcomes }
    }

    /// Looks into the journal after what was sent, and takes back what was changed meanwhile. Where anything failed, all of
    /// it is taken back later.
    pub(crate) async fn promoted(&self, ground: Ground, loads: Vec<Result<Load, Halt>>) -> Result<Sum, Halt> {
        let (mut whole, mut sent, mut outcomes, mut failed) = (Sum::default(), Vec::new(), Vec::new(), None);
        for load in loads {
            match load {
                Ok(load) => {
                    whole.add(load.sum);
                    sent.extend(load.sent);
                    match load.outcomes {
                        Ok(of) => outcomes.extend(of),
                        Err(down) => failed = Some(CacheError::from(down).into()),
                    }
                }
                Err(halt) => failed = Some(halt),
            }
        }
        let checked = match failed {
            Some(halt) => Err(halt),
            None => {
                self.check_all(ground, &sent, outcomes, &mut whole).await.map_err(|down| CacheError::from(down).into())
            }
        };
        checked.inspect_err(|_| self.schedule_compensations(&sent, ground.as_of))?;
        Ok(whole)
    }

    /// Takes back what was changed since `ground`, to be loaded by itself.
    async fn check_all(
        &self,
        ground: Ground,
        sent: &[Ready],
        outcomes: Vec<Option<Outcome>>,
        sum: &mut Sum,
    ) -> Result<(), Down> {
        if sent.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = sent.iter().map(|ready| &ready.key).collect();
        let Synced { looked, .. } = self.sync_about(About { keys: &keys, ..About::default() }, Vec::new()).await?;
        let mut changed = Vec::new();
        for (ready, outcome) in sent.iter().zip(outcomes) {
            let unchanged = self.since(ready, ground.as_of, looked.as_ref()) == Since::Unchanged;
            match outcome {
                Some(outcome) if unchanged && matches!(outcome.done, Done::Yes | Done::Newer) => {
                    self.count_promotion(ready.entry.version, outcome);
                    sum.done += 1;
                    sum.loaded.push((ready.key.clone(), ready.envelope.len()));
                }
                None if unchanged => sum.fail(Failure::Refused),
                _ => changed.push(ready),
            }
        }
        self.undo_all(&changed, ground.as_of).await?;
        sum.single.extend(changed.into_iter().map(|ready| ready.key.clone()));
        Ok(())
    }

    /// The value, if it is one that L2 may have.
    fn ready(&self, key: Key, envelope: Bytes, owner: Option<Arc<str>>, sum: &mut Sum) -> Option<Ready> {
        match codec::decode(&envelope, LARGEST_ENTRY_BYTES) {
            Ok(entry) if entry.is_expired(self.clock.now_ms()) || self.is_masked(Level::L3, &key, &entry) => {
                sum.missing += 1;
                None
            }
            Ok(entry) if !entry.levels.has(Level::L2) => {
                sum.fail(Failure::OtherLevels);
                None
            }
            Ok(entry) => Some(Ready { key, entry: Entry { text: Bytes::new(), ..entry }, envelope, owner }),
            Err(error) => {
                tracing::warn!(%error, level = %Level::L3, "unreadable envelope");
                sum.fail(Failure::Unreadable);
                None
            }
        }
    }

    /// Writes values, which are in the order of their shards; what was not even sent is taken out of them.
    async fn write_all(&self, ground: Ground, ready: &mut Vec<Ready>) -> Result<Vec<Option<Outcome>>, Down> {
        let mut outcomes = Vec::new();
        for part in pipelines(ready) {
            match self.write_part(ground, &ready[part.clone()]).await {
                Ok(of) => outcomes.extend(of),
                Err(down) => {
                    let sent = if matches!(down, Down::Skipped) { part.start } else { part.end };
                    ready.truncate(sent);
                    return Err(down);
                }
            }
        }
        Ok(outcomes)
    }

    async fn write_part(&self, ground: Ground, ready: &[Ready]) -> Result<Vec<Option<Outcome>>, Down> {
        let operation = self.operation(ground.as_of);
        let copies: Vec<WriteCopy<'_>> = ready.iter().map(|ready| ready.copy(ground)).collect();
        let same_shard = |a: &WriteCopy<'_>, b: &WriteCopy<'_>| shard(a.key) == shard(b.key);
        let calls: Vec<&[WriteCopy<'_>]> =
            copies.chunk_by(same_shard).flat_map(|copies| copies.chunks(CALL_COPIES)).collect();
        let commands = calls.iter().map(|copies| self.setup.copies.write(operation, copies)).collect();
        let replies = self.bulk(commands).await?;
        if replies.iter().any(is_refused) {
            // Not for want of room for one copy or another: as if Redis were out of reach, the job waits.
            self.link.spare();
            return Err(Down::Refusing);
        }
        Ok(calls.iter().zip(replies).flat_map(|(copies, reply)| outcomes(reply, copies.len())).collect())
    }

    fn since(&self, Ready { key, entry, .. }: &Ready, as_of: AsOf, looked: Option<&Looked>) -> Since {
        self.knowledge().since(key, &entry.tags, as_of, entry.version, looked)
    }

    async fn undo_all(&self, changed: &[&Ready], as_of: AsOf) -> Result<(), Down> {
        let operation = self.operation(as_of);
        let undo = |ready: &&Ready| {
            let Ready { key, entry, .. } = ready;
            self.setup.copies.undo(operation, key.as_str(), entry.version, as_of.position)
        };
        let replies = self.bulk(changed.iter().map(undo).collect()).await?;
        replies.into_iter().map(Outcome::parse).try_for_each(|outcome| outcome.map(drop))
    }

    fn schedule_compensations(&self, ready: &[Ready], as_of: AsOf) {
        for Ready { key, entry, envelope, .. } in ready {
            let written = CopyWrite { key, tags: &entry.tags, version: entry.version, bytes: envelope.len() };
            self.schedule_compensation(&written, as_of);
        }
    }
}

/// What one call did for each of so many copies; what it failed for failed for all.
pub(crate) fn outcomes(reply: Reply, copies: usize) -> Vec<Option<Outcome>> {
    match Outcome::parse_all(reply) {
        Ok(outcomes) if outcomes.len() == copies => outcomes.into_iter().map(Some).collect(),
        Ok(_) => vec![None; copies],
        Err(down) => {
            tracing::warn!(%down, copies, "L2 refuses entries");
            vec![None; copies]
        }
    }
}

impl Ready {
    fn copy(&self, ground: Ground) -> WriteCopy<'_> {
        WriteCopy {
            key: self.key.as_str(),
            version: self.entry.version,
            as_of: ground.as_of.position,
            certified_ms: ground.asked_ms,
            life: Life::of(&self.entry),
            envelope: &self.envelope,
            tags: &self.entry.tags,
            levels: self.entry.levels,
            distrusted: None,
            expected: Expected::Anything,
            share: share_of(self.owner.as_ref(), &self.key, &self.entry, self.envelope.len()),
        }
    }
}

impl Sum {
    /// Takes in what came of another batch.
    fn add(&mut self, other: Sum) {
        self.done += other.done;
        self.missing += other.missing;
        other.failed.into_iter().for_each(|(failure, keys)| *self.failed.entry(failure).or_default() += keys);
        self.next.extend(other.next);
        self.single.extend(other.single);
        self.loaded.extend(other.loaded);
    }

    /// One more entry was not loaded.
    pub(crate) fn fail(&mut self, failure: Failure) {
        *self.failed.entry(failure).or_default() += 1;
    }

    /// Adds it to what a job has done.
    pub(crate) fn add_to(self, job: &mut Job) {
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
