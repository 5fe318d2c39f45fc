//! What happened in a run, as the clients saw it.

use std::time::Duration;

/// Names one of the run's keys, by its place in [`History::keys`].
pub type KeyId = usize;
/// Names one of the run's tags.
pub type TagId = usize;

/// Everything that happened in one run. Times are those since it began.
#[derive(Debug, Clone)]
pub struct History {
    /// Δ, the window the stack ran with.
    pub window: Duration,
    /// The keys.
    pub keys: Vec<String>,
    /// The operations, by the time they started.
    pub operations: Vec<Operation>,
    /// What failed, and when.
    pub incidents: Vec<Incident>,
}

/// One operation of one client.
#[derive(Debug, Clone)]
pub struct Operation {
    /// When the client sent it.
    pub start: Duration,
    /// When the client had the answer.
    pub end: Duration,
    /// The process that did it: container and life, such as `entries-1.2`. None when the container was given another
    /// process meanwhile.
    pub process: Option<String>,
    /// What was asked for.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Reads a key.
    Get {
        /// The key.
        key: KeyId,
        /// Whether it says `Cache-Control: no-cache`.
        no_cache: bool,
    },
    /// Reads a key, and takes what has expired (`max-stale`).
    GetStale {
        /// The key.
        key: KeyId,
        /// Whether it says `no-cache` as well.
        no_cache: bool,
    },
    /// Stores a value.
    Put(Put),
    /// Changes what is said about a value.
    Patch(Patch),
    /// Deletes a key.
    Delete {
        /// The key.
        key: KeyId,
    },
    /// Invalidates keys.
    Invalidate {
        /// Which.
        scope: Scope,
        /// The levels it names; empty for all.
        levels: &'static [&'static str],
    },
    /// Makes keys stale: values that have a grace stay in it, and the others are removed.
    MakeStale {
        /// Which.
        scope: Scope,
    },
    /// Undoes an invalidation or DELETE.
    Undo {
        /// What that meant.
        scope: Scope,
        /// When that was sent.
        of: Duration,
    },
}

/// A value to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The key.
    pub key: KeyId,
    /// The number of the value, see [`crate::value`]; no two PUTs of a run share one.
    pub value: u64,
    /// Its life.
    pub ttl: Duration,
    /// For how long it is kept after that.
    pub grace: Duration,
    /// Its tags.
    pub tags: Vec<TagId>,
    /// The levels it names; empty for all.
    pub levels: &'static [&'static str],
    /// When it was known that the key is missing, where that is what the value was loaded for: it is as old as that.
    pub loaded: Option<Duration>,
}

/// Another life and other tags for a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The key.
    pub key: KeyId,
    /// Its life from then on.
    pub ttl: Duration,
    /// The tags it gets.
    pub add: Vec<TagId>,
    /// The tags it loses.
    pub remove: Vec<TagId>,
}

/// Which entries an invalidation means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those that a pattern matches.
    Pattern {
        /// The pattern.
        text: String,
        /// What it matches, as its author knows.
        keys: Vec<KeyId>,
    },
    /// These, by name.
    Keys(Vec<KeyId>),
    /// Those that have a tag.
    Tag(TagId),
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A mutation was acknowledged.
    Acknowledged {
        /// Others may see it as late as Λ.
        degraded: bool,
        /// A PUT says that L3 has the value.
        durable: bool,
    },
    /// A DELETE found nothing. It did write that there is nothing; its answer does not say whether everybody has been told.
    NothingThere,
    /// A read returned a value.
    Found(Found),
    /// A read found nothing.
    Absent,
    /// It was refused with this status, and did not happen.
    Refused(u16),
    /// It was answered with this status; whether it happened is not known, nor whether it will.
    Unknown {
        /// The status.
        status: u16,
        /// The process was killed while it was at it.
        killed: bool,
    },
}

/// What a read returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The number of the value; none when the text is not one of ours.
    pub value: Option<u64>,
    /// Whether the text is the one that was stored, byte for byte.
    pub intact: bool,
    /// The level it says it came from.
    pub level: String,
    /// When it says it expires, in milliseconds since the run began.
    pub expires_at_ms: i64,
    /// Whether it says that it has expired, and is in its grace.
    pub stale: bool,
}

/// Something that failed for a while.
#[derive(Debug, Clone)]
pub struct Incident {
    /// When it began.
    pub start: Duration,
    /// When everything was as before.
    pub end: Duration,
    /// What.
    pub what: String,
    /// Whether L3 answered as ever meanwhile, and so did every process.
    pub l3_well: bool,
    /// Whether it leaves the cache empty: nothing from before is there afterwards, and nothing from meanwhile is sure to be.
    pub empties: bool,
}

/// L3, where values are durable.
pub const L3: &str = "L3_DATABASE";

impl History {
    /// Whether something made the cache empty, or may have, at some time between two.
    pub(crate) fn is_emptied(&self, from: Duration, until: Duration) -> bool {
        let within = |incident: &Incident| incident.start <= until && from <= incident.end;
        self.incidents.iter().any(|incident| incident.empties && within(incident))
    }
}

impl Put {
    /// Whether it asks L3 to keep the value.
    pub fn names_l3(&self) -> bool {
        names_l3(self.levels)
    }
}

impl Operation {
    /// The key of a read, and whether it says `no-cache`.
    pub fn read(&self) -> Option<(KeyId, bool)> {
        match self.action {
            Action::Get { key, no_cache } | Action::GetStale { key, no_cache } => Some((key, no_cache)),
            _ => None,
        }
    }

    /// The PUT, if it is one.
    pub fn put(&self) -> Option<&Put> {
        match &self.action {
            Action::Put(put) => Some(put),
            _ => None,
        }
    }

    /// The PATCH, if it is one.
    pub fn patch(&self) -> Option<&Patch> {
        match &self.action {
            Action::Patch(patch) => Some(patch),
            _ => None,
        }
    }

    /// Whether it was acknowledged.
    pub fn is_acknowledged(&self) -> bool {
        matches!(self.outcome, Outcome::Acknowledged { .. } | Outcome::NothingThere)
    }

    /// Whether it asks for nothing that L3 alone could not give. What a read finds, or a PATCH, may have been put elsewhere: that is
    /// for the caller to know.
    pub fn needs_l3_only(&self) -> bool {
        match &self.action {
            Action::Get { .. } | Action::GetStale { .. } | Action::Patch(_) | Action::Delete { .. } => true,
            Action::MakeStale { .. } => true,
            Action::Undo { .. } => false,
            Action::Put(put) => put.names_l3(),
            Action::Invalidate { levels, .. } => names_l3(levels),
        }
    }

    /// Whether its process was killed while it was at it.
    pub fn was_killed(&self) -> bool {
        matches!(self.outcome, Outcome::Unknown { killed: true, .. })
    }

    /// Whether it changes the key, or may: the key of any entry with the tag, for an invalidation by tag.
    pub fn may_change(&self, key: KeyId) -> bool {
        match &self.action {
            Action::Get { .. } | Action::GetStale { .. } => false,
            Action::Put(put) => put.key == key,
            Action::Patch(patch) => patch.key == key,
            Action::Delete { key: deleted } => *deleted == key,
            Action::Invalidate { scope, .. } | Action::MakeStale { scope } | Action::Undo { scope, .. } => {
                match scope {
                    Scope::Pattern { keys, .. } | Scope::Keys(keys) => keys.contains(&key),
                    Scope::Tag(_) => true,
                }
            }
        }
    }

    /// Whether it makes an end of an entry of the key with these tags, or of its life.
    pub fn ends(&self, key: KeyId, tags: &[TagId]) -> bool {
        match &self.action {
            Action::Invalidate { scope, levels } => names_l3(levels) && scope.means(key, tags),
            Action::MakeStale { scope } => scope.means(key, tags),
            Action::Patch(_) | Action::Undo { .. } => false,
            _ => self.may_change(key),
        }
    }

    /// What an invalidation or DELETE means.
    pub fn meant(&self) -> Option<Scope> {
        match &self.action {
            Action::Invalidate { scope, .. } => Some(scope.clone()),
            Action::Delete { key } => Some(Scope::Keys(vec![*key])),
            _ => None,
        }
    }

    /// Whether both were under way at some time.
    pub fn overlaps(&self, other: &Operation) -> bool {
        self.start <= other.end && other.start <= self.end
    }
}

impl Scope {
    /// Whether it means an entry of the key with these tags.
    fn means(&self, key: KeyId, tags: &[TagId]) -> bool {
        match self {
            Scope::Pattern { keys, .. } | Scope::Keys(keys) => keys.contains(&key),
            Scope::Tag(tag) => tags.contains(tag),
        }
    }
}

/// An invalidation that leaves L3 alone drops copies, which L3 may then give again: no value comes to an end by it.
fn names_l3(levels: &[&str]) -> bool {
    levels.is_empty() || levels.contains(&L3)
}
