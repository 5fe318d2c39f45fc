//! What this container knows of the journal, and how L1 follows it.

use super::TieredCache;
use crate::{
    coherence::{AsOf, Coherence, SyncDelta},
    lock::Held,
    planted::{Bug, planted},
};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

impl TieredCache {
    /// The as-of position of an operation that begins now.
    pub(super) fn as_of(&self) -> AsOf {
        self.knowledge().as_of()
    }

    /// What this container knows. Whoever is about to trust L1 or L2 asks for it first: after a panic, in whatever
    /// operation, that is nothing, and L1 is empty.
    pub(super) fn knowledge(&self) -> Held<'_, Coherence> {
        let mut knowledge = self.knowledge.enter(|_| self.panicked.store(true, Relaxed));
        if self.panicked.load(Acquire) && self.panicked.swap(false, AcqRel) && !planted(Bug::PanicIgnored) {
            self.begin_anew(&mut knowledge);
        }
        knowledge
    }

    /// Forgets what an operation that panicked may have left half done. What this container owes others is kept: undos,
    /// notes and mutations in doubt are written down in single steps.
    fn begin_anew(&self, knowledge: &mut Coherence) {
        tracing::error!("an operation panicked: this container begins with an empty memory");
        self.memory.replace(&self.setup().config.l1_config);
        knowledge.forget();
        self.prefetches.clear();
        self.followed_ms.store(i64::MIN, Relaxed);
    }

    /// Drops from L1 what a sync says is no longer certain.
    pub(super) fn apply_delta(&self, delta: &SyncDelta) {
        if delta.clear {
            self.memory.clear();
            return;
        }
        let now_ms = self.clock.now_ms();
        for change in &delta.changes {
            let Some(copy) = self.memory.get(&change.0, now_ms) else { continue };
            if SyncDelta::covers(change, copy.entry.version, copy.as_of) {
                self.memory.remove(&change.0, now_ms);
            } else if copy.entry.version == change.1 {
                copy.record(change.2);
            }
        }
    }
}
