//! The counters of one container, and what was read of them at one time.

use crate::level::Level;
use std::{
    fmt,
    ops::Index,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

macro_rules! counts {
    ($($variant:ident = $name:literal, $doc:literal;)*) => {
        /// One thing that is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Count {
            $(#[doc = $doc] $variant,)*
        }

        impl Count {
            /// Everything that is counted.
            pub const ALL: &[Count] = &[$(Count::$variant),*];

            /// The count's name where it is stored.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Count::$variant => $name,)*
                }
            }
        }

        const COUNTS: usize = [$($name),*].len();
    };
}

counts! {
    L1Hits = "l1_hits", "Reads that L1 answered.";
    L1Misses = "l1_misses", "Reads that L1 could not answer.";
    L1Stale = "l1_stale", "Of those, the ones for which it held a copy that could not be trusted.";
    L2Hits = "l2_hits", "Reads that L2 answered.";
    L2Misses = "l2_misses", "Reads for which L2 was asked and could not answer.";
    L2Stale = "l2_stale", "Of those, the ones for which it held a copy that could not be trusted.";
    L2Errors = "l2_errors", "Operations for which L2 could not be reached.";
    L3Hits = "l3_hits", "Reads that L3 answered.";
    L3Misses = "l3_misses", "Reads for which L3 was asked and had no value.";
    L3Errors = "l3_errors", "Operations for which L3 could not be reached.";
    Absent = "absent", "Reads of keys that have no value.";
    Failed = "failed", "Reads that could not be answered for want of a level.";
    L1Promotions = "l1_promotions", "Values that a read, or a prefetch, brought into L1.";
    L2Promotions = "l2_promotions", "Values that a read brought from L3 into L2.";
    Evictions = "evictions", "Copies that L1 dropped to make room.";
    Demotions = "demotions", "Of those, the ones that were put into a lower level as well.";
    Degraded = "degraded", "Mutations that were acknowledged without Redis.";
    Mutations = "mutations", "Mutations that were acknowledged.";
    Syncs = "syncs", "Reads of the journal.";
    Audited = "audited", "Copies of L1 that were compared with L3.";
    Violations = "violations", "Of those, the ones that were older than they may be.";
}

impl Count {
    /// Everything that is counted of a level alone.
    pub const fn of(level: Level) -> &'static [Count] {
        use Count::*;
        match level {
            Level::L1 => &[L1Hits, L1Misses, L1Stale, L1Promotions, Evictions, Demotions],
            Level::L2 => &[L2Hits, L2Misses, L2Stale, L2Errors, L2Promotions],
            Level::L3 => &[L3Hits, L3Misses, L3Errors],
        }
    }

    /// Reads that a level answered.
    pub const fn hits(level: Level) -> Count {
        match level {
            Level::L1 => Count::L1Hits,
            Level::L2 => Count::L2Hits,
            Level::L3 => Count::L3Hits,
        }
    }

    /// Reads for which a level was asked and could not answer.
    pub const fn misses(level: Level) -> Count {
        match level {
            Level::L1 => Count::L1Misses,
            Level::L2 => Count::L2Misses,
            Level::L3 => Count::L3Misses,
        }
    }

    /// Copies of a level that could not be trusted. L3 has none: it decides.
    pub const fn stale(level: Level) -> Option<Count> {
        match level {
            Level::L1 => Some(Count::L1Stale),
            Level::L2 => Some(Count::L2Stale),
            Level::L3 => None,
        }
    }

    /// Operations for which a level could not be reached. L1 always can.
    pub const fn errors(level: Level) -> Option<Count> {
        match level {
            Level::L1 => None,
            Level::L2 => Some(Count::L2Errors),
            Level::L3 => Some(Count::L3Errors),
        }
    }
}

/// The counters of a container. Clones count together.
#[derive(Clone, Default)]
pub struct Counters(Arc<[AtomicU64; COUNTS]>);

impl Counters {
    /// Adds to one of them.
    pub fn add(&self, count: Count, more: u64) {
        self.0[count as usize].fetch_add(more, Relaxed);
    }

    /// What they say now.
    pub fn read(&self) -> Counts {
        Counts(std::array::from_fn(|i| self.0[i].load(Relaxed)))
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

/// What counters said at one time.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; COUNTS]);

impl Counts {
    /// What has been added since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Counts) -> Counts {
        Counts(std::array::from_fn(|i| self.0[i].saturating_sub(earlier.0[i])))
    }

    /// Every count that is not zero.
    pub fn iter(&self) -> impl Iterator<Item = (Count, u64)> {
        Count::ALL.iter().map(|&count| (count, self[count])).filter(|(_, value)| *value > 0)
    }

    /// The counts under those names; other names are passed over.
    pub fn from_names<'a>(named: impl IntoIterator<Item = (&'a str, u64)>) -> Counts {
        let mut counts = Counts::default();
        for (name, value) in named {
            if let Some(count) = Count::ALL.iter().find(|count| count.name() == name) {
                counts.0[*count as usize] = value;
            }
        }
        counts
    }

    /// The same without what these levels did.
    #[must_use]
    pub fn without(mut self, levels: impl IntoIterator<Item = Level>) -> Counts {
        for count in levels.into_iter().flat_map(Count::of) {
            self.0[*count as usize] = 0;
        }
        self
    }

    /// The share of reads for which a level was asked that it answered, 0 to 1; 0 when there were none.
    pub fn hit_ratio(&self, level: Level) -> f64 {
        let hits = self[Count::hits(level)];
        ratio(hits, hits + self[Count::misses(level)])
    }

    /// The share of all reads that were answered with a value, by whichever level; 0 when there were none.
    pub fn overall_hit_ratio(&self) -> f64 {
        let hits = Level::ALL.into_iter().map(|level| self[Count::hits(level)]).sum();
        ratio(hits, hits + self[Count::Absent] + self[Count::Failed])
    }
}

#[allow(clippy::cast_precision_loss, reason = "a ratio of counts needs no more than 52 bits")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Index<Count> for Counts {
    type Output = u64;

    fn index(&self, count: Count) -> &u64 {
        &self.0[count as usize]
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(count, value)| (count.name(), value))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_comes_back_by_name() {
        let counters = Counters::default();
        for (at, count) in Count::ALL.iter().enumerate() {
            counters.add(*count, at as u64);
        }
        let counts = counters.read();
        assert_eq!(Counts::from_names(counts.iter().map(|(count, value)| (count.name(), value))), counts);
        counters.add(Count::Absent, 7);
        assert_eq!(counters.read().since(&counts).iter().collect::<Vec<_>>(), [(Count::Absent, 7)]);
    }

    #[test]
    fn what_is_counted_belongs_to_one_level_or_to_none() {
        let counters = Counters::default();
        Count::ALL.iter().for_each(|count| counters.add(*count, 1));
        let left = counters.read().without(Level::ALL);
        let expected = [
            Count::Absent,
            Count::Failed,
            Count::Degraded,
            Count::Mutations,
            Count::Syncs,
            Count::Audited,
            Count::Violations,
        ];
        assert_eq!(left.iter().collect::<Vec<_>>(), expected.map(|count| (count, 1)));
        let without_l1 = counters.read().without([Level::L1]);
        assert_eq!((without_l1[Count::Evictions], without_l1[Count::L2Hits]), (0, 1));
    }

    #[test]
    fn ratios_are_of_what_a_level_was_asked() {
        let counts =
            Counts::from_names([("l1_hits", 3), ("l1_misses", 1), ("l2_hits", 1), ("absent", 1), ("other", 9)]);
        assert!((counts.hit_ratio(Level::L1) - 0.75).abs() < 1e-9);
        assert!((counts.hit_ratio(Level::L3)).abs() < 1e-9, "none were asked");
        assert!((counts.overall_hit_ratio() - 0.8).abs() < 1e-9);
    }
}
