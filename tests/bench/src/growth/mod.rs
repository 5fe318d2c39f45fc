//! What grows with what: with entries in L1, with the bytes of a value, with containers. Each is its own baseline, so
//! what matters is the slope on logarithmic scales: 0 is flat, 1 is in proportion, and more is worse than that.

pub mod containers;
pub mod entries;
pub mod values;

use crate::{
    engines::Engines,
    invalidate::GROUP,
    report::{Row, Section, Unit},
    stats::{Summary, slope},
};
use std::error::Error;

/// Measures all three; L1 with a thousand entries and with so many.
///
/// # Errors
/// When a function or an engine fails, or an answer comes from another level.
pub fn measure(engines: &Engines, sizes: &[usize]) -> Result<Vec<Section>, Box<dyn Error>> {
    let sizes: Vec<usize> = [GROUP].into_iter().chain(sizes.iter().copied().filter(|size| *size > GROUP)).collect();
    let mut sections = vec![entries::grown(engines, &sizes)?, values::grown(engines)?, containers::grown(engines)?];
    for section in &mut sections {
        section.rows.extend(slopes(&section.rows));
    }
    Ok(sections)
}

/// The slope of each curve, beside the one of its baseline.
fn slopes(rows: &[Row]) -> Vec<Row> {
    let mut names: Vec<&str> = rows.iter().filter_map(|row| Some(row.point.as_ref()?.curve.as_str())).collect();
    names.dedup();
    let of = |name: &str, side: fn(&Row) -> Option<f64>| {
        let curve = rows.iter().filter_map(|row| row.point.as_ref().filter(|point| point.curve == name).zip(side(row)));
        slope(&curve.map(|(point, y)| (point.x, y)).collect::<Vec<_>>()).map(Summary::single)
    };
    let row = |name: &&str| {
        let strata = of(name, |row| Some(row.strata.median))?;
        let baseline = of(name, |row| row.baseline.map(|baseline| baseline.median));
        // A ratio of slopes would say nothing.
        Some(Row { baseline, ..Row::new(format!("{name}: slope"), Unit::Count, strata) })
    };
    names.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_has_its_slope() {
        let row = |curve: &str, x: usize, y: f64| Row::on(curve, "B", x, Unit::Bytes, Summary::single(y));
        let rows = [row("PUT", 10, 5.0), row("PUT", 1000, 500.0), row("GET", 10, 7.0), row("GET", 1000, 7.0)];
        let rows = rows.map(|row| Row { baseline: Some(Summary::single(3.0)), ..row });
        let found = slopes(&rows);
        let found: Vec<_> = found.iter().map(|row| (row.what.as_str(), row.strata.median)).collect();
        assert_eq!(found, [("PUT: slope", 1.0), ("GET: slope", 0.0)]);
    }
}
