//! Invalidations that can be undone, and undos, beside invalidations that keep nothing.

use super::growth::in_words;
use crate::{
    report::{Row, Unit},
    stats::Summary,
};
use std::{error::Error, time::Instant};
use strata_cache::{Invalidate, Selector, TieredCache, Undo};

/// For how long each could be undone, in seconds.
const UNDO_SECONDS: u32 = 600;

/// What they took, in milliseconds.
#[derive(Debug, Default)]
pub struct Undos {
    keeping: Vec<f64>,
    undone: Vec<f64>,
}

impl Undos {
    /// Invalidates `size` entries so that it can be undone, and undoes that.
    ///
    /// # Errors
    /// When not all of it is removed, or not all of it comes back.
    pub async fn take_turn(
        &mut self,
        cache: &TieredCache,
        selector: Selector,
        size: u64,
    ) -> Result<(), Box<dyn Error>> {
        let start = Instant::now();
        let request = Invalidate::new(selector).undo_seconds(UNDO_SECONDS);
        let kept = cache.invalidate(&request).await?;
        self.keeping.push(start.elapsed().as_secs_f64() * 1e3);
        let handle = kept.undo.ok_or("an invalidation cannot be undone")?;
        let start = Instant::now();
        let undone = cache.undo(&Undo { id: &handle.id, by: "", may: &|_| true }).await?;
        self.undone.push(start.elapsed().as_secs_f64() * 1e3);
        match undone.restored == size {
            true => Ok(()),
            false => Err(format!("{} entries of {size} are back", undone.restored).into()),
        }
    }

    /// What it cost among so many entries, beside an invalidation of the same that keeps nothing.
    pub fn costs(&self, way: &str, size: usize, plain: Summary) -> Vec<Row> {
        let row = |what: &str, samples: &[f64]| {
            let what = format!("{what} by {way}, among {}", in_words(size));
            Row::new(what, Unit::Milliseconds, Summary::of(samples.to_vec())).beside(plain).aim("≤ 1.2×")
        };
        vec![row("invalidation that can be undone,", &self.keeping), row("undo,", &self.undone)]
    }
}
