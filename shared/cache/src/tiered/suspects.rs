//! Mutations that L3 may have taken although nobody was told so: a record for each makes every container ask L3, once that
//! answers again. Until then the value before is as right as the new one.

use crate::{key::Key, version::Version};

/// Most that are remembered one by one. With more, everything is confirmed by L3.
const MOST: usize = 100;

/// What is remembered of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Suspects {
    mutations: Vec<(Key, Version)>,
    /// How many more there were.
    unnamed: u64,
}

impl Suspects {
    pub(super) fn add(&mut self, key: &Key, version: Version) {
        if self.mutations.len() < MOST {
            self.mutations.push((key.clone(), version));
        } else {
            self.unnamed += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.mutations.is_empty() && self.unnamed == 0
    }

    /// Whether nothing less than an epoch tells of all of them.
    pub(super) fn are_too_many(&self) -> bool {
        self.unnamed > 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(Key, Version)> {
        self.mutations.iter()
    }

    /// These were told of; what has come meanwhile stays.
    pub(super) fn forget(&mut self, told: &[(Key, Version)]) {
        self.mutations.retain(|mutation| !told.contains(mutation));
    }

    /// An epoch was told of, which covers all that stood in `before`.
    pub(super) fn forget_all(&mut self, before: &Suspects) {
        self.forget(&before.mutations);
        self.unnamed -= before.unnamed.min(self.unnamed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_forgotten_that_was_not_told_of() {
        let mut suspects = Suspects::default();
        let key = |i: usize| Key::new(format!("k{i}")).expect("a key");
        (0..MOST + 2).for_each(|i| suspects.add(&key(i), Version(1)));
        assert!(suspects.are_too_many());
        let before = suspects.clone();
        suspects.add(&key(MOST + 2), Version(1));
        suspects.forget_all(&before);
        assert!(suspects.are_too_many() && !suspects.is_empty(), "one came meanwhile");
        suspects.forget_all(&suspects.clone());
        assert!(suspects.is_empty());
        suspects.add(&key(0), Version(2));
        suspects.forget(&[(key(0), Version(1))]);
        assert!(!suspects.is_empty(), "another mutation of that key");
    }
}
