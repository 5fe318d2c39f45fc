//! The sync: one round trip that tells this container what the others did, and reports what it has read.

pub(crate) mod access_deltas;
pub(crate) mod audit;
mod commands;
pub(crate) mod left_leases;
pub(crate) mod piggyback;
pub(crate) mod unfinished;

use crate::tiered::{
    sync::{
        audit::{Sample, Truth},
        unfinished::CopyWrite,
    },
    view::View,
};
use crate::{
    coherence::{Apart, AsOf, Coherence, Fenced, Looked, Sent, Since, SyncReply},
    dynamo::L3Error,
    key::Key,
    lock::Held,
    planted::{Panic, panic_at},
    redis::{Batch, Command, Down, Order, Outcome, Question, Reply},
    source_of_truth::SourceOfTruth,
    stats::Count,
    version::Position,
};
use futures_util::future::join;
use tokio::time::Instant;

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

/// What a sync has taught this container. What follows from it is for [`catch_up`](crate::tiered::catch_up) to do.
pub(crate) struct Learnt {
    pub synced: Synced,
    pub sent: Sent,
    /// The outbox is to be put into the journal before anybody trusts anything by this sync.
    pub outbox_due: bool,
    /// Copies to compare with what L3 had of them beside the sync.
    pub audited: Option<(Sample, Result<Truth, L3Error>)>,
    /// When it was sent.
    pub began: Instant,
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
    /// Makes a sync, and takes in what it brings.
    pub(crate) async fn round_trip(&self, about: About<'_>, more: Vec<Command>) -> Result<Learnt, Down> {
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
        let synced = Synced { replies: answers, looked, as_of, fenced };
        Ok(Learnt { synced, sent, outbox_due, audited: truth.map(|truth| (sample, truth)), began })
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
        let (as_of, delta) = knowledge
            .learn(reply, sent, |delta| {
                if !delta.changes.is_empty() {
                    panic_at(Panic::DeltaUnapplied);
                }
                self.apply_delta(delta);
            })
            .map_err(|Apart| Down::Odd("records after what is not known any more"))?;
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
