//! The sync: one round trip that tells this container what the others did, and them what it read.

pub(crate) mod access_deltas;
pub(crate) mod audit;
pub(crate) mod piggyback;

use crate::tiered::view::View;
use crate::{
    clock::elapsed_ms,
    coherence::{AsOf, Coherence, Looked, Sent, Since},
    key::Key,
    lock::{Held, whole},
    planted::{Panic, panic_at},
    redis::{Batch, Command, Down, Fenced, OPERATION_LIFE, Operation, Order, Outcome, Question, Reply, SyncReply},
    source_of_truth::SourceOfTruth,
    stats::Count,
    version::{Position, Version},
};
use futures_util::future::join;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Most writes whose end is not known that are remembered: those of a wave of a warm job.
const MOST_UNFINISHED: usize = 1000;
/// How much later than its timeout a command of a broken connection may still arrive, and do something, in ms.
const ARRIVAL_MS: i64 = 1000;

/// A write into L2.
pub(crate) struct CopyWrite<'a> {
    pub key: &'a Key,
    pub tags: &'a [Arc<str>],
    pub version: Version,
    /// Bytes of its envelope.
    pub bytes: usize,
}

/// Keys that an operation wants to know of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About<'a> {
    pub keys: &'a [&'a Key],
    /// Also where the sync tells all that has happened since the last one.
    pub always: bool,
    /// The invalidations after this position are asked for, for a fill.
    pub fence: Option<Position>,
}

/// What a sync that follows on commands comes after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// After the last of them, each of which comes after the one before.
    EachOther,
    /// After all of them, which need not wait for each other.
    All,
}

/// A write into L2 whose end is not known.
#[derive(Debug)]
pub(crate) struct Unfinished {
    /// When it was given up, in steady ms, and how long after that it may still arrive.
    pub(crate) since_ms: i64,
    pub(crate) grace_ms: i64,
    pub(crate) key: Key,
    pub(crate) version: Version,
    pub(crate) as_of: Position,
}

/// What a sync brought.
pub(crate) struct Synced {
    /// The replies to the commands that went with it.
    pub replies: Vec<Reply>,
    /// What the index said of keys, where it was asked.
    pub looked: Option<Looked>,
    /// The as-of position of what those commands read.
    pub as_of: AsOf,
    /// What a fill asked for.
    pub fenced: Option<Fenced>,
}

impl Synced {
    /// Replies that came without a sync, of what was known at `as_of`.
    pub(crate) fn unasked(replies: Vec<Reply>, as_of: AsOf) -> Synced {
        Synced { replies, looked: None, as_of, fenced: None }
    }
}

/// What a write into L2 and the look into the journal after it gave.
pub(crate) struct Checked {
    pub replies: Vec<Reply>,
    /// What has been recorded of each key since the operation began, but for its own record.
    pub since: Vec<Since>,
}

impl Checked {
    /// What has been recorded of the only key, or of the first one.
    pub(crate) fn since(&self) -> Since {
        self.since.first().copied().unwrap_or(Since::Changed)
    }
}

impl View<'_> {
    /// Syncs, with the commands of `more` in the same round trip; returns the replies to those.
    pub(crate) async fn sync(&self, more: Vec<Command>) -> Result<Vec<Reply>, Down> {
        self.sync_about(About::default(), more).await.map(|synced| synced.replies)
    }

    /// The same, and what the index says of keys, where it was asked.
    ///
    /// When nobody has read the outage notes lately, they are read before this returns, so that what it says may be
    /// trusted.
    pub(crate) async fn sync_about(&self, about: About<'_>, more: Vec<Command>) -> Result<Synced, Down> {
        self.prefetches.allow(false);
        let count = more.len();
        let began = Instant::now();
        let hot = self.hot_keys();
        let sample = self.sample();
        let keys: Vec<&Key>;
        let about = if sample.is_empty() {
            about
        } else {
            keys = about.keys.iter().copied().chain(sample.iter().map(|(key, _)| key)).collect();
            About { keys: &keys, always: true, ..about }
        };
        let sent = self.send();
        let sync = self.sync_command(&sent, about, &hot);
        let (riding, piggybacked) = self.piggybacked();
        let batch = [sync].into_iter().chain(more).chain(riding).collect();
        let (replies, truth) = match sample.is_empty() {
            true => (self.link.run(&batch, Order::Any).await, None),
            false => {
                let (replies, truth) =
                    Box::pin(join(self.link.run(&batch, Order::Any), self.read_truth(&sample))).await;
                (replies, Some(truth))
            }
        };
        let mut replies = replies?.into_iter();
        self.sync_times.add(began.elapsed());
        let (looked, as_of, fenced, outbox_due) = {
            let mut reply = self.reply_to_sync(replies.next())?;
            let fenced = reply.fenced.take();
            let (looked, as_of, mut knowledge) = self.learn(reply, &sent, about, &hot)?;
            (looked, as_of, fenced, self.outbox_due(&sent, &mut knowledge))
        };
        let answers = replies.by_ref().take(count).collect();
        piggybacked.settle(replies);
        // Seldom more than nothing, and the deepest of all futures.
        let outbox_applied = Box::pin(self.apply_outbox(outbox_due)).await;
        self.knowledge().outbox_applied(&sent, outbox_applied.is_ok());
        if let Err(down) = &outbox_applied
            && down.is_refusal()
        {
            // With notes that the journal cannot take, what it says is of no use.
            self.link.spare();
            self.link.leave_alone();
        }
        outbox_applied?;
        if let Some(truth) = truth {
            self.audit(&sample, truth, looked.as_ref());
        }
        self.prefetches.allow(began.elapsed() < self.prefetch_time());
        Ok(Synced { replies: answers, looked, as_of, fenced })
    }

    /// Sends commands that must take effect one after another, and carry a value of so many bytes, and syncs after
    /// them: nothing that the journal said of them before can be missed. Returns the replies to the commands.
    ///
    /// What was changed in L3 is told with them: this container may sleep for long after.
    pub(crate) async fn then_sync(&self, commands: Vec<Command>, bytes: usize) -> Result<Vec<Reply>, Down> {
        let order = After::EachOther;
        self.then_sync_about(About::default(), commands, bytes, order).await.map(|(replies, _)| replies)
    }

    async fn then_sync_about(
        &self,
        about: About<'_>,
        commands: Vec<Command>,
        bytes: usize,
        after: After,
    ) -> Result<(Vec<Reply>, Option<Looked>), Down> {
        let count = commands.len();
        let hot = self.hot_keys();
        let sent = self.send();
        let sync = self.sync_command(&sent, about, &hot);
        let (riding, piggybacked) = self.piggybacked_rows();
        let order = match after {
            After::All => Order::InTwo(count),
            After::EachOther if riding.is_empty() => Order::InTurn,
            After::EachOther => Order::LastTwoAtOnce,
        };
        let batch = commands.into_iter().chain([sync]).chain(riding).collect::<Batch>().carrying(bytes);
        let mut replies = self.link.run(&batch, order).await?.into_iter();
        let answers = replies.by_ref().take(count).collect();
        let delta = replies.next();
        piggybacked.settle(replies);
        let (looked, ..) = self.learn(self.reply_to_sync(delta)?, &sent, about, &hot)?;
        Ok((answers, looked))
    }

    /// Sends commands that write into L2, one after another, and looks into the journal after them. A copy of `version`
    /// that something has happened to meanwhile is taken back.
    pub(crate) async fn then_check(
        &self,
        written: &CopyWrite<'_>,
        as_of: AsOf,
        commands: Vec<Command>,
    ) -> Result<Checked, Down> {
        self.then_check_all(std::slice::from_ref(written), as_of, commands, After::EachOther).await
    }

    /// The same of writes of many keys.
    pub(crate) async fn then_check_all(
        &self,
        written: &[CopyWrite<'_>],
        as_of: AsOf,
        commands: Vec<Command>,
        after: After,
    ) -> Result<Checked, Down> {
        let unchecked = Unchecked { view: self, written, as_of };
        let checked = self.check(written, as_of, commands, after).await?;
        std::mem::forget(unchecked);
        Ok(checked)
    }

    async fn check(
        &self,
        written: &[CopyWrite<'_>],
        as_of: AsOf,
        commands: Vec<Command>,
        after: After,
    ) -> Result<Checked, Down> {
        let keys: Vec<&Key> = written.iter().map(|written| written.key).collect();
        let bytes = written.iter().map(|written| written.bytes).sum();
        let about = About { keys: &keys, ..About::default() };
        let (replies, looked) = self.then_sync_about(about, commands, bytes, after).await?;
        let since: Vec<Since> = {
            let knowledge = self.knowledge();
            let since = |of: &CopyWrite<'_>| knowledge.since(of.key, of.tags, as_of, of.version, looked.as_ref());
            written.iter().map(since).collect()
        };
        let changed = written.iter().zip(&since).filter(|(_, since)| **since != Since::Unchanged);
        if self.source_of_truth() == SourceOfTruth::L3 {
            let operation = self.operation(as_of);
            let undo = |(of, _): (&CopyWrite<'_>, _)| {
                self.setup.copies.undo(operation, of.key.as_str(), of.version, as_of.position)
            };
            for undone in self.ask_all(changed.map(undo).collect(), 0).await? {
                Outcome::parse(undone)?;
            }
        }
        Ok(Checked { replies, since })
    }

    /// Whether there are writes whose end is not known.
    pub(crate) fn has_unfinished(&self) -> bool {
        !self.unfinished().is_empty()
    }

    /// Each is put in and taken out in one step.
    pub(crate) fn unfinished(&self) -> Held<'_, Vec<Unfinished>> {
        self.unfinished.enter(whole)
    }

    /// Remembers a write whose end is not known: it may arrive while its [`Operation`] lives, and is undone after.
    pub(crate) fn schedule_compensation(&self, written: &CopyWrite<'_>, as_of: AsOf) {
        if self.source_of_truth() == SourceOfTruth::L2 {
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
                as_of: as_of.position,
            });
        }
    }

    /// How old a script may find an operation that began with the sync of `as_of`: a little older than it is now. What
    /// a broken connection delivers later does nothing.
    pub(crate) fn operation(&self, as_of: AsOf) -> Operation {
        let age_ms = elapsed_ms(as_of.sent_ms, self.clock.steady_ms());
        let life_ms = age_ms.saturating_add(self.link_grace_ms().unsigned_abs());
        let life = Duration::from_millis(life_ms).min(OPERATION_LIFE);
        Operation { started_us: as_of.started_us, life_us: life.as_micros().try_into().unwrap_or(u64::MAX) }
    }

    /// How long after it was made a command may still arrive, in ms.
    fn link_grace_ms(&self) -> i64 {
        i64::try_from(self.setup.config.l2_config.timeout_ms).unwrap_or(i64::MAX).saturating_add(ARRIVAL_MS)
    }

    /// Sends one command.
    pub(crate) async fn ask(&self, command: Command) -> Result<Reply, Down> {
        let replies = self.link.run(&Batch::from_iter([command]), Order::Any).await?;
        replies.into_iter().next().ok_or(Down::Odd("no reply"))
    }

    /// Sends commands, in any order, which carry or bring so many bytes of values.
    pub(crate) async fn ask_all(&self, commands: Vec<Command>, bytes: usize) -> Result<Vec<Reply>, Down> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        self.link.run(&Batch::from_iter(commands).carrying(bytes), Order::Any).await
    }

    /// A sync that is sent now.
    pub(crate) fn send(&self) -> Sent {
        let now_ms = self.clock.steady_ms();
        self.knowledge().send(now_ms)
    }

    fn sync_command(&self, sent: &Sent, about: About<'_>, hot: &[Key]) -> Command {
        let document = self.setup().document.version;
        let question = Question { keys: about.keys, always: about.always, hot, fence: about.fence };
        let knowledge = self.knowledge();
        self.journal.sync(sent.cursor, knowledge.count(), document, knowledge.open().set(), &question)
    }

    fn reply_to_sync(&self, reply: Option<Reply>) -> Result<SyncReply, Down> {
        let reply = reply.ok_or(Down::Odd("no reply to a sync")).and_then(SyncReply::parse);
        reply.inspect_err(|_| self.link.leave_alone())
    }

    /// Takes in the reply to a sync. Returns what the index said, the as-of position of what was read beside it, and
    /// what is known now.
    pub(crate) fn learn(
        &self,
        reply: SyncReply,
        sent: &Sent,
        about: About<'_>,
        hot: &[Key],
    ) -> Result<(Option<Looked>, AsOf, Held<'_, Coherence>), Down> {
        self.counters.add(Count::Syncs, 1);
        // L1 applies the delta before anybody can take it for as fresh as the delta.
        let mut knowledge = self.knowledge();
        let published = reply.published.clone();
        let said = reply.said.clone();
        let before = knowledge.settled();
        let (as_of, delta) = knowledge.learn(reply, sent, |delta| {
            if !delta.changes.is_empty() {
                panic_at(Panic::DeltaUnapplied);
            }
            self.apply_delta(delta);
        })?;
        // What was known is newer: then nothing is new, and what the index said is out of date.
        let Some(delta) = delta else { return Ok((None, as_of, knowledge)) };
        if delta.clear {
            self.prefetches.clear();
        }
        self.prefetches.add(delta.warmed);
        let keys = about.keys.iter().copied().chain(hot);
        let looked = said.map(|said| Looked::of(keys, &said, knowledge.generation()));
        if delta.gap {
            self.confirm_hot(hot, before, looked.as_ref(), &knowledge);
        }
        self.walk(&mut knowledge);
        self.adopt_published(&published, sent.at_ms, &mut knowledge);
        Ok((looked, as_of, knowledge))
    }
}

/// Writes into L2 that are not checked yet. Should their operation end without that, by an error, a panic or because
/// nobody waits for it any more, they are undone.
struct Unchecked<'a> {
    view: &'a View<'a>,
    written: &'a [CopyWrite<'a>],
    as_of: AsOf,
}

impl Drop for Unchecked<'_> {
    fn drop(&mut self) {
        self.written.iter().for_each(|written| self.view.schedule_compensation(written, self.as_of));
    }
}
