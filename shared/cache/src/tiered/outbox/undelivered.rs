//! Whether this container has left notes that are not in the journal yet.
//!
//! Several operations may leave and read notes at once. Reading the notes covers only those that were written by then: a
//! note that is still being written stays undelivered.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Notes of this container.
#[derive(Debug, Default)]
pub(crate) struct Undelivered {
    /// How many it began to leave, and how many of these are written or given up.
    begun: AtomicU64,
    ended: AtomicU64,
    /// Of those begun, the first so many are in the journal.
    delivered: AtomicU64,
}

/// A note on its way to the control table, until this is dropped.
#[must_use]
pub(crate) struct Leaving<'a>(&'a Undelivered);

/// The notes that are certain to be found by reading that begins now; `None` while one is still being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(Option<u64>);

impl Undelivered {
    /// From now on a note is undelivered.
    pub(crate) fn leave(&self) -> Leaving<'_> {
        self.begun.fetch_add(1, SeqCst);
        Leaving(self)
    }

    /// Whether any note is not in the journal yet.
    pub(crate) fn any(&self) -> bool {
        self.delivered.load(SeqCst) != self.begun.load(SeqCst)
    }

    /// What there is, to be asked before the notes are read.
    pub(crate) fn snapshot(&self) -> Snapshot {
        // In this order: one that begins in between is on its way.
        let ended = self.ended.load(SeqCst);
        Snapshot(Some(ended).filter(|ended| *ended == self.begun.load(SeqCst)))
    }

    /// The notes that stood are in the journal.
    pub(crate) fn delivered(&self, snapshot: Snapshot) {
        if let Some(notes) = snapshot.0 {
            self.delivered.fetch_max(notes, SeqCst);
        }
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_undelivered_until_it_is_delivered() {
        let undelivered = Undelivered::default();
        assert!(!undelivered.any());
        drop(undelivered.leave());
        let snapshot = undelivered.snapshot();
        assert!(undelivered.any());
        undelivered.delivered(snapshot);
        assert!(!undelivered.any());
    }

    #[test]
    fn a_note_that_came_while_they_were_read_goes_on_being_undelivered() {
        let undelivered = Undelivered::default();
        drop(undelivered.leave());
        let snapshot = undelivered.snapshot();
        drop(undelivered.leave());
        undelivered.delivered(snapshot);
        assert!(undelivered.any(), "it was written after they were read");
        let on_its_way = undelivered.leave();
        let snapshot = undelivered.snapshot();
        drop(on_its_way);
        undelivered.delivered(snapshot);
        assert!(undelivered.any(), "it was on its way when they were read");
        undelivered.delivered(undelivered.snapshot());
        assert!(!undelivered.any());
    }
}
