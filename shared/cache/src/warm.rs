//! Warming: what a job loads before anybody asks for it.

use crate::{config::Refusal, key::Key, pattern::Pattern};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Most keys of one job.
pub const MAX_KEYS: usize = 500;
/// Most bytes of all keys of one job together, as JSON: the job's task is one item of DynamoDB, which holds at most 400 KB.
pub const MAX_KEY_BYTES: usize = 256 * 1024;
/// Most patterns of one job.
pub const MAX_PATTERNS: usize = 50;
/// Entries per batch by default, from the API contract.
pub const BATCH_SIZE: usize = 50;
/// Largest batch.
pub const MAX_BATCH_SIZE: usize = 1000;
/// Batches in flight at once by default, from the API contract.
pub const MAX_CONCURRENT: usize = 10;
/// Most batches in flight that a job may ask for.
pub const LARGEST_MAX_CONCURRENT: usize = 100;

/// When a job loads, and how far up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// L3 → L2 now; then every container takes the entries into L1 with its next sync, within bounds.
    #[default]
    Eager,
    /// L3 → L2 now; L1 fills as entries are read.
    Lazy,
    /// At its time, or else with the next maintenance; then as [`Strategy::Eager`].
    Scheduled,
}

/// What a warm job is to load, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warm {
    /// These keys; at most [`MAX_KEYS`], of [`MAX_KEY_BYTES`] together.
    pub keys: Vec<Key>,
    /// Every key that matches one of these; at most [`MAX_PATTERNS`].
    pub patterns: Vec<Pattern>,
    /// When, and how far up.
    pub strategy: Strategy,
    /// Entries per batch, 1 to [`MAX_BATCH_SIZE`].
    pub batch_size: usize,
    /// Batches in flight at once, 1 to [`LARGEST_MAX_CONCURRENT`]; no more than five hundred entries are.
    pub max_concurrent: usize,
    /// When a scheduled job is due, in milliseconds since the Unix epoch; `None` for the next maintenance.
    pub run_at_ms: Option<i64>,
    /// Who asked for it.
    pub by: String,
    /// The account it counts for, such as an API key: unfinished jobs per account are limited, and accounts take turns. `None`
    /// for nobody's, which is not limited and takes turns like one account.
    pub account: Option<String>,
}

/// A job as it is written down.
#[derive(Serialize, Deserialize)]
struct Body {
    keys: Vec<String>,
    patterns: Vec<String>,
    strategy: String,
    batch_size: usize,
    max_concurrent: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at_ms: Option<i64>,
    by: String,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Strategy; 3] = [Strategy::Eager, Strategy::Lazy, Strategy::Scheduled];

    /// Its name in the API contract.
    pub const fn name(self) -> &'static str {
        match self {
            Strategy::Eager => "EAGER",
            Strategy::Lazy => "LAZY",
            Strategy::Scheduled => "SCHEDULED",
        }
    }

    /// The strategy of that name.
    pub fn named(name: &str) -> Option<Strategy> {
        Strategy::ALL.into_iter().find(|strategy| strategy.name() == name)
    }
}

impl Warm {
    /// A job that loads nothing yet, to run at once with the defaults of the API contract, requested by `by`.
    pub fn new(by: impl Into<String>) -> Warm {
        Warm {
            keys: Vec::new(),
            patterns: Vec::new(),
            strategy: Strategy::default(),
            batch_size: BATCH_SIZE,
            max_concurrent: MAX_CONCURRENT,
            run_at_ms: None,
            by: by.into(),
            account: None,
        }
    }

    /// The same with each key and each pattern once, so that one given twice is loaded once.
    #[must_use]
    pub fn each_once(mut self) -> Warm {
        self.keys.sort_unstable();
        self.keys.dedup();
        let mut seen = HashSet::new();
        self.patterns.retain(|pattern| seen.insert(pattern.as_str().to_owned()));
        self
    }

    /// Why this is too much for one job, if it is: what it is to do would not fit into its item.
    pub fn excess(&self) -> Option<Refusal> {
        let refusal = |field, message| Some(Refusal { field, message });
        match (self.keys.len(), self.patterns.len(), self.key_bytes()) {
            (keys, ..) if keys > MAX_KEYS => refusal("keys", format!("must have at most {MAX_KEYS} items, has {keys}")),
            (_, patterns, _) if patterns > MAX_PATTERNS => {
                refusal("patterns", format!("must have at most {MAX_PATTERNS} items, has {patterns}"))
            }
            (.., bytes) if bytes > MAX_KEY_BYTES => {
                refusal("keys", format!("must have at most {MAX_KEY_BYTES} bytes as JSON, has {bytes}"))
            }
            _ => None,
        }
    }

    /// Bytes of the keys as JSON, which is how the job keeps them: quotation marks and backslashes count twice.
    fn key_bytes(&self) -> usize {
        let escapes = |key: &Key| key.as_str().bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        self.keys.iter().map(|key| key.as_str().len() + escapes(key) + 2).sum()
    }

    pub(crate) fn to_json(&self) -> String {
        let body = Body {
            keys: self.keys.iter().map(ToString::to_string).collect(),
            patterns: self.patterns.iter().map(ToString::to_string).collect(),
            strategy: self.strategy.name().to_owned(),
            batch_size: self.batch_size,
            max_concurrent: self.max_concurrent,
            run_at_ms: self.run_at_ms,
            by: self.by.clone(),
        };
        serde_json::to_string(&body).expect("texts and numbers are always JSON")
    }

    /// What was written down; `None` for what this release cannot read.
    pub(crate) fn read(json: &str) -> Option<Warm> {
        let body: Body = serde_json::from_str(json).ok()?;
        Some(Warm {
            keys: body.keys.into_iter().map(|key| Key::new(key).ok()).collect::<Option<_>>()?,
            patterns: body.patterns.iter().map(|pattern| Pattern::new(pattern).ok()).collect::<Option<_>>()?,
            strategy: Strategy::named(&body.strategy)?,
            batch_size: body.batch_size.clamp(1, MAX_BATCH_SIZE),
            max_concurrent: body.max_concurrent.clamp(1, LARGEST_MAX_CONCURRENT),
            run_at_ms: body.run_at_ms,
            by: body.by,
            account: None,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_down_is_read_again() {
        let warm = Warm {
            keys: vec![Key::new("a\"b").unwrap()],
            patterns: vec![Pattern::new("c:\\*:*").unwrap()],
            strategy: Strategy::Scheduled,
            batch_size: 7,
            max_concurrent: 3,
            run_at_ms: Some(1_700_000_000_000),
            ..Warm::new("me")
        };
        assert_eq!(warm.key_bytes(), serde_json::to_string(&["a\"b"]).unwrap().len() - 2);
        assert_eq!(Warm::read(&warm.to_json()), Some(warm));
        assert_eq!(Warm::read("{}"), None);
    }

    #[test]
    fn what_is_given_twice_is_loaded_once() {
        let keys = ["b", "a", "b"].map(|key| Key::new(key).unwrap()).into();
        let patterns = ["d*", "c*", "d*", "d*"].map(|pattern| Pattern::new(pattern).unwrap()).into();
        let once = Warm { keys, patterns, ..Warm::new("me") }.each_once();
        let names: Vec<_> =
            once.keys.iter().map(Key::as_str).chain(once.patterns.iter().map(Pattern::as_str)).collect();
        assert_eq!(names, ["a", "b", "d*", "c*"]);
    }

    #[test]
    fn what_one_job_may_have_to_do_fits_into_its_item() {
        let keys = |count: usize, of: &str| {
            let key = |number| Key::new(format!("{number:03}{}", of.repeat(509))).unwrap();
            Warm { keys: (0..count).map(key).collect(), ..Warm::new("me") }
        };
        let excess = |warm: Warm| warm.excess().map(|refusal| refusal.field);
        assert_eq!(excess(keys(MAX_KEYS, "x")), None);
        assert!(keys(MAX_KEYS, "x").to_json().len() < 400 * 1024);
        assert_eq!(excess(keys(MAX_KEYS + 1, "x")), Some("keys"));
        assert_eq!(excess(keys(MAX_KEYS, "\\")), Some("keys"));
        assert_eq!((excess(keys(256, "\"")), excess(keys(257, "\""))), (None, Some("keys")));
        let patterns = vec![Pattern::new("*").unwrap(); MAX_PATTERNS + 1];
        assert_eq!(excess(Warm { patterns, ..Warm::new("me") }), Some("patterns"));
    }
}
