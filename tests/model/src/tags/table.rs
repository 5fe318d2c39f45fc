//! The table: a row, index rows, and what writes do to them.

use super::{Rule, Scenario, Version};

/// A set of the two tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tags(pub u8);

impl Tags {
    /// No tag.
    pub const NONE: Tags = Tags(0);
    /// One.
    pub const X: Tags = Tags(1);
    /// The other.
    pub const Y: Tags = Tags(2);
    /// Both.
    pub const XY: Tags = Tags(3);

    pub(super) fn first(self) -> Option<Tags> {
        [Tags::X, Tags::Y].into_iter().find(|tag| self.has(*tag))
    }

    pub(super) fn has(self, tag: Tags) -> bool {
        self.0 & tag.0 != 0
    }

    pub(super) fn without(self, tag: Tags) -> Tags {
        Tags(self.0 & !tag.0)
    }
}

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A value.
    Value,
    /// A fill's claim.
    Claim,
    /// A tombstone.
    Gone,
    /// A tombstone that keeps the value of that version.
    Kept(Version),
}

/// The row of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row {
    /// Its version.
    pub version: Version,
    /// What it is.
    pub kind: Kind,
    /// The name of its index rows.
    pub name: Version,
    /// Its tags.
    pub tags: Tags,
    /// The last age in which its value lives.
    pub ends: u8,
    /// The last age in which its index rows do, if it says so; 0 where it does not.
    pub until: u8,
    /// Its life was ended, and it is in its grace.
    pub stale: bool,
}

impl Row {
    /// A value.
    pub const fn value(version: Version, name: Version, tags: Tags, ends: u8, until: u8) -> Row {
        Row { version, kind: Kind::Value, name, tags, ends, until, stale: false }
    }

    pub(super) const fn tombstone(version: Version) -> Row {
        Row { version, kind: Kind::Gone, name: version, tags: Tags::NONE, ends: u8::MAX, until: 0, stale: false }
    }
}

/// An index row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexRow {
    /// The tag.
    pub tag: Tags,
    /// The name.
    pub name: Version,
    /// The last age in which it lives.
    pub until: u8,
}

/// DynamoDB.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Table {
    /// The row of the key.
    pub row: Option<Row>,
    /// The index rows, in order.
    pub index: Vec<IndexRow>,
    /// How old the world is; what ends before has gone.
    pub age: u8,
}

/// What a write must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// Whatever is older.
    Older,
    /// That version.
    Exactly(Version),
    /// A claim of that version.
    Claim(Version),
    /// Exactly this row, or nothing where there is none.
    Seen(Option<Row>),
    /// A value or claim that is older, and whose version or name this is.
    Named(Version),
    /// The same, whatever it is named.
    Any,
    /// The same, by its version alone.
    Version(Version),
    /// A tombstone of that version that keeps a value.
    Kept(Version),
}

/// A write to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Write {
    /// An index row.
    Index(IndexRow),
    /// An index row goes.
    Drop(Tags, Version),
    /// A row in the place of a target.
    Put(Row, Target),
    /// What stands as another version, with a life of so many ages: it keeps its tags, which its writer takes for these.
    Keep(Version, Version, u8, Tags),
    /// A tombstone, which may keep the value, for an invalidation of that tag.
    Bury(Version, Target, bool, Tags),
    /// The value of a tombstone, as that version.
    Restore(Version, Version),
    /// A value that was seen loses its life as another version, to an invalidation of that tag.
    EndLife(Version, Version, Tags),
}

impl Table {
    /// Whether a write that needs a row finds what it needs.
    fn meets(&self, target: Target, version: Version) -> bool {
        let Some(row) = self.row else { return matches!(target, Target::Older | Target::Seen(None)) };
        let is_meant = matches!(row.kind, Kind::Value | Kind::Claim) && row.version < version;
        match target {
            Target::Older => row.version < version,
            Target::Exactly(seen) => row.version == seen && row.version < version,
            Target::Claim(claim) => row.version == claim && row.kind == Kind::Claim,
            Target::Seen(seen) => seen == Some(row),
            Target::Named(name) => is_meant && (row.version == name || row.name == name),
            Target::Version(name) => is_meant && row.version == name,
            Target::Any => is_meant,
            Target::Kept(standing) => row.version == standing && matches!(row.kind, Kind::Kept(_)),
        }
    }

    /// Does a write. Returns what it replaced, or `Err` where it is refused.
    pub(super) fn write(&mut self, write: Write, scenario: &Scenario) -> Result<Option<Row>, ()> {
        let before = self.row;
        match write {
            Write::Index(row) => {
                self.index.retain(|other| (other.tag, other.name) != (row.tag, row.name));
                self.index.push(row);
                self.index.sort_unstable();
            }
            Write::Drop(tag, name) => self.index.retain(|row| (row.tag, row.name) != (tag, name)),
            Write::Put(row, target) if self.meets(target, row.version) => self.row = Some(row),
            Write::Keep(seen, version, ends, _) => {
                let row = before.filter(|row| row.kind == Kind::Value && row.version < version).ok_or(())?;
                let is_seen = row.version == seen || !scenario.has(Rule::ExactlySeen);
                let is_named = row.until > 0 || !scenario.has(Rule::NamedOnly);
                let is_long = row.until == 0 || row.until >= ends || !scenario.has(Rule::LongEnough);
                if !(is_seen && is_named && is_long) {
                    return Err(());
                }
                self.row = Some(Row { version, ends, stale: false, ..row });
            }
            Write::Bury(version, target, keeps, _) if self.meets(target, version) => {
                self.row = Some(match before {
                    Some(row) if keeps && row.kind == Kind::Value => {
                        Row { version, kind: Kind::Kept(row.version), ..row }
                    }
                    _ => Row::tombstone(version),
                });
            }
            Write::Restore(standing, version) if self.meets(Target::Kept(standing), u8::MAX) => {
                self.row = before.map(|row| Row { version, kind: Kind::Value, ..row });
            }
            Write::EndLife(seen, version, _) => {
                let row = before.filter(|row| row.kind == Kind::Value).ok_or(())?;
                if row.version != seen && scenario.has(Rule::EndsExactly) {
                    return Err(());
                }
                let name = if scenario.has(Rule::EndedKeepsName) { row.name } else { version };
                self.row = Some(Row { version, name, stale: true, ..row });
            }
            Write::Put(..) | Write::Bury(..) | Write::Restore(..) => return Err(()),
        }
        Ok(before)
    }

    /// An age is over.
    pub(super) fn grow_older(&mut self) {
        self.age += 1;
        let age = self.age;
        self.index.retain(|row| row.until >= age);
        self.row = self.row.filter(|row| row.ends >= age);
    }

    /// Whether every index row of the value that stands, or is kept, is there.
    pub(super) fn finds_all(&self) -> bool {
        let Some(row) = self.row.filter(|row| matches!(row.kind, Kind::Value | Kind::Kept(_))) else { return true };
        let is_there = |tag: &Tags| self.index.iter().any(|index| (index.tag, index.name) == (*tag, row.name));
        [Tags::X, Tags::Y].iter().filter(|tag| row.tags.has(**tag)).all(is_there)
    }
}
