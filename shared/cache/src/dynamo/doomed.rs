//! Which row of a key an invalidation removes, and what it does where another has taken its place.

use super::{
    Item,
    head::{Head, Kind},
    number,
    schema::tags_of,
    text,
};
use crate::{
    planted::{Bug, planted},
    selector::Selector,
    version::Version,
};
use std::sync::Arc;

/// Which row of a key to remove.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doomed<'a> {
    /// Which versions.
    pub version: Which,
    /// Only one that this means.
    pub selector: &'a Selector,
    /// Only one that says that the value is kept elsewhere: L3 itself is spared.
    pub markers: bool,
    /// The versions of the same invalidation, where the values that it removes are kept so that it can be undone.
    pub keep: Option<&'a [Version]>,
    pub way: Way,
}

/// How to remove a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A tombstone takes its place.
    Bury,
    /// The same, and keeps the value.
    Keep,
    /// It is a tombstone of this version already, and is not to keep its value any more.
    Strip(Version),
}

/// Which versions of a key to remove.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// Any that is older than this.
    Below(Version),
    /// The same, where the second was seen as the newest, or is the name of its index rows. What has taken its place may be
    /// the same value.
    SeenBelow(Version, Version),
    /// This one, which was seen as the newest, or what has taken its place.
    Seen(Version),
}

/// What came of an attempt to remove a row.
pub(super) enum Buried {
    /// It is removed, and this is what it said.
    Yes(Item),
    /// It was removed by an attempt before, whose answer was lost.
    Before,
    /// It is not doomed. This stands there, as far as DynamoDB tells.
    No(Option<Item>),
}

impl Buried {
    /// Where the very tombstone stands that was to be put there, an attempt whose answer was lost has done it.
    pub(super) fn refused(version: Version, current: Option<Item>) -> Buried {
        let head = current.as_ref().map(Head::of);
        let is_own = head.is_some_and(|head| head.kind == Kind::Gone && head.version == version);
        if is_own { Buried::Before } else { Buried::No(current) }
    }
}

impl Which {
    /// What is doomed is older than this, and its tombstone has this version.
    pub(super) const fn of_tombstone(self) -> Version {
        match self {
            Which::Below(version) | Which::SeenBelow(version, _) => version,
            Which::Seen(version) => version.next(),
        }
    }

    /// What is doomed is older than this; `None` for whatever stands.
    const fn below(self) -> Option<Version> {
        match self {
            Which::Below(version) | Which::SeenBelow(version, _) => Some(version),
            Which::Seen(_) => None,
        }
    }

    /// The same, where that version was seen.
    pub(crate) const fn seen_as(self, seen: Version) -> Which {
        match self {
            Which::Below(below) | Which::SeenBelow(below, _) => Which::SeenBelow(below, seen),
            Which::Seen(_) => Which::Seen(seen),
        }
    }

    /// The version that was seen.
    pub(super) const fn seen(self) -> Option<Version> {
        match self {
            Which::Below(_) => None,
            Which::SeenBelow(_, seen) | Which::Seen(seen) => Some(seen),
        }
    }
}

impl Doomed<'_> {
    pub(super) fn condition(&self) -> (String, Item) {
        let mut values = Item::from([
            (":v".to_owned(), number(self.version.of_tombstone().0)),
            (":elsewhere".to_owned(), text("elsewhere")),
        ]);
        let mut condition = "#v < :v AND #k = :elsewhere".to_owned();
        if !self.markers {
            condition = "#v < :v AND (#k = :elsewhere OR #k = :value)".to_owned();
            values.insert(":value".to_owned(), text("value"));
        }
        if let Some(seen) = self.version.seen() {
            condition.push_str(" AND (#v = :seen OR parts = :seen)");
            values.insert(":seen".to_owned(), number(seen.0));
        }
        (condition, values)
    }

    /// The same for the row that stands in the place of the one that was seen, if it is doomed as well: the value may be
    /// the same, with other things said about it. Another is as old, or was put while this went on.
    pub(super) fn next(&self, key: &str, current: &Item) -> Option<Self> {
        let head = Head::of(current);
        let tags: Vec<Arc<str>> = tags_of(current).into_iter().map(Arc::from).collect();
        if !self.selector.touches(key, &tags) {
            return None;
        }
        if head.kind == Kind::Gone {
            return head.born.and_then(|born| self.stripping(head.version, born));
        }
        let of_kind = head.kind == Kind::Stub || (head.kind == Kind::Value && !self.markers);
        // What was refused as of one kind may be of the other; the very value that was refused is below the floor.
        let is_refused = self.way == Way::Keep && self.version.seen().is_none_or(|seen| seen == head.version);
        let way = match self.keep {
            Some(_) if head.kind == Kind::Value && !is_refused => Way::Keep,
            _ => Way::Bury,
        };
        let is_another = |seen: Version| seen < head.version || way != self.way;
        let version = match self.version {
            Which::Below(below) if head.version < below && way != self.way => self.version,
            Which::SeenBelow(below, seen) if is_another(seen) && head.version < below => {
                Which::SeenBelow(below, head.version)
            }
            Which::Seen(seen) if is_another(seen) => Which::Seen(head.version),
            Which::Below(_) | Which::SeenBelow(..) | Which::Seen(_) => return None,
        };
        of_kind.then_some(Doomed { version, way, ..*self })
    }

    /// The same for a tombstone of version `current` that keeps a value which was `born`; `None` where it may go on to do
    /// so: what is kept is newer than what removes it, or was removed by the same.
    pub(crate) fn stripping(&self, current: Version, born: Version) -> Option<Self> {
        let is_own = self.keep.is_some_and(|own| own.contains(&current));
        let is_newer = planted(Bug::TombstoneNotStripped) || self.version.below().is_some_and(|below| born >= below);
        (!self.markers && !is_own && !is_newer).then_some(Doomed { way: Way::Strip(current), ..*self })
    }
}
