//! L1 in the library with more and more entries: what each takes, and how long a GET of any of them is. Every number of
//! entries has a process of its own, because memory that was once had is not all given back.

use crate::{
    corpus,
    engines::Engines,
    process::resident_memory,
    report::{Row, Section, Unit},
    samples::{key, sealed},
    stats::{Summary, in_turns},
};
use bytes::Bytes;
use std::{error::Error, hint::black_box, process, sync::Arc};
use strata_cache::{
    Clock, Key, Position,
    config::L1Config,
    memory::{CachedEntry, Memory},
    stats::Counters,
};

/// The measurement's name among the program's arguments.
pub const NAME: &str = "growth-entries";
/// A number without a factor in common with any number of entries: so many entries on is the next one that is read, so
/// that neighbours in time are none in memory.
const STRIDE: usize = 611_953;
/// Room that no number of entries here fills, in MiB.
const ROOM_MB: u64 = 16_384;

/// Measures with so many entries each.
///
/// # Errors
/// What a measurement says.
pub fn grown(engines: &Engines, sizes: &[usize]) -> Result<Section, Box<dyn Error>> {
    let mut rows = Vec::new();
    for size in sizes {
        let sections = engines.in_a_process(&[NAME.to_owned(), size.to_string()])?;
        rows.extend(sections.into_iter().flat_map(|section| section.rows));
    }
    // The rows of one curve one after the other.
    rows.sort_by_key(|row| row.unit != Unit::Bytes);
    Ok(Section {
        title: "Growth of L1 with its entries".into(),
        baseline: "memory: the bytes of key and value; time: mini-moka alone with as many".into(),
        rows,
    })
}

/// Measures with so many entries, in a process of its own.
///
/// # Errors
/// When L1 does not hold them all.
pub fn measure(entries: &str) -> Result<Vec<Section>, Box<dyn Error>> {
    let size: usize = entries.parse()?;
    // What the first entry of all needs, such as the code itself, is no entry's share.
    drop(fill(1)?);
    let before = resident_memory(process::id())?;
    let (memory, bytes) = fill(size)?;
    let grown = resident_memory(process::id())?.saturating_sub(before);
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    let each = |bytes: u64| Summary::single(bytes as f64 / size as f64);
    let row = |curve, unit, strata| Row::on(curve, "entries", size, unit, strata);
    let (ours, theirs) = time(&memory, size);
    let rows = vec![
        row("Memory of an entry", Unit::Bytes, each(grown)).beside(each(bytes)),
        row("GET", Unit::Microseconds, ours).beside(theirs),
    ];
    Ok(vec![Section { title: String::new(), baseline: String::new(), rows }])
}

/// An L1 with so many entries, and the bytes of their keys and texts.
fn fill(size: usize) -> Result<(Memory, u64), Box<dyn Error>> {
    let config = roomy(size);
    let memory = Memory::new(&config, Clock::system(), Counters::default());
    let mut bytes = 0;
    for number in 0..size {
        let (key, text) = (key(number), Bytes::from(corpus::record(number).to_string()));
        bytes += (key.as_str().len() + text.len()) as u64;
        memory.insert(key, Arc::new(CachedEntry::new(sealed(&text), Position::ZERO, 0, &config)));
    }
    let missing = (0..size).filter(|number| memory.get(&key(*number), 0).is_none()).count();
    if missing == 0 { Ok((memory, bytes)) } else { Err(format!("{missing} of {size} entries are not in L1").into()) }
}

fn roomy(size: usize) -> L1Config {
    L1Config { max_capacity: 2 * size as u64, max_size_mb: ROOM_MB, ..L1Config::default() }
}

/// Microseconds of a GET, of L1 and of mini-moka alone with the same entries.
fn time(memory: &Memory, size: usize) -> (Summary, Summary) {
    let keys: Vec<Key> = (0..size).map(key).collect();
    let alone = mini_moka::sync::Cache::new(2 * size as u64);
    for key in &keys {
        let copy = memory.get(key, 0).expect("all entries have been found before");
        alone.insert(key.clone(), copy);
    }
    let (mut ours, mut theirs) = (0, 0);
    let next = |at: &mut usize| {
        *at = (*at + STRIDE) % size;
        &keys[*at]
    };
    in_turns(
        || {
            black_box(memory.get(next(&mut ours), 0));
        },
        || {
            black_box(alone.get(next(&mut theirs)));
        },
    )
}
