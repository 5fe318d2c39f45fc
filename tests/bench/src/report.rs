//! One report of a run, for people and for programs.

use crate::{machine, stats::Summary};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    fmt::Write as _,
    fs,
    io::{self, Error},
    path::Path,
};

/// What one run measured.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What was measured.
    pub sections: Vec<Section>,
    /// What could not be.
    pub failures: Vec<Failure>,
}

/// A suite that could not be measured.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// Its name.
    pub suite: String,
    /// What went wrong.
    pub cause: String,
}

/// Rows with the same kind of baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// What is measured.
    pub title: String,
    /// What it is compared with.
    pub baseline: String,
    /// The measurements.
    pub rows: Vec<Row>,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What is measured.
    pub what: String,
    /// The unit of both sides.
    pub unit: Unit,
    /// Strata.
    pub strata: Summary,
    /// What it is compared with.
    pub baseline: Option<Summary>,
    /// Strata's median by the baseline's.
    pub ratio: Option<f64>,
    /// What it is meant to be.
    pub aim: Option<String>,
}

/// The unit of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// 10⁻⁶ s.
    #[serde(rename = "us")]
    Microseconds,
    /// 10⁻³ s.
    #[serde(rename = "ms")]
    Milliseconds,
    /// 10⁶ bytes.
    #[serde(rename = "MB")]
    Megabytes,
    /// Bytes.
    #[serde(rename = "B")]
    Bytes,
    /// A number each second.
    #[serde(rename = "1/s")]
    PerSecond,
    /// A number.
    #[serde(rename = "")]
    Count,
}

impl Row {
    /// A row without a baseline.
    pub fn new(what: impl Into<String>, unit: Unit, strata: Summary) -> Row {
        Row { what: what.into(), unit, strata, baseline: None, ratio: None, aim: None }
    }

    /// With a baseline.
    #[must_use]
    pub fn beside(self, baseline: Summary) -> Row {
        // Where the baseline is nothing, there is no ratio.
        let ratio = Some(self.strata.median / baseline.median).filter(|ratio| ratio.is_finite());
        Row { ratio, baseline: Some(baseline), ..self }
    }

    /// With what it is meant to be.
    #[must_use]
    pub fn aim(self, aim: &str) -> Row {
        Row { aim: Some(aim.to_owned()), ..self }
    }
}

impl Report {
    /// Takes in what a suite measured, or why it could not.
    pub fn add(&mut self, suite: &str, measured: Result<Vec<Section>, Box<dyn std::error::Error>>) {
        match measured {
            Ok(sections) => self.sections.extend(sections),
            Err(cause) => self.failures.push(Failure { suite: suite.to_owned(), cause: cause.to_string() }),
        }
    }

    /// Writes `report.md` and `report.json` into `folder`.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let machine = machine::describe();
        fs::create_dir_all(folder)?;
        fs::write(folder.join("report.md"), self.markdown(&machine))?;
        let machine: serde_json::Map<_, _> =
            machine.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let Report { sections, failures } = self;
        let json = json!({ "machine": machine, "sections": sections, "failures": failures });
        fs::write(folder.join("report.json"), serde_json::to_vec_pretty(&json).map_err(Error::other)?)
    }

    /// The report for people. What failed comes first, so that nobody takes the rest for everything.
    pub fn markdown(&self, machine: &[(&str, String)]) -> String {
        let mut text = String::from("# Benchmarks\n\nMedians, with the 10th and 90th percentile of all samples.\n\n");
        for (name, value) in machine {
            let _ = writeln!(text, "- {name}: {value}");
        }
        for Failure { suite, cause } in &self.failures {
            let _ = write!(text, "\n## {suite} failed\n\n```text\n{}\n```\n", cause.trim());
        }
        for section in &self.sections {
            let _ = write!(text, "\n## {}\n\nBaseline: {}.\n\n", section.title, section.baseline);
            text += "| | Strata | baseline | ratio | aim |\n|---|---|---|---|---|\n";
            section.rows.iter().for_each(|row| text += &line(row));
        }
        text
    }
}

fn line(row: &Row) -> String {
    let baseline = row.baseline.map_or_else(String::new, |summary| cell(summary, row.unit));
    let ratio = row.ratio.map_or_else(String::new, times);
    let aim = row.aim.as_deref().unwrap_or_default();
    format!("| {} | {} | {baseline} | {ratio} | {aim} |\n", row.what, cell(row.strata, row.unit))
}

fn cell(summary: Summary, unit: Unit) -> String {
    let Summary { median, p10, p90, samples } = summary;
    let unit = match unit {
        Unit::Microseconds => " µs",
        Unit::Milliseconds => " ms",
        Unit::Megabytes => " MB",
        Unit::Bytes => " B",
        Unit::PerSecond => "/s",
        Unit::Count => "",
    };
    match samples {
        1 => format!("{}{unit}", number(median)),
        _ => format!("{}{unit} ({}–{})", number(median), number(p10), number(p90)),
    }
}

/// A ratio; far below one as a fraction, which is easier to read than zeros.
fn times(ratio: f64) -> String {
    match ratio {
        0.1.. => format!("{ratio:.2}×"),
        _ if ratio > 0.0 => format!("1/{:.0}", 1.0 / ratio),
        _ => "0".to_owned(),
    }
}

/// Three digits at least, two of them behind the point at most; more only of what would seem to be nothing.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..0.1 => format!("{value:.5}"),
        ..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_stands_before_what_did_not() {
        let mut report = Report::default();
        let section = Section { title: "GET".into(), baseline: "the same".into(), rows: Vec::new() };
        report.add("library", Ok(vec![section]));
        report.add("level2", Err("Redis is gone\n".into()));
        let text = report.markdown(&[("Profile", "release".to_owned())]);
        let places = ["\n- Profile: release\n", "\n## level2 failed\n\n```text\nRedis is gone\n```\n", "\n## GET\n"];
        let places = places.map(|part| text.find(part).expect(part));
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn a_line_says_both_sides_and_their_ratio() {
        let spread = Summary { median: 12.34, p10: 9.876, p90: 123.4, samples: 3 };
        let row = Row::new("GET", Unit::Microseconds, spread).beside(Summary::single(6.17)).aim("≤ 3×");
        assert_eq!(line(&row), "| GET | 12.3 µs (9.88–123) | 6.17 µs | 2.00× | ≤ 3× |\n");
        let fraction = Row::new("SCAN", Unit::Count, Summary::single(0.02)).beside(Summary::single(5.0));
        assert_eq!(line(&fraction), "| SCAN | 0.02000 | 5.00 | 1/250 |  |\n");
        let less = Row::new("limits", Unit::Microseconds, Summary::single(-12.34));
        assert_eq!(line(&less), "| limits | -12.3 µs |  |  |  |\n");
        let of_nothing = Row::new("sync", Unit::Count, Summary::single(1.0)).beside(Summary::single(0.0));
        assert_eq!(line(&of_nothing), "| sync | 1.00 | 0 |  |  |\n");
        assert_eq!(line(&Row::new("size", Unit::Megabytes, Summary::single(8.0))), "| size | 8.00 MB |  |  |  |\n");
    }
}
