//! Outage notes: what Redis could not be told is put into the journal by the first container that reaches it. And the open
//! invalidations of unfinished jobs, which the control table keeps so that neither an outage nor a loss of Redis ends them.

pub(crate) mod in_doubt;
mod pending;
pub(crate) mod undelivered;

use crate::tiered::{outbox::in_doubt::InDoubt, view::View};
use crate::{
    dynamo::{Generation, L3Error, Note, Noted, Notes},
    level::Level,
    outcome::CacheError,
    planted::{Bug, planted},
    record::Change,
    redis::{Command, Done, Down, Operation, Outcome, appended, checked},
    selector::WrittenInvalidation,
    source_of_truth::SourceOfTruth,
    version::Position,
};
use std::{sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// How long a read waits for the outage notes to be put into the journal.
const REPLAY_TIMEOUT: Duration = Duration::from_millis(500);

/// Less than a sick level takes to answer: for a mistake.
const HASTE: Duration = Duration::from_millis(300);

/// What an outage has left, and what becomes of it.
struct Found {
    /// Redis time in microseconds when the reading began.
    began_us: u64,
    notes: Notes,
    in_doubt: InDoubt,
    /// The generation that is read from now on.
    generation: Generation,
    /// It begins now, and an epoch with it, which takes the place of all notes and writes in doubt.
    begins: bool,
}

impl View<'_> {
    /// Leaves a note of a mutation that Redis is not told of. Before this container trusts L1 or L2 again, the note is
    /// put into the journal.
    pub(crate) async fn leave_note(&self, noted: &Noted) -> Result<(), L3Error> {
        let _leaving = self.begin_note();
        if planted(Bug::OutageNoteNotLeft) { Ok(()) } else { self.store.leave_note(noted).await }
    }

    /// Puts the notes of an outage into the journal.
    ///
    /// # Errors
    /// When there are notes and the journal cannot take them, or when nobody knows whether there are: then nothing but L3
    /// may be trusted.
    pub(crate) async fn apply_outbox(&self) -> Result<(), Down> {
        if let Some(found) = self.deliver_notes().await? {
            // The journal has them now. Notes that are not finished in time are found, and finished, again.
            self.finish_notes(&found).await;
        }
        Ok(())
    }

    /// One operation at a time: what one finds the others need not look for, and one looks into all partitions at once.
    async fn deliver_notes(&self) -> Result<Option<Found>, Down> {
        let _alone = self.delivering.lock().await;
        let due = self.due_notes(&self.knowledge());
        let Some(undelivered) = due else { return Ok(None) };
        let snapshot = self.undelivered.snapshot();
        match self.find_notes().await {
            Ok(found) => {
                timeout(REPLAY_TIMEOUT, self.replay_notes(&found)).await.map_err(|_| Down::TimedOut)??;
                self.undelivered.delivered(snapshot);
                Ok(Some(found))
            }
            Err(error) => self.go_on_without_notes(undelivered, &error).map(|()| None),
        }
    }

    /// Without the notes, what this container has may be older than what others have acknowledged, unless L3 is dead: then
    /// nobody can have acknowledged anything, and reads go on.
    fn go_on_without_notes(&self, undelivered: bool, error: &L3Error) -> Result<(), Down> {
        if undelivered {
            tracing::warn!(%error, "own outage notes could not be read");
            return Err(Down::Odd("outage notes of this container are not in the journal yet"));
        }
        tracing::warn!(%error, "outage notes could not be read");
        if matches!(error, L3Error::Foreign(_)) {
            return Err(Down::Odd("the tables belong to another deployment"));
        }
        let unread_ms = self.notes_unread_ms.load(Relaxed);
        let unknown = self.source_of_truth() == SourceOfTruth::L3 && self.knowledge().notes_are_due();
        if unknown && self.store.is_sick(unread_ms) && !planted(Bug::NoAnswerTakenForNoNotes) {
            return Err(Down::Odd("whether there are outage notes is not known"));
        }
        Ok(())
    }

    /// Reads the notes, and ends their generation when there are too many. Tries again after a moment at the earliest.
    async fn find_notes(&self) -> Result<Found, L3Error> {
        if self.notes_pause.is_on() {
            return Err(L3Error::Skipped);
        }
        let (began_ms, unread_ms) = (self.clock.steady_ms(), self.notes_unread_ms.load(Relaxed));
        // A level that is silent is only listened to: an answer, if there is one, comes within an attempt.
        let silent = unread_ms < began_ms && !self.store.has_answered_since(unread_ms);
        let time = match silent {
            _ if planted(Bug::NoAnswerTakenForNoNotes) => HASTE,
            true => self.store.attempt_time(),
            false => self.store.timeout(),
        };
        match timeout(time, self.read_notes()).await.unwrap_or_else(|elapsed| Err(L3Error::Failed(elapsed.into()))) {
            Ok(found) => {
                self.notes_unread_ms.store(i64::MAX, Relaxed);
                Ok(found)
            }
            Err(error) => {
                self.notes_unread_ms.fetch_min(began_ms, Relaxed);
                self.notes_pause.begin();
                Err(error)
            }
        }
    }

    async fn read_notes(&self) -> Result<Found, L3Error> {
        let began_us = self.as_of().started_us;
        let in_doubt = self.in_doubt().clone();
        let known_ms = self.knowledge().notes_known_ms(self.clock.now_ms(), self.clock.steady_ms());
        let notes = self.store.notes(known_ms).await?;
        let begins = self.source_of_truth() == SourceOfTruth::L3 && (notes.too_many || in_doubt.are_too_many());
        let generation = if begins { self.store.end_generation(notes.generation).await? } else { notes.generation };
        Ok(Found { began_us, notes, in_doubt, generation, begins })
    }

    async fn replay_notes(&self, found: &Found) -> Result<(), Down> {
        let as_of = self.as_of();
        let operation = self.operation(as_of);
        // With L2 as the source of truth, what only L3 was told does not exist.
        let replays = self.source_of_truth() == SourceOfTruth::L3;
        let open_invalidations = self.lost_invalidations(&found.notes.bulletin.open_invalidations);
        let raised = open_invalidations.iter().map(|body| self.journal.raise(operation, body));
        let notes = found.notes.notes.iter().filter(|_| replays && !found.begins);
        let records: Vec<Command> = raised.chain(notes.map(|note| self.replay(operation, note))).collect();
        let count = records.len();
        // L3 has just answered, so that copies of these keys can be confirmed.
        let in_doubt: Vec<_> = found.in_doubt.iter().filter(|_| !found.begins).cloned().collect();
        let suspected = in_doubt
            .iter()
            .map(|(key, version)| self.journal.append(operation, Change::Put, key.as_str(), *version, ""));
        let records: Vec<Command> = records.into_iter().chain(suspected).collect();
        // Known to be there before anybody is told that the notes were read.
        let replies = if records.is_empty() { Vec::new() } else { self.then_sync(records, 0).await? };
        let mut replies = replies.into_iter();
        for reply in replies.by_ref().take(count) {
            appended(reply)?.ok_or(Down::Odd("a note was replayed too late"))?;
        }
        let is_told = |reply| matches!(appended(reply), Ok(Some(_)));
        let in_doubt: Vec<_> =
            in_doubt.into_iter().zip(replies).filter_map(|(one, reply)| is_told(reply).then_some(one)).collect();
        let ends = replays && !planted(Bug::GenerationNotAnnounced);
        let generation = if ends { found.generation.number } else { 0 };
        let checks = self.journal.notes_checked(found.began_us / 1000, generation);
        let document = found.notes.bulletin.document.iter().map(|document| self.journal.configure(document));
        let mut replies = self.then_sync([checks].into_iter().chain(document).collect(), 0).await?.into_iter();
        // Where nothing was left there is nothing to tell, and Redis may refuse to be told.
        let checked = replies.next().ok_or(Down::Odd("no reply")).and_then(checked);
        checked.or_else(|down| if found.notes.quiet && !found.begins { Ok(()) } else { Err(down) })?;
        if !self.knowledge().notes_were_read() {
            return Err(Down::Odd("what was just put into the journal is lost again"));
        }
        match found.begins {
            true => self.in_doubt().forget_all(&found.in_doubt),
            false => self.in_doubt().forget(&in_doubt),
        }
        Ok(())
    }

    /// The open invalidations of unfinished jobs that Redis does not hold open.
    fn lost_invalidations<'a>(&self, noted: &'a [String]) -> Vec<&'a str> {
        let knowledge = self.knowledge();
        let is_open = |body: &str| {
            WrittenInvalidation::read(Position::ZERO, body)
                .is_some_and(|lost| knowledge.open_at(lost.version).is_some())
        };
        noted.iter().map(String::as_str).filter(|body| !is_open(body)).collect()
    }

    /// Makes sure that a read which takes a row of L3 knows the open invalidations, and says as of when it does, in
    /// steady ms: where Redis cannot say, or may have lost them, the control table does. Asked before the row is: an
    /// open invalidation that is gone by then has removed what it means.
    ///
    /// # Errors
    /// When they cannot be learnt, or understood.
    pub(crate) async fn learn_open_invalidations(&self, synced: bool, window_ms: u64) -> Result<i64, CacheError> {
        let now_ms = self.clock.steady_ms();
        let known_ms = self.knowledge().open_invalidations_known_ms(synced, now_ms, window_ms);
        if self.source_of_truth() == SourceOfTruth::L3 && known_ms.is_none() {
            let bulletin = self.store.bulletin().await?;
            self.knowledge().take_noted(&bulletin.open_invalidations, now_ms);
        }
        if self.knowledge().has_unreadable_invalidation() {
            return Err(CacheError::unavailable(Level::L3, "an open invalidation is of a later release"));
        }
        Ok(known_ms.unwrap_or(now_ms))
    }

    /// Removes from L2 what the notes mean, and drops those for which that is done. An epoch distrusts every copy there is,
    /// and the notes of the generation before are left to maintenance.
    async fn finish_notes(&self, found: &Found) {
        if self.source_of_truth() == SourceOfTruth::L2 || found.begins {
            return;
        }
        let operation = self.operation(self.as_of());
        let deadline = Instant::now() + REPLAY_TIMEOUT;
        let mut done = Vec::new();
        for note in &found.notes.notes {
            match timeout_at(deadline, self.finish(operation, &note.noted)).await {
                Ok(Ok(())) => done.push(note),
                Ok(Err(_)) => {}
                Err(_) => break,
            }
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
                let version = version.next().max(self.version(self.as_of()));
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
