//! What really happened, kept beside the protocol to judge it by. Nothing of the protocol reads it.
//!
//! A mutation takes effect when it lands in the source of truth: L3, or L2 where L3 is switched off. From then on every
//! value that stood there before is outdated. When the mutation is acknowledged, what it outdated becomes a *floor*: a
//! read that starts later must not return it. A mutation that has not been acknowledged yet may be seen or not.

use crate::state::Version;

/// A set of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Versions(u64);

impl Versions {
    /// Puts one more into it.
    pub fn add(&mut self, version: Version) {
        self.0 |= 1 << version;
    }

    /// Takes in another set.
    pub fn unite(&mut self, other: Versions) {
        self.0 |= other.0;
    }

    /// What is in both.
    pub fn common(self, other: Versions) -> Versions {
        Versions(self.0 & other.0)
    }

    fn renamed(self, names: &[Option<Version>; 256]) -> Versions {
        let mut renamed = Versions::default();
        let mut left = self.0;
        while left != 0 {
            let version = left.trailing_zeros();
            left &= left - 1;
            names[version as usize].into_iter().for_each(|name| renamed.add(name));
        }
        renamed
    }

    /// Whether `version` is in it.
    pub fn has(self, version: Version) -> bool {
        self.0 & (1 << version) != 0
    }
}

/// What a read must not return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Floor {
    /// Values that were overwritten.
    pub overwritten: Versions,
    /// Values that were deleted or invalidated.
    pub removed: Versions,
    /// Values that are in their grace, to who does not take them.
    pub ended: Versions,
    /// Values that a fill had loaded before a mutation began.
    pub preloaded: Versions,
    /// Nothing: a value is stored in L3 for sure, and no removal has begun since.
    pub present: bool,
}

impl Floor {
    /// Forbids what was made of a value as far as the value itself is forbidden.
    pub fn inherit(&mut self, before: Version, version: Version) {
        if self.overwritten.has(before) {
            self.overwritten.add(version);
        }
        if self.removed.has(before) {
            self.removed.add(version);
        }
        if self.ended.has(before) {
            self.ended.add(version);
        }
    }

    /// Whether it forbids nothing.
    pub fn is_empty(&self) -> bool {
        *self == Floor::default()
    }

    /// Gives the versions other names; those that have none are not spoken of any more.
    pub fn rename(&mut self, names: &[Option<Version>; 256]) {
        self.overwritten = self.overwritten.renamed(names);
        self.removed = self.removed.renamed(names);
        self.ended = self.ended.renamed(names);
        self.preloaded = self.preloaded.renamed(names);
    }

    /// What is forbidden by this and was not by another.
    pub fn since(self, other: Floor) -> Floor {
        Floor {
            overwritten: Versions(self.overwritten.0 & !other.overwritten.0),
            removed: Versions(self.removed.0 & !other.removed.0),
            ended: Versions(self.ended.0 & !other.ended.0),
            preloaded: Versions(self.preloaded.0 & !other.preloaded.0),
            present: false,
        }
    }

    fn below(self, version: Version) -> Floor {
        let older = (1 << version.min(63)) - 1;
        let (overwritten, removed) = (self.overwritten.0 & older, self.removed.0 & older);
        Floor { overwritten: Versions(overwritten), removed: Versions(removed), ..Floor::default() }
    }

    /// Takes in another floor: what either forbids.
    pub fn raise(&mut self, other: Floor) {
        self.overwritten.unite(other.overwritten);
        self.removed.unite(other.removed);
        self.ended.unite(other.ended);
        self.preloaded.unite(other.preloaded);
        self.present |= other.present;
    }
}

/// A value that an invalidation has removed which can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shelved {
    /// The version of the invalidation.
    pub by: Version,
    /// As what the value was put.
    pub born: Version,
    /// What it is called when it is brought back: nothing else ever has this version. What else puts an end to it
    /// forbids it by this name.
    pub name: Version,
}

/// What happened to the source of truth, and what was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct History {
    /// The value that stands in the source of truth.
    pub current: Option<Version>,
    /// As what it was put, before any PATCH of it; 0 where there is none.
    pub born: Version,
    /// What an undo may bring back.
    pub shelved: Option<Shelved>,
    /// The invalidation that was undone.
    pub undone: Option<Version>,
    /// Everything that stood there and does not any more.
    pub outdated: Floor,
    /// What acknowledged mutations forbid.
    pub acknowledged: Floor,
    /// The same, with those that were acknowledged as degraded, which are heard of later.
    pub degraded: Floor,
    /// A read returned a value older than one acknowledged before it started.
    pub stale: bool,
    /// A read returned a value in its grace, and did not say that it is.
    pub unasked: bool,
    /// A read returned a value whose removal was acknowledged before it started.
    pub resurrected: bool,
    /// A read returned a value that was loaded before a mutation that was acknowledged before the read started.
    pub prefilled: bool,
    /// A read missed a value that was acknowledged as stored in L3 before it started.
    pub lost: bool,
}

impl History {
    /// A value lands in the source of truth. Returns what the mutation outdated.
    pub fn put(&mut self, version: Version, durable: bool) -> Floor {
        self.forbid_shelved(Version::MAX);
        self.born = version;
        if let Some(before) = self.current.replace(version) {
            self.outdated.overwritten.add(before);
        }
        Floor { present: durable, ..self.outdated }
    }

    /// A PATCH of the value `before` lands, which stays what it was put as. If it does not stand any more, what was
    /// made of it is as outdated as it is. Returns what the mutation outdated.
    pub fn patch(&mut self, before: Version, version: Version, durable: bool) -> Floor {
        if self.current.is_some_and(|current| current == before) {
            self.current = Some(version);
            self.outdated.overwritten.add(before);
        }
        Floor { present: durable, ..self.outdated }
    }

    /// What stands in the source of truth is removed if it is older than `version`. Returns what the mutation outdated:
    /// all that was there before, or what is older than itself where something newer stays.
    pub fn remove_below(&mut self, version: Version) -> Floor {
        let shelved = self.forbid_shelved(version);
        match self.current.take_if(|_| self.born < version) {
            Some(before) => {
                self.born = 0;
                self.outdated.removed.add(before);
                self.outdated
            }
            None => {
                let mut older = self.outdated.below(version);
                shelved.into_iter().for_each(|name| older.removed.add(name));
                older
            }
        }
    }

    /// The same by an invalidation that can be undone: what it removes is put on the shelf. `own` are its versions,
    /// where it has begun anew.
    pub fn shelve_below(&mut self, version: Version, own: impl Fn(Version) -> bool) -> Floor {
        let (before, born) = (self.current, self.born);
        if before.is_none() && self.shelved.is_some_and(|shelved| own(shelved.by)) {
            return self.outdated.below(version);
        }
        let outdated = self.remove_below(version);
        if before.is_some() && self.current.is_none() {
            self.shelved = Some(Shelved { by: version, born, name: version + 1 });
        }
        outdated
    }

    /// The life of what stands in the source of truth ends if it is older than `version`; `left` is what it is called in its
    /// grace, if it has one. Returns what the mutation outdated.
    pub fn end_below(&mut self, version: Version, left: Option<Version>) -> Floor {
        let ended = self.current.filter(|_| self.born < version);
        let (Some(before), Some(left)) = (ended, left) else { return self.remove_below(version) };
        self.forbid_shelved(version);
        if before != left {
            self.outdated.removed.add(before);
        }
        self.outdated.ended.add(left);
        self.current = Some(left);
        self.outdated
    }

    /// What was on the shelf, and is older than `version`, must not be brought back any more. Returns its name.
    fn forbid_shelved(&mut self, version: Version) -> Option<Version> {
        let name = self.shelved.filter(|shelved| shelved.born < version)?.name;
        self.outdated.removed.add(name);
        Some(name)
    }

    /// A mutation is acknowledged that outdated this.
    pub fn acknowledge(&mut self, outdated: Floor, degraded: bool) {
        self.degraded.raise(outdated);
        if !degraded {
            self.acknowledged.raise(outdated);
        }
    }

    /// A read that had to respect `floor` returns `value`, and says whether that is in its grace.
    pub fn returned(&mut self, value: Option<Version>, in_grace: bool, floor: &Floor) {
        match value {
            Some(version) => {
                self.unasked |= !in_grace && floor.ended.has(version);
                self.stale |= floor.overwritten.has(version);
                self.resurrected |= floor.removed.has(version);
                self.prefilled |= floor.preloaded.has(version);
            }
            None => self.lost |= floor.present,
        }
    }

    /// Whether a property has been broken.
    pub fn is_broken(&self) -> bool {
        self.stale || self.unasked || self.resurrected || self.prefilled || self.lost
    }
}
