//! The sync: one round trip that tells this container what the others did, and them what it read.

use super::view::View;
use crate::{
    coherence::{Looked, Since, Stamp},
    key::Key,
    redis::{Batch, Command, Down, OPERATION_LIFE, Operation, Order, Outcome, Question, Reply, SyncReply},
    register::Register,
    stats::Count,
    version::{Position, Version},
};
use std::{
    sync::{Arc, PoisonError},
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

/// Keys that an operation wants to know of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub keys: &'a [&'a Key],
    /// Also where the sync tells all that has happened since the last one.
    pub always: bool,
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

impl View<'_> {
    /// Syncs, with the commands of `more` in the same round trip; returns the replies to those.
    pub(super) async fn sync(&self, more: Vec<Command>) -> Result<Vec<Reply>, Down> {
        self.sync_about(About::default(), more).await.map(|(replies, _)| replies)
    }

    /// The same, and what the index says of keys, where it was asked.
    ///
    /// When nobody has read the outage notes lately, they are read before this returns, so that what it says may be
    /// trusted.
    pub(super) async fn sync_about(
        &self,
        about: About<'_>,
        more: Vec<Command>,
    ) -> Result<(Vec<Reply>, Option<Looked>), Down> {
        self.prefetches.allow(false);
        let count = more.len();
        let (riding, riders): (Vec<_>, Vec<_>) = self.riders().into_iter().unzip();
        let hot = self.hot_keys();
        let sync = self.sync_command(about, &hot);
        let batch = [sync].into_iter().chain(more).chain(riding).collect();
        let (sent_ms, sent) = (self.clock.now_ms(), Instant::now());
        let mut replies = match self.link.run(&batch, Order::Any).await {
            Ok(replies) => replies.into_iter(),
            Err(down) => {
                self.left_behind(riders);
                return Err(down);
            }
        };
        self.sync_times.add(sent.elapsed());
        let looked = match self.learn(replies.next(), sent_ms, about, &hot) {
            Ok(looked) => looked,
            Err(down) => {
                self.left_behind(riders);
                return Err(down);
            }
        };
        let answers = replies.by_ref().take(count).collect();
        self.settle(riders, replies);
        let heeded = self.heed_notes().await;
        self.knowledge().doubt(heeded.is_err());
        if let Err(down) = &heeded
            && down.is_refusal()
        {
            // With notes that the journal cannot take, what it says is of no use.
            self.link.spare();
            self.link.leave_alone();
        }
        heeded?;
        self.prefetches.allow(sent.elapsed() < self.prefetch_time());
        Ok((answers, looked))
    }

    /// Sends commands that must take effect one after another, and carry a value of so many bytes, and syncs after
    /// them: nothing that the journal said of them before can be missed. Returns the replies to the commands.
    ///
    /// What was changed in L3 is told with them: this container may sleep for long after.
    pub(super) async fn then_sync(&self, commands: Vec<Command>, bytes: usize) -> Result<Vec<Reply>, Down> {
        self.then_sync_about(About::default(), commands, bytes).await.map(|(replies, _)| replies)
    }

    async fn then_sync_about(
        &self,
        about: About<'_>,
        commands: Vec<Command>,
        bytes: usize,
    ) -> Result<(Vec<Reply>, Option<Looked>), Down> {
        let count = commands.len();
        let hot = self.hot_keys();
        let sync = self.sync_command(about, &hot);
        let (riding, riders): (Vec<_>, Vec<_>) = self.report_of_rows().into_iter().unzip();
        let order = if riding.is_empty() { Order::InTurn } else { Order::LastTwoAtOnce };
        let batch = commands.into_iter().chain([sync]).chain(riding).collect::<Batch>().carrying(bytes);
        let sent_ms = self.clock.now_ms();
        let mut replies = self.link.run(&batch, order).await?.into_iter();
        let answers = replies.by_ref().take(count).collect();
        let news = replies.next();
        self.settle(riders, replies);
        let looked = self.learn(news, sent_ms, about, &hot)?;
        Ok((answers, looked))
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
        let about = About { keys: &[written.key], always: false };
        let (replies, looked) = self.then_sync_about(about, commands, written.bytes).await?;
        let since = self.knowledge().since(written.key, written.tags, stamp, written.version, looked.as_ref());
        if since != Since::Unchanged && self.register() == Register::L3 {
            let key = written.key.as_str();
            let undo = self.setup.copies.undo(self.operation(stamp), key, written.version, stamp.position);
            Outcome::parse(self.ask(undo).await?)?;
        }
        Ok(Checked { replies, since })
    }

    /// Whether there are writes whose end is not known.
    pub(super) fn has_unfinished(&self) -> bool {
        !self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Remembers a write whose end is not known: it may arrive while its [`Operation`] lives, and is undone after.
    pub(super) fn owe_undo(&self, written: &Written<'_>, stamp: Stamp) {
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
        i64::try_from(self.setup.config.l2_config.timeout_ms).unwrap_or(i64::MAX).saturating_add(ARRIVAL_MS)
    }

    /// Sends one command.
    pub(super) async fn ask(&self, command: Command) -> Result<Reply, Down> {
        let replies = self.link.run(&Batch::from_iter([command]), Order::Any).await?;
        replies.into_iter().next().ok_or(Down::Odd("no reply"))
    }

    fn sync_command(&self, about: About<'_>, hot: &[Key]) -> Command {
        let document = self.setup().document.version;
        let question = Question { keys: about.keys, always: about.always, hot };
        let knowledge = self.knowledge();
        let open_set = knowledge.open().set();
        self.journal.sync(knowledge.cursor(), knowledge.count(), document, open_set, &question)
    }

    fn learn(&self, reply: Option<Reply>, sent_ms: i64, about: About<'_>, hot: &[Key]) -> Result<Option<Looked>, Down> {
        let reply = reply.ok_or(Down::Odd("no reply to a sync")).and_then(SyncReply::parse);
        let reply = reply.inspect_err(|_| self.link.leave_alone())?;
        self.counters.add(Count::Syncs, 1);
        // L1 heeds the news before anybody can take it for as fresh as the news.
        let mut knowledge = self.knowledge();
        let published = reply.published.clone();
        let said = reply.said.clone();
        let before = knowledge.generation();
        let news = knowledge.apply(reply, sent_ms);
        self.heed(&news);
        if news.clear {
            self.prefetches.clear();
        }
        self.prefetches.add(news.warmed);
        let keys = about.keys.iter().copied().chain(hot);
        let looked = said.map(|said| Looked::of(keys, &said, knowledge.generation()));
        if news.gap {
            self.confirm_hot(hot, before, looked.as_ref(), &knowledge);
        }
        self.adopt_published(&published, sent_ms, &mut knowledge);
        Ok(looked)
    }
}
