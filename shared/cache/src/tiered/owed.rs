//! Whether this container has left notes that are not in the journal yet.
//!
//! Notes are left and read by several operations at once. Whoever reads them has read those only that were written by
//! then: a note that is on its way meanwhile goes on being owed.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Notes of this container.
#[derive(Debug, Default)]
pub(super) struct Owed {
    /// How many it began to leave, and how many of these are written or given up.
    begun: AtomicU64,
    ended: AtomicU64,
    /// Of those begun, the first so many are in the journal.
    told: AtomicU64,
}

/// A note on its way to the control table, until this is dropped.
#[must_use]
pub(super) struct Leaving<'a>(&'a Owed);

/// The notes that whoever begins to read now finds; `None` while another is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing(Option<u64>);

impl Owed {
    /// From now on a note is owed.
    pub(super) fn leave(&self) -> Leaving<'_> {
        self.begun.fetch_add(1, SeqCst);
        Leaving(self)
    }

    /// Whether any note is not in the journal yet.
    pub(super) fn any(&self) -> bool {
        self.told.load(SeqCst) != self.begun.load(SeqCst)
    }

    /// What there is, to be asked before the notes are read.
    pub(super) fn standing(&self) -> Standing {
        // In this order: one that begins in between is on its way.
        let ended = self.ended.load(SeqCst);
        Standing(Some(ended).filter(|ended| *ended == self.begun.load(SeqCst)))
    }

    /// The notes that stood are in the journal.
    pub(super) fn told(&self, standing: Standing) {
        if let Some(notes) = standing.0 {
            self.told.fetch_max(notes, SeqCst);
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
    fn a_note_is_owed_until_it_is_told() {
        let owed = Owed::default();
        assert!(!owed.any());
        drop(owed.leave());
        let standing = owed.standing();
        assert!(owed.any());
        owed.told(standing);
        assert!(!owed.any());
    }

    #[test]
    fn a_note_that_came_while_they_were_read_goes_on_being_owed() {
        let owed = Owed::default();
        drop(owed.leave());
        let standing = owed.standing();
        drop(owed.leave());
        owed.told(standing);
        assert!(owed.any(), "it was written after they were read");
        let on_its_way = owed.leave();
        let standing = owed.standing();
        drop(on_its_way);
        owed.told(standing);
        assert!(owed.any(), "it was on its way when they were read");
        owed.told(owed.standing());
        assert!(!owed.any());
    }
}
