//! One report of a run, for people and for programs.

use crate::{
    aims, machine,
    plot::{Curve, Plot},
    stats::Summary,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    fmt::Write as _,
    fs,
    io::{self, Error},
    path::Path,
    time::Duration,
};

/// What one run measured.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What was measured.
    pub sections: Vec<Section>,
    /// What could not be.
    pub failures: Vec<Failure>,
    /// How long each suite took, what it had to build included, in seconds.
    pub seconds: Vec<(String, f64)>,
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
    /// Where it stands on a curve, if it is on one.
    pub point: Option<Point>,
}

/// Where a row stands on a curve; its value is y.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The curve's name.
    pub curve: String,
    /// What x counts.
    pub axis: String,
    /// How many.
    pub x: f64,
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
    /// US dollars.
    #[serde(rename = "$")]
    Dollars,
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
        Row { what: what.into(), unit, strata, baseline: None, ratio: None, aim: None, point: None }
    }

    /// A row on a curve, of so many of what its axis counts.
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    pub fn on(curve: &str, axis: &str, x: usize, unit: Unit, strata: Summary) -> Row {
        let point = Point { curve: curve.to_owned(), axis: axis.to_owned(), x: x as f64 };
        Row { point: Some(point), ..Row::new(format!("{curve}, of {x} {axis}"), unit, strata) }
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
    /// Takes in what a suite measured, or why it could not, and how long that took.
    pub fn add(&mut self, suite: &str, measured: Result<Vec<Section>, Box<dyn std::error::Error>>, took: Duration) {
        self.seconds.push((suite.to_owned(), took.as_secs_f64()));
        match measured {
            Ok(sections) => self.sections.extend(sections),
            Err(cause) => self.failures.push(Failure { suite: suite.to_owned(), cause: cause.to_string() }),
        }
    }

    /// Writes `report.md` and `report.json` into `folder`, and a picture of each kind of curves.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let machine = machine::describe();
        fs::create_dir_all(folder)?;
        fs::write(folder.join("report.md"), self.markdown(&machine))?;
        for (file, plot) in self.sections.iter().flat_map(Section::plots) {
            fs::write(folder.join(file), plot.svg())?;
        }
        let machine: serde_json::Map<_, _> =
            machine.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let Report { sections, failures, seconds } = self;
        let json = json!({ "machine": machine, "sections": sections, "failures": failures, "seconds": seconds });
        fs::write(folder.join("report.json"), serde_json::to_vec_pretty(&json).map_err(Error::other)?)
    }

    /// The report for people. What failed comes first, so that nobody takes the rest for everything, and what misses its aim
    /// next.
    pub fn markdown(&self, machine: &[(&str, String)]) -> String {
        let mut text = String::from("# Benchmarks\n\nMedians, with the 10th and 90th percentile of all samples.\n\n");
        for (name, value) in machine {
            let _ = writeln!(text, "- {name}: {value}");
        }
        for Failure { suite, cause } in &self.failures {
            let _ = write!(text, "\n## {suite} failed\n\n```text\n{}\n```\n", cause.trim());
        }
        text += &aims::missed(self);
        for section in &self.sections {
            let _ = write!(text, "\n## {}\n\nBaseline: {}.\n\n", section.title, section.baseline);
            text += "| | Strata | baseline | ratio | aim |\n|---|---|---|---|---|\n";
            section.rows.iter().for_each(|row| text += &line(row));
            for (file, plot) in section.plots() {
                let _ = write!(text, "\n![{}, {}]({file})\n", plot.title, plot.y_axis);
            }
        }
        text + &self.times()
    }

    /// How long the suites took.
    fn times(&self) -> String {
        let mut text =
            String::from("\n## Time of each suite\n\nWhat it had to build is included.\n\n| | |\n|---|---|\n");
        for (suite, seconds) in &self.seconds {
            let _ = writeln!(text, "| {suite} | {seconds:.0} s |");
        }
        let all: f64 = self.seconds.iter().map(|(_, seconds)| seconds).sum();
        text + &format!("| all | {all:.0} s |\n")
    }
}

impl Section {
    /// A picture of the curves of each unit, and the name of its file.
    fn plots(&self) -> Vec<(String, Plot)> {
        let mut units: Vec<Unit> = self.rows.iter().filter(|row| row.point.is_some()).map(|row| row.unit).collect();
        units.dedup();
        let plot = |unit: Unit| {
            let plot = self.plot(unit);
            let name = format!("{} {}", plot.title, plot.y_axis.replace('µ', "u"));
            let words = name.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
            (words.collect::<Vec<_>>().join("-").to_lowercase() + ".svg", plot)
        };
        units.into_iter().map(plot).collect()
    }

    fn plot(&self, unit: Unit) -> Plot {
        let title = self.title.split(':').next().unwrap_or_default().to_owned();
        let mut plot = Plot { title, y_axis: unit.symbol().to_owned(), ..Plot::default() };
        for row in self.rows.iter().filter(|row| row.unit == unit) {
            let Some(Point { curve, axis, x }) = &row.point else { continue };
            axis.clone_into(&mut plot.x_axis);
            if plot.curves.last().is_none_or(|last| last.name != *curve) {
                plot.curves.push(Curve { name: curve.clone(), points: Vec::new(), baseline: Vec::new() });
            }
            let last = plot.curves.last_mut().expect("one was just put there");
            last.points.push((*x, row.strata.median));
            last.baseline.extend(row.baseline.map(|baseline| (*x, baseline.median)));
        }
        plot
    }
}

impl Unit {
    const fn symbol(self) -> &'static str {
        match self {
            Unit::Microseconds => "µs",
            Unit::Milliseconds => "ms",
            Unit::Megabytes => "MB",
            Unit::Bytes => "B",
            Unit::Dollars => "$",
            Unit::PerSecond => "/s",
            Unit::Count => "",
        }
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
        Unit::PerSecond | Unit::Count => unit.symbol().to_owned(),
        _ => format!(" {}", unit.symbol()),
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
        report.add("library", Ok(vec![section]), Duration::from_secs(3));
        report.add("level2", Err("Redis is gone\n".into()), Duration::from_secs(4));
        let text = report.markdown(&[("Profile", "release".to_owned())]);
        let places = [
            "\n- Profile: release\n",
            "\n## level2 failed\n\n```text\nRedis is gone\n```\n",
            "\n## GET\n",
            "| library | 3 s |\n",
            "| all | 7 s |\n",
        ];
        let places = places.map(|part| text.find(part).expect(part));
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn rows_on_curves_are_drawn_by_their_units() {
        let row = |curve: &str, x, unit| Row::on(curve, "entries", x, unit, Summary::single(2.0));
        let time = |curve, x| row(curve, x, Unit::Microseconds).beside(Summary::single(1.0));
        let rows = vec![row("Memory", 10, Unit::Bytes), time("GET", 10), time("GET", 100), time("PUT", 10)];
        let section = Section { title: "Growth of L1: all".into(), baseline: "none".into(), rows };
        let plots = section.plots();
        assert_eq!(
            plots.iter().map(|(file, _)| file.as_str()).collect::<Vec<_>>(),
            ["growth-of-l1-b.svg", "growth-of-l1-us.svg"]
        );
        let curves = &plots[1].1.curves;
        assert_eq!((curves.len(), curves[0].points.as_slice()), (2, &[(10.0, 2.0), (100.0, 2.0)][..]));
        assert_eq!(curves[0].baseline, [(10.0, 1.0), (100.0, 1.0)]);
        let text = Report { sections: vec![section], ..Report::default() }.markdown(&[]);
        assert!(text.contains("| PUT, of 10 entries | 2.00 µs | 1.00 µs | 2.00× |  |\n"), "{text}");
        assert!(text.contains("\n![Growth of L1, µs](growth-of-l1-us.svg)\n"), "{text}");
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
