//! The sync: one round trip that tells this container what the others did, and them what it read.

use super::view::View;
use crate::{
    clock::elapsed_ms,
    coherence::{Coherence, Sent, Since, Stamp},
    key::Key,
    lock::{Held, whole},
    planted::{Panic, panic_at},
    redis::{Batch, Command, Down, OPERATION_LIFE, Operation, Order, Outcome, Reply, SyncReply},
    register::Register,
    stats::Count,
    version::{Position, Version},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Most writes whose end is not known that are remembered: those of a wave of a warm job.
const MOST_UNFINISHED: usize = 1000;
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
    /// When it was given up, in steady ms, and how long after that it may still arrive.
    pub(super) since_ms: i64,
    pub(super) grace_ms: i64,
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

impl View<'_> {
    /// Syncs, with the commands of `more` in the same round trip; returns the replies to those.
    ///
    /// When nobody has read the outage notes lately, they are read before this returns, so that what it says may be
    /// trusted.
    pub(super) async fn sync(&self, more: Vec<Command>) -> Result<Vec<Reply>, Down> {
        self.sync_beside(more).await.map(|(replies, _)| replies)
    }

    /// The same; also returns the stamp of what those commands read.
    pub(super) async fn sync_beside(&self, more: Vec<Command>) -> Result<(Vec<Reply>, Stamp), Down> {
        self.prefetches.allow(false);
        let count = more.len();
        let began = Instant::now();
        let sent = self.send();
        let sync = self.sync_command(&sent);
        let (riding, riders) = self.riders();
        let batch = [sync].into_iter().chain(more).chain(riding).collect();
        let mut replies = self.link.run(&batch, Order::Any).await?.into_iter();
        self.sync_times.add(began.elapsed());
        let (stamp, heeding) = {
            let (stamp, mut knowledge) = self.learn(reply_to_sync(replies.next())?, &sent)?;
            (stamp, self.heeding(&sent, &mut knowledge))
        };
        let answers = replies.by_ref().take(count).collect();
        riders.settle(replies);
        let heeded = self.heed_notes(heeding).await;
        self.knowledge().heeded(&sent, heeded.is_ok());
        heeded?;
        self.prefetches.allow(began.elapsed() < self.prefetch_time());
        Ok((answers, stamp))
    }

    /// Sends commands that must take effect one after another, and carry a value of so many bytes, and syncs after
    /// them: nothing that the journal said of them before can be missed. Returns the replies to the commands.
    pub(super) async fn then_sync(&self, commands: Vec<Command>, bytes: usize) -> Result<Vec<Reply>, Down> {
        let count = commands.len();
        let sent = self.send();
        let batch = commands.into_iter().chain([self.sync_command(&sent)]).collect::<Batch>().carrying(bytes);
        let mut replies = self.link.run(&batch, Order::InTurn).await?;
        drop(self.learn(reply_to_sync(replies.pop())?, &sent)?);
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
        let unchecked = Unchecked { view: self, written, stamp };
        let checked = self.check(written, stamp, commands).await?;
        std::mem::forget(unchecked);
        Ok(checked)
    }

    async fn check(&self, written: &Written<'_>, stamp: Stamp, commands: Vec<Command>) -> Result<Checked, Down> {
        let replies = self.then_sync(commands, written.bytes).await?;
        let since = self.knowledge().since(written.key, written.tags, stamp, written.version);
        if since != Since::Unchanged && self.register() == Register::L3 {
            let key = written.key.as_str();
            let undo = self.setup.copies.undo(self.operation(stamp), key, written.version, stamp.position);
            Outcome::parse(self.ask(undo).await?)?;
        }
        Ok(Checked { replies, since })
    }

    /// Whether there are writes whose end is not known.
    pub(super) fn has_unfinished(&self) -> bool {
        !self.unfinished().is_empty()
    }

    /// Each is put in and taken out in one step.
    pub(super) fn unfinished(&self) -> Held<'_, Vec<Unfinished>> {
        self.unfinished.enter(whole)
    }

    /// Remembers a write whose end is not known: it may arrive while its [`Operation`] lives, and is undone after.
    pub(super) fn owe_undo(&self, written: &Written<'_>, stamp: Stamp) {
        if self.register() == Register::L2 {
            return;
        }
        let (since_ms, grace_ms) = (self.clock.steady_ms(), self.link_grace_ms());
        let mut unfinished = self.unfinished();
        if unfinished.len() < MOST_UNFINISHED {
            unfinished.push(Unfinished {
                since_ms,
                grace_ms,
                key: written.key.clone(),
                version: written.version,
                stamp: stamp.position,
            });
        }
    }

    /// How old a script may find an operation that began with the sync of `stamp`: a little older than it is now. What
    /// a broken connection delivers later does nothing.
    pub(super) fn operation(&self, stamp: Stamp) -> Operation {
        let age_ms = elapsed_ms(stamp.sent_ms, self.clock.steady_ms());
        let life_ms = age_ms.saturating_add(self.link_grace_ms().unsigned_abs());
        let life = Duration::from_millis(life_ms).min(OPERATION_LIFE);
        Operation { started_us: stamp.started_us, life_us: life.as_micros().try_into().unwrap_or(u64::MAX) }
    }

    /// How long after it was made a command may still arrive, in ms.
    fn link_grace_ms(&self) -> i64 {
        i64::try_from(self.setup.config.l2_config.timeout_ms).unwrap_or(i64::MAX).saturating_add(ARRIVAL_MS)
    }

    /// Sends one command.
    pub(super) async fn ask(&self, command: Command) -> Result<Reply, Down> {
        let replies = self.link.run(&Batch::from_iter([command]), Order::Any).await?;
        replies.into_iter().next().ok_or(Down::Odd("no reply"))
    }

    /// A sync that is sent now.
    pub(super) fn send(&self) -> Sent {
        let now_ms = self.clock.steady_ms();
        self.knowledge().send(now_ms)
    }

    fn sync_command(&self, sent: &Sent) -> Command {
        self.journal.sync(sent.cursor, self.setup().document.version)
    }

    /// Takes in the reply to a sync. Returns the stamp of what was read beside it, and what is known now.
    pub(super) fn learn(&self, reply: SyncReply, sent: &Sent) -> Result<(Stamp, Held<'_, Coherence>), Down> {
        self.counters.add(Count::Syncs, 1);
        // L1 heeds the news before anybody can take it for as fresh as the news.
        let mut knowledge = self.knowledge();
        let published = reply.published.clone();
        let (stamp, news) = knowledge.learn(reply, sent, |news| {
            if !news.changes.is_empty() {
                panic_at(Panic::NewsUnheeded);
            }
            self.heed(news);
        })?;
        if news.clear {
            self.prefetches.clear();
        }
        self.prefetches.add(news.warmed);
        self.adopt_published(&published, sent.at_ms, &mut knowledge);
        Ok((stamp, knowledge))
    }
}

fn reply_to_sync(reply: Option<Reply>) -> Result<SyncReply, Down> {
    SyncReply::parse(reply.ok_or(Down::Odd("no reply to a sync"))?)
}

/// A write into L2 that is not checked yet. Should its operation end without that, by an error, a panic or because nobody
/// waits for it any more, it is undone.
struct Unchecked<'a> {
    view: &'a View<'a>,
    written: &'a Written<'a>,
    stamp: Stamp,
}

impl Drop for Unchecked<'_> {
    fn drop(&mut self) {
        self.view.owe_undo(self.written, self.stamp);
    }
}
