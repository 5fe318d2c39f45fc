//! The three levels by name, and a set of them small enough to copy.

use std::fmt;

/// One level of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The memory of this container.
    L1,
    /// Redis, shared by the fleet.
    L2,
    /// DynamoDB, shared and durable.
    L3,
}

impl Level {
    /// All levels, nearest first.
    pub const ALL: [Level; 3] = [Level::L1, Level::L2, Level::L3];

    /// The level's name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Level::L1 => "L1_MEMORY",
            Level::L2 => "L2_REDIS",
            Level::L3 => "L3_DATABASE",
        }
    }

    /// The level of that API name.
    pub fn from_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }

    const fn bit(self) -> u8 {
        match self {
            Level::L1 => 1,
            Level::L2 => 2,
            Level::L3 => 4,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of levels.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Levels(u8);

impl Levels {
    /// No level.
    pub const NONE: Levels = Levels(0);
    /// Every level.
    pub const ALL: Levels = Levels(7);

    /// The set with `level` added.
    #[must_use]
    pub const fn with(self, level: Level) -> Levels {
        Levels(self.0 | level.bit())
    }

    /// The set with `level` taken out.
    #[must_use]
    pub const fn without(self, level: Level) -> Levels {
        Levels(self.0 & !level.bit())
    }

    /// What either set holds.
    #[must_use]
    pub const fn or(self, other: Levels) -> Levels {
        Levels(self.0 | other.0)
    }

    /// What both sets hold.
    #[must_use]
    pub const fn and(self, other: Levels) -> Levels {
        Levels(self.0 & other.0)
    }

    /// Whether `level` is in the set.
    pub const fn has(self, level: Level) -> bool {
        self.0 & level.bit() != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The levels of the set, nearest first.
    pub fn iter(self) -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(move |&level| self.has(level))
    }

    /// The API names of the levels, nearest first.
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Level::name).collect()
    }

    /// The set as stored: bit 0 is L1, bit 1 is L2, bit 2 is L3.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of stored bits; unknown bits are dropped.
    pub const fn from_bits(bits: u8) -> Levels {
        Levels(bits & 7)
    }
}

impl FromIterator<Level> for Levels {
    fn from_iter<I: IntoIterator<Item = Level>>(levels: I) -> Levels {
        levels.into_iter().fold(Levels::NONE, Levels::with)
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
