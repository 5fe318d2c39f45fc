//! The sync: one round trip that tells this container what the others did, and them what it read.

use super::TieredCache;
use crate::{
    coherence::Stamp,
    dynamo::Note,
    key::Key,
    level::Level,
    memory::Copy,
    record::Change,
    redis::{Batch, Command, Down, Order, Reply, SyncReply, Touch, appended, totals},
    register::Register,
    version::Version,
};
use std::sync::{
    Arc, PoisonError,
    atomic::Ordering::Relaxed,
};

/// Most copies whose reads wait for a sync; reads of more are not counted.
const MOST_TOUCHED: usize = 1000;
/// More notes than this begin a new epoch instead of being put into the journal one by one.
const MOST_REPLAYED: usize = 100;
/// How long the notes are not asked for again after L3 did not answer, in ms.
const NOTES_RETRY_MS: i64 = 1000;

/// What a write into L2 and the look into the journal after it gave.
pub(super) struct Checked {
    pub replies: Vec<Reply>,
    /// Nothing that touches the key has been recorded since the operation began, but its own record.
    pub unchanged: bool,
}

/// A command whose reply belongs to these reads.
type TouchCommand = (Command, Vec<Touch>);

impl TieredCache {
    /// Syncs, with the commands of `more` in the same round trip; returns the replies to those.
    ///
    /// When nobody has read the outage notes lately, they are read before this returns, so that what it says may be
    /// trusted.
    pub(super) async fn sync(&self, more: Vec<Command>) -> Result<Vec<Reply>, Down> {
        let touches = self.copies.touch(self.take_touched());
        let count = more.len();
        let mut batch = Batch::default();
        batch.push(self.journal.sync(self.knowledge().cursor()));
        more.into_iter().chain(touches.iter().map(|(command, _)| command.clone())).for_each(|command| batch.push(command));
        let sent_ms = self.clock.now_ms();
        let mut replies = self.link.run(&batch, Order::Any).await?.into_iter();
        self.learn(replies.next(), sent_ms)?;
        let answers = replies.by_ref().take(count).collect();
        self.settle_touched(touches, replies);
        self.heed_notes().await;
        Ok(answers)
    }

    /// Sends commands that must take effect one after another, and syncs after them: nothing that the journal said
    /// of them before can be missed. Returns the replies to the commands.
    pub(super) async fn then_sync(&self, commands: Vec<Command>) -> Result<Vec<Reply>, Down> {
        let count = commands.len();
        let sync = self.journal.sync(self.knowledge().cursor());
        let batch = commands.into_iter().chain([sync]).collect();
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
        key: &Key,
        stamp: Stamp,
        version: Version,
        commands: Vec<Command>,
    ) -> Result<Checked, Down> {
        let replies = self.then_sync(commands).await?;
        let unchanged = {
            let knowledge = self.knowledge();
            !knowledge.restarted_since(stamp) && !knowledge.covers(key, version, stamp.position)
        };
        if !unchanged && self.register() == Register::L3 {
            self.ask(self.copies.undo(stamp.started_us, key.as_str(), version, stamp.position)).await?;
        }
        Ok(Checked { replies, unchanged })
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
        let news = self.knowledge().apply(reply, sent_ms);
        self.heed(&news);
        Ok(())
    }

    /// Puts the notes of an outage into the journal, if nobody has looked for them lately.
    async fn heed_notes(&self) {
        let now_ms = self.clock.now_ms();
        if !self.notes_are_due(now_ms) {
            return;
        }
        if let Err(error) = self.replay_notes().await {
            // A note is left only where L3 answers. While it does not, no new ones come, and reads go on.
            self.notes_retry_ms.store(now_ms + NOTES_RETRY_MS, Relaxed);
            tracing::warn!(%error, "outage notes could not be read");
        }
    }

    fn notes_are_due(&self, now_ms: i64) -> bool {
        let knowledge = self.knowledge();
        knowledge.register() == Register::L3
            && knowledge.notes_are_due()
            && now_ms >= self.notes_retry_ms.load(Relaxed)
    }

    async fn replay_notes(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let began_us = self.knowledge().time_us();
        let found = self.store.notes().await?;
        let begin_epoch = found.more || found.notes.len() > MOST_REPLAYED;
        let mut commands: Vec<Command> = Vec::new();
        if !begin_epoch {
            commands.extend(found.notes.iter().flat_map(|note| self.replay(began_us, note)));
        }
        // With more notes than one query reads, the next sync finds the rest: it must not think that all were.
        let checked_ms = if found.more { 0 } else { began_us / 1000 };
        commands.push(self.journal.notes_checked(checked_ms, begin_epoch));
        let replies = self.then_sync(commands).await?;
        for reply in replies.into_iter().take(if begin_epoch { 0 } else { 2 * found.notes.len() }).step_by(2) {
            appended(reply)?.ok_or("a note was replayed too late")?;
        }
        if !found.notes.is_empty() {
            self.store.drop_notes(&found.notes).await?;
        }
        Ok(())
    }

    fn replay(&self, began_us: u64, note: &Note) -> [Command; 2] {
        let key = &*note.key;
        [
            self.journal.append(began_us, Change::Put, key, note.version),
            self.copies.remove(began_us, key, note.version),
        ]
    }

    /// Remembers that `copy` was read, for the next sync to tell the fleet; returns all reads known of.
    pub(super) fn count_read(&self, key: &Key, copy: &Arc<Copy>) -> u64 {
        let own = copy.own_reads.fetch_add(1, Relaxed) + 1;
        if own == 1 && self.uses(Level::L2) {
            let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
            if touched.len() < MOST_TOUCHED {
                touched.push((key.clone(), Arc::clone(copy)));
            }
        }
        copy.shared_reads.load(Relaxed) + own
    }

    fn take_touched(&self) -> Vec<Touch> {
        let touched = std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner));
        touched
            .into_iter()
            .map(|(key, copy)| {
                let reads = copy.own_reads.swap(0, Relaxed);
                copy.shared_reads.fetch_add(reads, Relaxed);
                Touch {
                    key,
                    version: copy.entry.version,
                    reads,
                    last_ms: copy.last_accessed_ms.load(Relaxed),
                }
            })
            .collect()
    }

    /// Takes the fleet's numbers of reads back into the copies that L1 still holds.
    fn settle_touched(&self, touches: Vec<TouchCommand>, replies: impl Iterator<Item = Reply>) {
        let now_ms = self.clock.now_ms();
        for ((_, touches), reply) in touches.into_iter().zip(replies) {
            for (touch, total) in touches.iter().zip(totals(reply)) {
                if let Some(total) = total
                    && let Some(copy) = self.memory.get(&touch.key, now_ms)
                    && copy.entry.version == touch.version
                {
                    copy.shared_reads.store(total, Relaxed);
                }
            }
        }
    }
}
