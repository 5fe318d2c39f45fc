//! Entries and bytes by what their keys begin with, as far as there is room.
//!
//! A census reads every entry anyway, so it adds each up under the prefixes of its key: what ends with the first, second or
//! third of each separator. Who has keys of many kinds, or one of its own for every entry, has more prefixes than can be
//! kept: those of the fewest entries are dropped then, and what is counted of one later begins anew. Nothing is lost of the
//! total.

use super::Amount;
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, collections::BTreeMap};

/// What may stand between the parts of a key.
pub const SEPARATORS: [char; 5] = [':', '/', '#', '.', '|'];
/// Most parts of a prefix.
pub const MAX_DEPTH: usize = 3;
/// Most prefixes that are kept. All of them, in JSON with every byte escaped, fit an item of DynamoDB (400 KB).
const MOST: usize = 1000;
/// While it is counted there may be as many times more.
const SPARE: usize = 4;
/// Longest prefix that is kept, in bytes.
const LONGEST: usize = 128;

/// Entries and bytes, by prefix and together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakdown {
    /// All of them.
    pub total: Amount,
    /// By prefix. What a prefix ends with is its separator, and how often it has that its depth.
    groups: BTreeMap<String, Amount>,
}

/// What a census counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// When it began, in milliseconds since the Unix epoch.
    pub began_ms: i64,
    /// What it counted.
    pub counted: Breakdown,
}

impl Census {
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }
}

impl Breakdown {
    /// Adds an entry.
    pub(crate) fn add(&mut self, key: &str, bytes: u64) {
        let one = Amount { entries: 1, bytes };
        self.total = self.total + one;
        let mut depths = [0; SEPARATORS.len()];
        for (at, character) in key.char_indices().take_while(|(at, _)| *at < LONGEST) {
            let Some(kind) = SEPARATORS.iter().position(|separator| *separator == character) else { continue };
            depths[kind] += 1;
            if depths[kind] <= MAX_DEPTH {
                self.add_to(&key[..=at], one);
            }
        }
    }

    /// Adds what another one counted.
    #[must_use]
    pub(crate) fn and(mut self, more: &Breakdown) -> Breakdown {
        self.total = self.total + more.total;
        more.groups.iter().for_each(|(prefix, amount)| self.add_to(prefix, *amount));
        self
    }

    /// As much of it as is kept.
    #[must_use]
    pub(crate) fn trimmed(mut self) -> Breakdown {
        self.drop_smallest();
        self
    }

    fn add_to(&mut self, prefix: &str, amount: Amount) {
        if let Some(sum) = self.groups.get_mut(prefix) {
            *sum = *sum + amount;
            return;
        }
        if self.groups.len() >= MOST * SPARE {
            self.drop_smallest();
        }
        self.groups.insert(prefix.to_owned(), amount);
    }

    fn drop_smallest(&mut self) {
        let mut sizes: Vec<u64> = self.groups.values().map(|amount| amount.entries).collect();
        if sizes.len() <= MOST {
            return;
        }
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        let least = sizes[MOST - 1];
        let mut room = MOST - sizes.iter().filter(|entries| **entries > least).count();
        self.groups.retain(|_, amount| match amount.entries.cmp(&least) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => {
                let has_room = room > 0;
                room -= usize::from(has_room);
                has_room
            }
        });
    }

    /// The prefixes of that separator and depth, the most entries first.
    pub fn by(&self, separator: char, depth: usize) -> Vec<(&str, Amount)> {
        let is_asked = |prefix: &str| prefix.ends_with(separator) && prefix.matches(separator).count() == depth;
        let groups = self.groups.iter().map(|(prefix, amount)| (&**prefix, *amount));
        let mut groups: Vec<(&str, Amount)> = groups.filter(|(prefix, _)| is_asked(prefix)).collect();
        groups.sort_by(|(_, one), (_, other)| other.entries.cmp(&one.entries));
        groups
    }

    /// What of the total is in none of these.
    pub fn besides(&self, groups: &[(&str, Amount)]) -> Amount {
        groups.iter().fold(self.total, |rest, (_, amount)| Amount {
            entries: rest.entries.saturating_sub(amount.entries),
            bytes: rest.bytes.saturating_sub(amount.bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(keys: impl IntoIterator<Item = String>) -> Breakdown {
        keys.into_iter().fold(Breakdown::default(), |mut sum, key| {
            sum.add(&key, 10);
            sum
        })
    }

    fn amount(entries: u64) -> Amount {
        Amount { entries, bytes: entries * 10 }
    }

    #[test]
    fn keys_are_added_up_by_each_of_their_prefixes() {
        let counted = of(["a:1", "a:2", "a:b:3", "c/d:4", "é:5", "plain", ":"].map(str::to_owned));
        assert_eq!(counted.total, amount(7));
        let first = counted.by(':', 1);
        assert_eq!(first, [("a:", amount(3)), (":", amount(1)), ("c/d:", amount(1)), ("é:", amount(1))]);
        assert_eq!(counted.besides(&first), amount(1));
        assert_eq!(counted.by(':', 2), [("a:b:", amount(1))]);
        assert_eq!(counted.by('/', 1), [("c/", amount(1))]);
        assert_eq!(counted.by('.', 1), []);
    }

    #[test]
    fn what_has_the_fewest_entries_makes_room() {
        let many = (0..5 * MOST * SPARE).map(|number| format!("only-{number}:1"));
        let some = (0..50).flat_map(|_| (0..100).map(|number| format!("some-{number}:1")));
        let counted = of(some.chain(many)).trimmed();
        let groups = counted.by(':', 1);
        assert!(groups.len() <= MOST && groups[..100].iter().all(|(_, counted)| *counted == amount(50)));
        let rest = counted.besides(&groups);
        assert_eq!(rest.entries + groups.iter().map(|(_, amount)| amount.entries).sum::<u64>(), counted.total.entries);
        assert!(serde_json::to_string(&counted).unwrap().len() < 300_000);
    }

    #[test]
    fn the_largest_there_can_be_fits_an_item() {
        let prefix = |number: usize| format!("{number:04}{}", "\"".repeat(LONGEST - 5));
        let counted = of((0..2 * MOST).map(|number| format!("{}:1", prefix(number))))
            .and(&of((0..MOST).map(|number| format!("{}:1", prefix(number)))));
        let counted = counted.trimmed();
        assert_eq!(counted.by(':', 1).len(), MOST, "of equal ones as many as have room");
        assert!(serde_json::to_string(&counted).unwrap().len() < 350_000);
    }

    #[test]
    fn what_was_counted_apart_is_added_up() {
        let both = of(["a:1".to_owned()]).and(&of(["a:2".to_owned(), "b:3".to_owned()]));
        assert_eq!(both, of(["b:1".to_owned(), "a:2".to_owned(), "a:3".to_owned()]));
    }
}
