//! Invalidating a thousand entries among more and more of them: what it costs must follow the matches, and not what
//! else there is. Beside it what has to be done without an index: to go through everything.
//!
//! - [`tenant`]: which entries there are.
//! - [`level2`], [`copies`], [`scan`], [`memory`]: L2, how it is filled, its baseline, and what it takes.
//! - [`level3`], [`rows`]: L3, the same.
//! - [`listing`]: the keys of a tenant, listed there.
//! - `growth`: how the times of every level are shown.
//! - [`undo`], `everything`: the same brought back there; and all there is.

pub mod copies;
mod everything;
mod growth;
pub mod level2;
pub mod level3;
pub mod listing;
pub mod memory;
pub mod rows;
pub mod scan;
pub mod tenant;
pub mod undo;

use crate::{engines::Engines, report::Section};
use std::error::Error;
use tokio::runtime;

/// Entries that one invalidation means.
pub const GROUP: usize = 1000;

/// Most entries that L3 is filled with. The local engine takes some minutes for a million, and as long again for each
/// Scan of them; what an invalidation takes does not follow their number.
const MOST_ROWS: usize = 100_000;

/// Measures L2 with so many entries.
///
/// # Errors
/// When Redis cannot be used, or an invalidation does not find what it means.
pub fn in_redis(engines: &Engines, sizes: &[usize]) -> Result<Vec<Section>, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(level2::measure(engines.redis_url(), sizes))
}

/// Measures L3 with those of these numbers of entries that the local engine can hold.
///
/// # Errors
/// When an engine cannot be used, or an invalidation does not find what it means.
pub fn in_dynamo(engines: &Engines, sizes: &[usize]) -> Result<Vec<Section>, Box<dyn Error>> {
    let sizes: Vec<String> = sizes.iter().filter(|size| **size <= MOST_ROWS).map(usize::to_string).collect();
    let mut sections = engines.in_a_process(&[level3::NAME.to_owned(), sizes.join(",")])?;
    let most = format!(", {} at most", growth::in_words(MOST_ROWS));
    sections.iter_mut().for_each(|section| section.title += &most);
    Ok(sections)
}
