//! How the times of every level are shown: among more and more entries.

use crate::{
    report::{Row, Unit},
    stats::Summary,
};

/// A number of entries in words.
pub(super) fn in_words(size: usize) -> String {
    match size {
        size if size.is_multiple_of(1_000_000) => format!("{} million", size / 1_000_000),
        size => format!("{} thousand", size / 1000),
    }
}

/// Times among more and more entries, each beside the one among the fewest.
pub(super) fn growth(way: &str, times: &[(usize, Summary)]) -> Vec<Row> {
    let Some(((_, fewest), more)) = times.split_first() else { return Vec::new() };
    let row = |(size, time): &(usize, Summary)| {
        let what = format!("by {way}, among {}", in_words(*size));
        Row::new(what, Unit::Milliseconds, *time).beside(*fewest).aim("≤ 1.5×")
    };
    more.iter().map(row).collect()
}
