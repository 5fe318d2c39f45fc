//! Outage notes: what Redis could not be told is told by whoever reaches it first; and the barriers of unfinished jobs,
//! which the control table keeps so that neither an outage nor a loss of Redis lifts them.

use super::view::View;
use crate::{
    barriers::Barriers,
    dynamo::{L3Error, Note, Noted, Notes},
    key::Key,
    level::Level,
    outcome::CacheError,
    planted::{Bug, planted},
    record::Change,
    redis::{Command, Done, Down, Operation, Outcome, appended, notes_are_checked},
    register::Register,
    selector::Written,
    version::{Position, Version},
};
use std::{
    sync::{MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::{Instant, timeout, timeout_at};

/// More notes than this begin a new epoch instead of being put into the journal one by one.
const MOST_REPLAYED: usize = 100;
/// Most notes deleted at once; the rest is found, and put into the journal, again.
const MOST_DROPPED: usize = 250;
/// How long a read waits for the outage notes to be read, one attempt of L3, and to be put into the journal.
const NOTES_TIMEOUT: Duration = Duration::from_millis(300);
const REPLAY_TIMEOUT: Duration = Duration::from_millis(500);
/// Most mutations that L3 may have taken which are remembered.
const MOST_SUSPECTS: usize = 100;

impl View<'_> {
    /// Leaves a note of a mutation that Redis is not told of. Before this container trusts L1 or L2 again, the note is
    /// put into the journal.
    pub(super) async fn leave_note(&self, noted: &Noted) -> Result<(), L3Error> {
        self.owe_notes();
        if planted(Bug::NoteNotLeft) { Ok(()) } else { self.store.leave_note(noted).await }
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
        if suspects.len() < MOST_SUSPECTS {
            suspects.push((key.clone(), version));
        }
    }

    fn suspects(&self) -> MutexGuard<'_, Vec<(Key, Version)>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the notes of an outage into the journal, and the configuration document beside it, if nobody has looked for
    /// them lately.
    ///
    /// # Errors
    /// When there are notes and the journal cannot take them: then nothing but L3 may be trusted.
    pub(super) async fn heed_notes(&self) -> Result<(), Down> {
        let owed = self.owes_notes.load(Relaxed) && self.register() == Register::L3;
        let due = owed || !self.suspects().is_empty() || self.knowledge().notes_are_due();
        if due && (owed || !self.notes_pause.is_on()) {
            self.read_notes(owed).await?;
        }
        self.put_back().await
    }

    /// Publishes the configuration that this container knows, where Redis has lost it or never had it.
    async fn put_back(&self) -> Result<(), Down> {
        match self.unpublished() {
            Some(document) if !self.link.is_refusing() => {
                self.then_sync(vec![self.journal.configure(&document)], 0).await.map(|_| ())
            }
            _ => Ok(()),
        }
    }

    async fn read_notes(&self, owed: bool) -> Result<(), Down> {
        let read = timeout(NOTES_TIMEOUT, self.store.notes()).await;
        match read.unwrap_or_else(|elapsed| Err(L3Error::Failed(elapsed.into()))) {
            Ok(found) => {
                timeout(REPLAY_TIMEOUT, self.replay_notes(&found)).await.map_err(|_| Down::TimedOut)??;
                self.owes_notes.store(false, Relaxed);
                // The journal has them now. Notes that are not finished in time are found, and finished, again.
                self.finish_notes(&found).await;
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
        // With L2 as the register, what only L3 was told does not exist.
        let replays = self.register() == Register::L3;
        let begin_epoch = replays && begins_epoch(found);
        // With more notes than one query reads, the next sync finds the rest: it must not think that all were.
        let checked_ms = if found.more { 0 } else { stamp.started_us / 1000 };
        let barriers = self.lost_barriers(found);
        let replayed = if begin_epoch || !replays { &[] } else { &*found.notes };
        let raised = barriers.iter().map(|body| self.journal.raise(operation, body));
        // L3 has just answered, so that copies of these keys can be confirmed.
        let suspects = self.suspects().clone();
        let suspected = suspects
            .iter()
            .map(|(key, version)| self.journal.append(operation, Change::Put, key.as_str(), *version, ""));
        let records: Vec<Command> =
            raised.chain(replayed.iter().map(|note| self.replay(operation, note))).chain(suspected).collect();
        if !records.is_empty() {
            // Known to be there before anybody is told that the notes were read.
            for reply in self.then_sync(records, 0).await? {
                appended(reply)?.ok_or(Down::Odd("a note was replayed too late"))?;
            }
        }
        let commands =
            vec![self.journal.notes_checked(checked_ms, begin_epoch), self.journal.configure(&found.document)];
        let checked = self.then_sync(commands, 0).await?.into_iter().next().ok_or(Down::Odd("no reply"));
        if begin_epoch {
            checked.and_then(notes_are_checked)?;
        }
        if !found.more && !self.knowledge().notes_were_read() {
            return Err(Down::Odd("what was just put into the journal is lost again"));
        }
        self.suspects().retain(|suspect| !suspects.contains(suspect));
        Ok(())
    }

    /// The barriers of unfinished jobs that Redis does not hold open.
    fn lost_barriers<'a>(&self, found: &'a Notes) -> Vec<&'a str> {
        let knowledge = self.knowledge();
        let is_open = |body: &str| {
            Written::read(Position::ZERO, body).is_some_and(|lost| knowledge.open_at(lost.version).is_some())
        };
        found.barriers.iter().map(String::as_str).filter(|body| !is_open(body)).collect()
    }

    /// Makes sure that a read which takes a row of L3 knows the open invalidations, and says as of when it does: where
    /// Redis cannot say, or may have lost them, the control table does. Asked before the row is: a barrier that is gone
    /// by then has removed what it means.
    ///
    /// # Errors
    /// When they cannot be learnt, or understood.
    pub(super) async fn know_barriers(&self, synced: bool, window_ms: u64) -> Result<i64, CacheError> {
        let now_ms = self.clock.now_ms();
        let known_ms = self.knowledge().barriers_known_ms(synced, now_ms, window_ms);
        if self.register() == Register::L3 && known_ms.is_none() {
            let found = self.store.notes().await?;
            let noted = Barriers::read(found.barriers.iter().map(|body| (Some(Position::ZERO), body.as_str())));
            self.knowledge().take_noted(noted, now_ms);
        }
        if self.knowledge().is_blind() {
            return Err(CacheError::unavailable(Level::L3, "an open invalidation is of a later release"));
        }
        Ok(known_ms.unwrap_or(now_ms))
    }

    /// Removes from L2 what the notes mean, and drops those for which that is done.
    async fn finish_notes(&self, found: &Notes) {
        if self.register() == Register::L2 {
            return;
        }
        let operation = self.operation(self.stamp());
        let deadline = Instant::now() + REPLAY_TIMEOUT;
        let mut done = Vec::new();
        for note in found.notes.iter().take(MOST_DROPPED) {
            // An epoch distrusts every copy there is.
            if !begins_epoch(found) {
                match timeout_at(deadline, self.finish(operation, &note.noted)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => continue,
                    Err(_) => break,
                }
            }
            done.push(note);
        }
        if let Err(error) = self.store.drop_notes(&done).await {
            tracing::warn!(%error, "outage notes are left to be replayed again");
        }
    }

    fn replay(&self, operation: Operation, note: &Note) -> Command {
        match &note.noted {
            Noted::Changed { key, version } => self.journal.append(operation, Change::Put, key, *version, ""),
            Noted::Invalidated(written) => self.journal.invalidated(operation, written),
        }
    }

    /// Removes from L2 what a mutation that the journal now knows of has left there.
    async fn finish(&self, operation: Operation, noted: &Noted) -> Result<(), Down> {
        match noted {
            Noted::Changed { key, version } => {
                // Every copy from before now: also one of that very version, which may have arrived after it was given up,
                // and one of a version that L3 had forgotten when this one was chosen.
                let version = version.next().max(self.version(self.stamp()));
                let reply = self.ask(self.setup.copies.remove(operation, key, version)).await?;
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

/// Whether a new epoch takes the notes' place: there are so many, or some that cannot be read.
fn begins_epoch(found: &Notes) -> bool {
    found.more || found.unreadable || found.notes.len() > MOST_REPLAYED
}
