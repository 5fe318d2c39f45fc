//! What must be known before a filled value is stored: that nothing has been invalidated since the miss.

use super::{Coherence, Fenced};
use crate::{
    fill::FillToken,
    key::Key,
    planted::{Bug, planted},
};
use std::sync::Arc;

impl Coherence {
    /// Whether it is certain that no invalidation since the miss means the key, by what the sync that was just taken in said
    /// of them. Puts and deletes are not asked for: they have replaced the row that a fill must find.
    pub(crate) fn proves(&self, token: &FillToken, key: &Key, tags: &[Arc<str>], fenced: &Fenced) -> bool {
        if planted(Bug::FillNotFenced) {
            return true;
        }
        let known =
            fenced.invalidations.as_ref().filter(|_| !self.has_unreadable_invalidation() && !self.is_settling());
        let unbroken = self.epoch == token.epoch && self.epoch <= token.since && self.switched <= token.since;
        let is_alive = self.time_us.saturating_sub(token.version.micros()) <= u64::from(token.seconds) * 1_000_000
            && token.version.micros() <= self.time_us;
        let touched = |all: &Vec<_>| {
            all.iter().any(|one: &crate::selector::Invalidation| one.selector.touches(key.as_str(), tags))
        };
        let is_open = self.open.newer_means(token.since, token.version, key, tags);
        unbroken && is_alive && !is_open && known.is_some_and(|all| !touched(all))
    }
}
