//! What is known of the outage notes, and of the open invalidations that the control table keeps.

use super::Coherence;
use crate::{
    clock::elapsed_ms, open_invalidations::OpenInvalidations, source_of_truth::SourceOfTruth, version::Position,
};

/// Λ: the bound for a mutation that Redis was not told of, in ms.
pub(crate) const LAMBDA_MS: i64 = 10_000;
/// Λ less a margin for the sync that carries the delta: outage notes are read at least this often by someone, in ms.
pub(crate) const NOTES_INTERVAL_MS: u64 = 8_000;

impl Coherence {
    /// Whether nobody has read the outage notes lately.
    pub(crate) fn notes_are_due(&self) -> bool {
        // A time to come was given out by a server whose clock was ahead.
        let age_ms = (self.time_us / 1000).checked_sub(self.notes_checked_ms);
        age_ms.is_none_or(|age_ms| age_ms > NOTES_INTERVAL_MS)
    }

    /// Whether the notes that a sync had to apply are not applied: then every read is due again, as if it had failed.
    pub(crate) fn mark_untrusted(&mut self, untrusted: bool) {
        self.untrusted = untrusted;
    }

    /// Takes in the open invalidations that the control table named when it was asked at `asked_ms` of steady time.
    /// With L2 as the source of truth only Redis counts.
    pub(crate) fn take_noted(&mut self, open_invalidations: &[String], asked_ms: i64) {
        if self.source_of_truth == SourceOfTruth::L2 {
            return;
        }
        let noted =
            OpenInvalidations::read(open_invalidations.iter().map(|body| (Some(Position::ZERO), body.as_str())));
        self.newest = self.newest.max(noted.newest());
        // Another operation may have asked later, and got its answer sooner.
        if asked_ms >= self.noted_ms {
            self.noted = noted;
            self.noted_ms = asked_ms;
        }
    }

    /// The steady time as of which the open invalidations are known well enough for a read that takes a row of L3: from the
    /// journal, when `synced` and nothing of it may be lost, or from the control table within the window. `None` when
    /// they are not.
    pub(crate) fn open_invalidations_known_ms(&self, synced: bool, now_ms: i64, window_ms: u64) -> Option<i64> {
        if synced && self.notes_were_read() {
            return Some(self.sent_ms);
        }
        let age = now_ms.saturating_sub(self.noted_ms);
        (self.noted_ms != i64::MIN && age >= 0 && age.unsigned_abs() < window_ms).then_some(self.noted_ms)
    }

    /// Whether somebody has read the notes of the control table since the epoch began.
    pub(crate) fn notes_were_read(&self) -> bool {
        self.notes_checked_ms > 0
    }

    /// As of when the journal has the notes, by own clock, which may differ from that of Redis; `i64::MIN` when nobody has
    /// read them since the epoch began. It is `now_ms` now, and `steady_ms` of steady time.
    pub(crate) fn notes_known_ms(&self, now_ms: i64, steady_ms: i64) -> i64 {
        let age_ms = (self.time_us / 1000).checked_sub(self.notes_checked_ms).filter(|_| self.notes_were_read());
        let age_ms = age_ms.map(|age_ms| age_ms.saturating_add(elapsed_ms(self.sent_ms, steady_ms)));
        age_ms.and_then(|age_ms| i64::try_from(age_ms).ok()).map_or(i64::MIN, |age_ms| now_ms.saturating_sub(age_ms))
    }
}
