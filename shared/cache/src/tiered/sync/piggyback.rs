//! What rides along with a sync: commands that need no round trip of their own, and what becomes of their replies.

use crate::tiered::{sync::unfinished::Unfinished, view::View};
use crate::{
    limits::Renewal,
    planted::{Panic, panic_at},
    redis::{Command, MEMORY_MS, Outcome, Reply, Touch, is_refused, reported},
    stats::Holding,
};
use std::collections::VecDeque;

/// What the reply to a command that rode along means.
pub(crate) enum PiggybackedCommand {
    /// The fleet's numbers of reads of these copies.
    AccessDeltas(Vec<Touch>),
    /// This write, whose end was not known, is undone.
    Undone(Unfinished),
    /// A lease went back.
    GivenBack,
    /// A report of used permits, and new ones.
    Renewed(Renewal),
    /// The fleet has this container's report of that number.
    Reported(u64),
}

/// The piggybacked commands of a sync on its way. However that ends, what must not be lost with it is kept for the next
/// one.
pub(crate) struct Piggybacked<'a> {
    view: &'a View<'a>,
    piggybacked: VecDeque<PiggybackedCommand>,
}

impl Piggybacked<'_> {
    /// Applies the replies to the commands that rode along.
    pub(crate) fn settle(mut self, replies: impl Iterator<Item = Reply>) {
        panic_at(Panic::Piggybacked);
        for reply in replies {
            let Some(piggybacked_command) = self.piggybacked.pop_front() else { return };
            self.view.settle(piggybacked_command, reply);
        }
    }
}

impl Drop for Piggybacked<'_> {
    fn drop(&mut self) {
        self.view.requeue(self.piggybacked.drain(..));
    }
}

impl View<'_> {
    /// The commands for the next sync to take along. Each of them writes.
    pub(crate) fn piggybacked(&self) -> (Vec<Command>, Piggybacked<'_>) {
        if self.link.is_refusing() {
            return self.piggyback([]);
        }
        let deltas = self.setup.copies.touch(self.take_access_deltas());
        let deltas = deltas.into_iter().map(|(command, deltas)| (command, PiggybackedCommand::AccessDeltas(deltas)));
        let undone =
            self.undo_unfinished().into_iter().map(|(command, write)| (command, PiggybackedCommand::Undone(write)));
        let renewals =
            self.due_renewals().into_iter().map(|(command, renewal)| (command, PiggybackedCommand::Renewed(renewal)));
        let given_back = self.give_back_leases().into_iter().map(|command| (command, PiggybackedCommand::GivenBack));
        self.piggyback(deltas.chain(undone).chain(given_back).chain(renewals).chain(self.report()))
    }

    fn piggyback(
        &self,
        piggybacked: impl IntoIterator<Item = (Command, PiggybackedCommand)>,
    ) -> (Vec<Command>, Piggybacked<'_>) {
        let (commands, piggybacked) = piggybacked.into_iter().unzip();
        (commands, Piggybacked { view: self, piggybacked })
    }

    fn settle(&self, piggybacked_command: PiggybackedCommand, reply: Reply) {
        match piggybacked_command {
            PiggybackedCommand::AccessDeltas(deltas) => self.settle_access_deltas(&deltas, reply),
            PiggybackedCommand::Undone(write) => self.settle_undone(write, reply),
            PiggybackedCommand::Renewed(renewal) => {
                if let Err(down) = self.settle_renewal(&renewal, reply) {
                    tracing::warn!(%down, "no permits from Redis");
                }
            }
            // Where that failed, it ends by itself.
            PiggybackedCommand::GivenBack => {}
            // Nothing was done: it is sent again.
            PiggybackedCommand::Reported(_) if is_refused(&reply) => self.link.spare(),
            PiggybackedCommand::Reported(number) => {
                // Also where the script failed: counting too little is better than counting twice.
                self.reporter.arrived(number);
                if let Some(census_ms) = reported(reply) {
                    self.store.tally.learn_census(census_ms);
                }
            }
        }
    }

    /// An undo that failed is not done.
    fn settle_undone(&self, write: Unfinished, reply: Reply) {
        if let Err(down) = Outcome::parse(reply) {
            tracing::warn!(%down, "a write whose end is not known stays to be undone");
            self.requeue([PiggybackedCommand::Undone(write)]);
        }
    }

    /// Keeps for the next sync what must not be lost with this one. Reads of single values are; permits and reports are
    /// made anew by who asks for them.
    fn requeue(&self, piggybacked: impl IntoIterator<Item = PiggybackedCommand>) {
        let undone = piggybacked.into_iter().filter_map(|piggybacked_command| match piggybacked_command {
            PiggybackedCommand::Undone(write) => Some(write),
            PiggybackedCommand::AccessDeltas(_)
            | PiggybackedCommand::GivenBack
            | PiggybackedCommand::Renewed(_)
            | PiggybackedCommand::Reported(_) => None,
        });
        self.unfinished().extend(undone);
    }

    /// The report of what this container has changed in L3, where it has not told that yet.
    pub(crate) fn piggybacked_rows(&self) -> (Vec<Command>, Piggybacked<'_>) {
        self.piggyback(self.store.tally.has_changes().then(|| self.report()).flatten())
    }

    /// What this container has counted since its last report.
    fn report(&self) -> Option<(Command, PiggybackedCommand)> {
        let now_ms = self.clock.now_ms();
        let held = || Holding {
            usage: self.memory.usage(now_ms),
            forecast: self.memory.forecast(now_ms, now_ms.saturating_add(MEMORY_MS)),
        };
        let report = self.reporter.report(&self.counters, &self.store.tally, held, now_ms)?;
        Some((self.fleet.report(&report, self.audits.oldest_ms()), PiggybackedCommand::Reported(report.number)))
    }
}
