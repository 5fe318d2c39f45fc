//! What this container owes the journal, as far as it knows without asking.

use crate::tiered::{
    outbox::{in_doubt::InDoubt, undelivered::Leaving},
    view::View,
};
use crate::{
    coherence::{Coherence, Sent},
    key::Key,
    lock::{Held, whole},
    source_of_truth::SourceOfTruth,
    version::Version,
};

impl View<'_> {
    /// Whether a note of this container is not in the journal yet.
    pub(crate) fn has_undelivered_notes(&self) -> bool {
        self.undelivered.any()
    }

    /// From now on this container owes a note, which is written when the return value is dropped.
    pub(crate) fn begin_note(&self) -> Leaving<'_> {
        self.undelivered.leave()
    }

    /// Remembers a mutation that L3 may have taken although nobody was told so.
    pub(crate) fn doubt_write(&self, key: &Key, version: Version) {
        self.in_doubt().add(key, version);
    }

    /// Each is put in and taken out in one step.
    pub(crate) fn in_doubt(&self) -> Held<'_, InDoubt> {
        self.in_doubt.enter(whole)
    }

    /// Whether the sync that was just taken in has notes to apply. Until that is done nobody trusts anything by that sync,
    /// not other operations of this process either.
    pub(crate) fn outbox_due(&self, sent: &Sent, knowledge: &mut Coherence) -> bool {
        let due = self.due_notes(knowledge).is_some();
        if due {
            knowledge.must_apply_outbox(sent);
        }
        due
    }

    /// Which notes are to be put into the journal: those of this container, `Some(true)`, or of anybody, `Some(false)`.
    pub(crate) fn due_notes(&self, knowledge: &Coherence) -> Option<bool> {
        let undelivered = self.has_undelivered_notes() && self.source_of_truth() == SourceOfTruth::L3;
        (undelivered || !self.in_doubt().is_empty() || knowledge.notes_are_due()).then_some(undelivered)
    }
}
