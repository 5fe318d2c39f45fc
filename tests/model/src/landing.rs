//! When a mutation takes effect, and what must not be read any more from then on: for the history, which nothing of the
//! protocol reads.

use crate::{
    history::Floor,
    state::{State, Version, Who},
};

impl State {
    /// A value takes effect. Returns what it outdates. What it is hidden by counts as later than it, but for a job that
    /// had left its note before its PUT began.
    pub fn land(&mut self, version: Version, durable: bool, overlaps_job: bool) -> Floor {
        let present = durable && self.shows(version, overlaps_job);
        if !present {
            self.expect_nothing();
        }
        self.history.put(version, present)
    }

    /// A PATCH of the value `before` takes effect as `version`. Returns what it outdates. Every job that has not ended
    /// means the value, and so what is made of it.
    pub fn land_patch(&mut self, before: Version, version: Version) -> Floor {
        self.floors(&mut |floor| floor.inherit(before, version));
        let present = self.history.current == Some(before) && self.shows(version, true);
        if !present {
            self.expect_nothing();
        }
        self.history.patch(before, version, present)
    }

    /// Whether nothing that is open hides a value.
    fn shows(&self, version: Version, overlaps_job: bool) -> bool {
        let jobs = self.database.newest_job();
        let open = self
            .redis
            .open
            .iter()
            .filter(|open_invalidation| open_invalidation.database && open_invalidation.version > jobs);
        let open_invalidation = open.map(|open_invalidation| open_invalidation.version).max().unwrap_or(0);
        let job = if overlaps_job { jobs } else { 0 };
        version >= open_invalidation.max(job)
    }

    /// A removal of everything below `version` takes effect. Returns what it outdates.
    pub fn land_removal(&mut self, version: Version) -> Floor {
        if self.history.current.is_none_or(|current| current < version) {
            self.expect_nothing();
        }
        self.history.remove_below(version)
    }

    /// From now on a read may find nothing.
    pub fn expect_nothing(&mut self) {
        self.floors(&mut |floor| floor.present = false);
    }

    /// A removal that can be undone takes effect.
    pub fn land_undoable(&mut self, version: Version, who: Who) -> Floor {
        if self.history.current.is_none_or(|current| current < version) {
            self.expect_nothing();
        }
        let undoable = &self.database.undoable;
        self.history.shelve_below(version, |own| undoable.contains(&(own, who)))
    }

    /// The value `born` is back, which the invalidation `by` removed if it was the one that is undone, as `restored`.
    /// It is as forbidden as whatever else has ended it says.
    pub fn land_undo(&mut self, born: Version, by: Option<Version>, restored: Version) {
        let shelved = self.history.shelved.filter(|shelved| Some(shelved.by) == by);
        let name = shelved.map_or(born, |shelved| shelved.name);
        self.floors(&mut |floor| floor.inherit(name, restored));
        if let Some(shelved) = shelved
            && self.history.current.is_none()
            && !self.history.outdated.removed.has(name)
        {
            (self.history.current, self.history.born) = (Some(restored), shelved.born);
        }
    }
}
