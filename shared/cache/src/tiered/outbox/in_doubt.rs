//! Mutations that L3 may have taken although nobody was told so: a record for each makes every container ask L3, once that
//! answers again. Until then the value before is as right as the new one.

use crate::{key::Key, version::Version};

/// Most that are remembered one by one. With more, everything is confirmed by L3.
const MOST: usize = 100;

/// What is remembered of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct InDoubt {
    mutations: Vec<(Key, Version)>,
    /// How many more there were.
    unnamed: u64,
}

impl InDoubt {
    pub(crate) fn add(&mut self, key: &Key, version: Version) {
        if self.mutations.len() < MOST {
            self.mutations.push((key.clone(), version));
        } else {
            self.unnamed += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.mutations.is_empty() && self.unnamed == 0
    }

    /// Whether nothing less than an epoch tells of all of them.
    pub(crate) fn are_too_many(&self) -> bool {
        self.unnamed > 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Key, Version)> {
        self.mutations.iter()
    }

    /// These were recorded of; what has come meanwhile stays.
    pub(crate) fn forget(&mut self, recorded: &[(Key, Version)]) {
        self.mutations.retain(|mutation| !recorded.contains(mutation));
    }

    /// An epoch was told of, which covers all that stood in `before`.
    pub(crate) fn forget_all(&mut self, before: &InDoubt) {
        self.forget(&before.mutations);
        self.unnamed -= before.unnamed.min(self.unnamed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_forgotten_that_was_not_told_of() {
        let mut in_doubt = InDoubt::default();
        let key = |i: usize| Key::new(format!("k{i}")).expect("a key");
        (0..MOST + 2).for_each(|i| in_doubt.add(&key(i), Version(1)));
        assert!(in_doubt.are_too_many());
        let before = in_doubt.clone();
        in_doubt.add(&key(MOST + 2), Version(1));
        in_doubt.forget_all(&before);
        assert!(in_doubt.are_too_many() && !in_doubt.is_empty(), "one came meanwhile");
        in_doubt.forget_all(&in_doubt.clone());
        assert!(in_doubt.is_empty());
        in_doubt.add(&key(0), Version(2));
        in_doubt.forget(&[(key(0), Version(1))]);
        assert!(!in_doubt.is_empty(), "another mutation of that key");
    }
}
