//! The sync: one round trip that tells this container what the others did, and them what it read.

use super::TieredCache;
use crate::{
    coherence::{Since, Stamp},
    dynamo::{L3Error, Note, Noted, Notes},
    key::Key,
    record::Change,
    redis::{Batch, Command, Done, Down, OPERATION_LIFE, Operation, Order, Outcome, Reply, SyncReply, appended},
    register::Register,
    version::{Position, Version},
};
use std::{
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::timeout;

/// More notes than this begin a new epoch instead of being put into the journal one by one.
const MOST_REPLAYED: usize = 100;
/// Most notes deleted at once; the rest is found, and put into the journal, again.
const MOST_DROPPED: usize = 250;
/// How long a read waits for the outage notes to be read, one attempt of L3, and to be put into the journal.
const NOTES_TIMEOUT: Duration = Duration::from_millis(300);
const REPLAY_TIMEOUT: Duration = Duration::from_millis(500);
/// Most writes whose end is not known that are remembered.
const MOST_UNFINISHED: usize = 100;
/// How much later than its timeout a command of a broken connection may still arrive, and do something, in ms.
const ARRIVAL_MS: i64 = 1000;

/// A write into L2.
pub(super) struct Written<'a> {
    pub key: &'a Key,
    pub tags: &'a [Arc<str>],
    pub version: Version,
    /// Bytes of its envelope.
    pub bytes: usize,
}

/// A write into L2 whose end is not known.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) due_ms: i64,
    pub(super) key: Key,
    pub(super) version: Version,
    pub(super) stamp: Position,
}

/// What a write into L2 and the look into the journal after it gave.
pub(super) struct Checked {
    pub replies: Vec<Reply>,
    /// What has been recorded of the key since the operation began, but for its own record.
    pub since: Since,
}

impl TieredCache {
    /// Syncs, with the commands of `more` in the same round trip; returns the replies to those.
    ///
    /// When nobody has read the outage notes lately, they are read before this returns, so that what it says may be
    /// trusted.
    pub(super) async fn sync(&self, more: Vec<Command>) -> Result<Vec<Reply>, Down> {
        let count = more.len();
        let sync = self.journal.sync(self.knowledge().cursor());
        let (riding, riders): (Vec<_>, Vec<_>) = self.riders().into_iter().unzip();
        let batch = [sync].into_iter().chain(more).chain(riding).collect();
        let sent_ms = self.clock.now_ms();
        let mut replies = self.link.run(&batch, Order::Any).await?.into_iter();
        self.learn(replies.next(), sent_ms)?;
        let answers = replies.by_ref().take(count).collect();
        self.settle(riders, replies);
        self.heed_notes().await?;
        Ok(answers)
    }

    /// Sends commands that must take effect one after another, and carry a value of so many bytes, and syncs after
    /// them: nothing that the journal said of them before can be missed. Returns the replies to the commands.
    pub(super) async fn then_sync(&self, commands: Vec<Command>, bytes: usize) -> Result<Vec<Reply>, Down> {
        let count = commands.len();
        let sync = self.journal.sync(self.knowledge().cursor());
        let batch = commands.into_iter().chain([sync]).collect::<Batch>().carrying(bytes);
        let sent_ms = self.clock.now_ms();
        let mut replies = self.link.run(&batch, Order::InTurn).await?;
        self.learn(replies.pop(), sent_ms)?;
        replies.truncate(count);
        Ok(replies)
    }

    /// Sends commands that write into L2 and looks into the journal after them. A copy of `version` that something
    /// has happened to meanwhile is taken back.
    pub(super) async fn then_check(
        &self,
        written: &Written<'_>,
        stamp: Stamp,
        commands: Vec<Command>,
    ) -> Result<Checked, Down> {
        let checked = self.check(written, stamp, commands).await;
        if checked.is_err() {
            self.owe_undo(written, stamp);
        }
        checked
    }

    async fn check(&self, written: &Written<'_>, stamp: Stamp, commands: Vec<Command>) -> Result<Checked, Down> {
        let replies = self.then_sync(commands, written.bytes).await?;
        let since = self.knowledge().since(written.key, written.tags, stamp, written.version);
        if since != Since::Unchanged && self.register() == Register::L3 {
            let key = written.key.as_str();
            self.ask(self.copies.undo(self.operation(stamp), key, written.version, stamp.position)).await?;
        }
        Ok(Checked { replies, since })
    }

    /// Remembers a write whose end is not known: it may arrive while its [`Operation`] lives, and is undone after.
    fn owe_undo(&self, written: &Written<'_>, stamp: Stamp) {
        if self.register() == Register::L2 {
            return;
        }
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        if unfinished.len() < MOST_UNFINISHED {
            let due_ms = self.clock.now_ms() + self.link_grace_ms();
            unfinished.push(Unfinished {
                due_ms,
                key: written.key.clone(),
                version: written.version,
                stamp: stamp.position,
            });
        }
    }

    /// How old a script may find an operation that began with the sync of `stamp`: a little older than it is now. What
    /// a broken connection delivers later does nothing.
    pub(super) fn operation(&self, stamp: Stamp) -> Operation {
        let age_ms = self.clock.now_ms().saturating_sub(stamp.sent_ms).max(0).saturating_add(self.link_grace_ms());
        let life = Duration::from_millis(age_ms.unsigned_abs()).min(OPERATION_LIFE);
        Operation { started_us: stamp.started_us, life_us: life.as_micros().try_into().unwrap_or(u64::MAX) }
    }

    /// How long after it was made a command may still arrive, in ms.
    fn link_grace_ms(&self) -> i64 {
        i64::try_from(self.config.l2_config.timeout_ms).unwrap_or(i64::MAX).saturating_add(ARRIVAL_MS)
    }

    /// Sends one command.
    pub(super) async fn ask(&self, command: Command) -> Result<Reply, Down> {
        let replies = self.link.run(&Batch::from_iter([command]), Order::Any).await?;
        replies.into_iter().next().ok_or(Down::Odd("no reply"))
    }

    /// The stamp of an operation that begins now.
    pub(super) fn stamp(&self) -> Stamp {
        self.knowledge().stamp()
    }

    fn learn(&self, reply: Option<Reply>, sent_ms: i64) -> Result<(), Down> {
        let reply = SyncReply::parse(reply.ok_or(Down::Odd("no reply to a sync"))?)?;
        // L1 heeds the news before anybody can take it for as fresh as the news.
        let mut knowledge = self.knowledge();
        let news = knowledge.apply(reply, sent_ms);
        self.heed(&news);
        Ok(())
    }

    /// Leaves a note of a mutation that Redis is not told of. Before this container trusts L1 or L2 again, the note is
    /// put into the journal.
    pub(super) async fn leave_note(&self, noted: &Noted) -> Result<(), L3Error> {
        self.owe_notes();
        self.store.leave_note(noted).await
    }

    /// Whether a note of this container is not in the journal yet.
    pub(super) fn owes_notes(&self) -> bool {
        self.owes_notes.load(Relaxed)
    }

    pub(super) fn owe_notes(&self) {
        self.owes_notes.store(true, Relaxed);
    }

    /// Remembers a mutation that L3 may have taken although nobody was told so: once L3 answers again, a record makes
    /// every container ask it. Until then the value before is as right as the new one.
    pub(super) fn suspect(&self, key: &Key, version: Version) {
        let mut suspects = self.suspects();
        if suspects.len() < MOST_UNFINISHED {
            suspects.push((key.clone(), version));
        }
    }

    fn suspects(&self) -> MutexGuard<'_, Vec<(Key, Version)>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the notes of an outage into the journal, if nobody has looked for them lately.
    ///
    /// # Errors
    /// When there are notes and the journal cannot take them: then nothing but L3 may be trusted.
    async fn heed_notes(&self) -> Result<(), Down> {
        let owed = self.owes_notes.load(Relaxed);
        let due = self.register() == Register::L3
            && (owed || !self.suspects().is_empty() || self.knowledge().notes_are_due());
        if !due || (self.notes_pause.is_on() && !owed) {
            return Ok(());
        }
        let read = timeout(NOTES_TIMEOUT, self.store.notes()).await;
        match read.unwrap_or_else(|elapsed| Err(L3Error::Failed(elapsed.into()))) {
            Ok(found) => {
                timeout(REPLAY_TIMEOUT, self.replay_notes(&found)).await.map_err(|_| Down::TimedOut)??;
                self.owes_notes.store(false, Relaxed);
                // The journal has them now. Notes that are not finished in time are found, and finished, again.
                let _ = timeout(REPLAY_TIMEOUT, self.finish_notes(&found)).await;
                Ok(())
            }
            Err(error) if owed => {
                tracing::warn!(%error, "own outage notes could not be read");
                Err(Down::Odd("outage notes of this container are not in the journal yet"))
            }
            Err(error) => {
                // A note is left only where L3 answers. While it does not, no new ones come, and reads go on.
                self.notes_pause.begin();
                tracing::warn!(%error, "outage notes could not be read");
                Ok(())
            }
        }
    }

    async fn replay_notes(&self, found: &Notes) -> Result<(), Down> {
        let stamp = self.stamp();
        let operation = self.operation(stamp);
        let begin_epoch = begins_epoch(found);
        // With more notes than one query reads, the next sync finds the rest: it must not think that all were.
        let checked_ms = if found.more { 0 } else { stamp.started_us / 1000 };
        let replayed = if begin_epoch { &[] } else { &*found.notes };
        let mut commands: Vec<Command> = replayed.iter().map(|note| self.replay(operation, note)).collect();
        // L3 has just answered, so that copies of these keys can be confirmed.
        let suspects = self.suspects().clone();
        commands.extend(
            suspects
                .iter()
                .map(|(key, version)| self.journal.append(operation, Change::Put, key.as_str(), *version, "")),
        );
        commands.push(self.journal.notes_checked(checked_ms, begin_epoch));
        for reply in self.then_sync(commands, 0).await?.into_iter().take(replayed.len()) {
            appended(reply)?.ok_or(Down::Odd("a note was replayed too late"))?;
        }
        self.suspects().retain(|suspect| !suspects.contains(suspect));
        Ok(())
    }

    /// Removes from L2 what the notes mean, and drops those for which that is done.
    async fn finish_notes(&self, found: &Notes) {
        let operation = self.operation(self.stamp());
        let mut done = Vec::new();
        for note in found.notes.iter().take(MOST_DROPPED) {
            // An epoch distrusts every copy there is.
            if begins_epoch(found) || self.finish(operation, &note.noted).await.is_ok() {
                done.push(note);
            }
        }
        if let Err(error) = self.store.drop_notes(&done).await {
            tracing::warn!(%error, "outage notes are left to be replayed again");
        }
    }

    fn replay(&self, operation: Operation, note: &Note) -> Command {
        match &note.noted {
            Noted::Changed { key, version } => self.journal.append(operation, Change::Put, key, *version, ""),
            Noted::Invalidated(written) => self.journal.invalidate(operation, written, false),
        }
    }

    /// Removes from L2 what a mutation that the journal now knows of has left there.
    async fn finish(&self, operation: Operation, noted: &Noted) -> Result<(), Down> {
        match noted {
            Noted::Changed { key, version } => {
                // Every copy from before now: also one of that very version, which may have arrived after it was given up,
                // and one of a version that L3 had forgotten when this one was chosen.
                let version = version.next().max(Version::at(operation.started_us, self.container));
                let reply = self.ask(self.copies.remove(operation, key, version)).await?;
                if Outcome::parse(reply)?.done == Done::Late {
                    return Err(Down::Odd("a note was finished too late"));
                }
            }
            Noted::Invalidated(written) => {
                if let Some(invalidation) = written.as_ref().clone().recorded_at(Position::ZERO) {
                    self.finish_in_redis(&invalidation.selector, invalidation.levels).await?;
                }
            }
        }
        Ok(())
    }
}

/// Whether there are so many notes that a new epoch takes their place.
fn begins_epoch(found: &Notes) -> bool {
    found.more || found.notes.len() > MOST_REPLAYED
}
