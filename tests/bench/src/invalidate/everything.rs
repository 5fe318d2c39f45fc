//! All entries at once: an invalidation that can be undone, and its undo, beside one that keeps nothing.

use super::{growth::in_words, undo::Undos};
use crate::{report::Section, stats::Summary};
use std::{error::Error, time::Instant};
use strata_cache::{Invalidate, Pattern, Selector, TieredCache};

/// What they took.
#[derive(Debug, Default)]
pub struct Everything {
    /// Milliseconds of those that keep nothing.
    plain: Vec<f64>,
    undos: Undos,
}

impl Everything {
    /// Invalidates all `size` entries, for good.
    ///
    /// # Errors
    /// When not all of them are removed.
    pub async fn remove(&mut self, cache: &TieredCache, size: usize) -> Result<(), Box<dyn Error>> {
        let start = Instant::now();
        let removed = cache.invalidate(&Invalidate::new(all())).await?.matched;
        self.plain.push(start.elapsed().as_secs_f64() * 1e3);
        if removed == size as u64 { Ok(()) } else { Err(format!("{removed} entries of {size} are removed").into()) }
    }

    /// Invalidates all `size` entries so that it can be undone, and undoes that.
    ///
    /// # Errors
    /// When not all of them are back.
    pub async fn take_turn(&mut self, cache: &TieredCache, size: usize) -> Result<(), Box<dyn Error>> {
        self.undos.take_turn(cache, all(), size as u64).await
    }

    /// What it cost, of so many entries.
    pub fn section(&self, size: usize) -> Section {
        Section {
            title: format!("Bringing all {} back in L3", in_words(size)),
            baseline: "an invalidation of the same entries that keeps nothing".into(),
            rows: self.undos.costs("prefix", size, Summary::of(self.plain.clone())),
        }
    }
}

/// What means the entries of every tenant.
fn all() -> Selector {
    Selector::Pattern(Pattern::new("tenant-*").expect("a prefix and a star are a pattern"))
}
