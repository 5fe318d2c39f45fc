//! Which rows miss their aim, and why: a report that only shows ratios leaves its reader to look for them.

use crate::report::{Report, Row};

/// Why rows miss their aim, by what stands in their names; the first that fits counts.
const REASONS: [(&str, &str); 16] = [
    (
        "fifty tags",
        "each is fifty rows more for the embedded DynamoDB engine, on the cores that it shares with all others; on AWS it \
         has its own",
    ),
    ("beside", "sender, gateway, containers and both engines share the cores with the quiet tenant"),
    (
        "first poll",
        "the dynamic loader writes addresses into 56 pages of `entries`, each a page fault, and into 46 of a bare function \
         with the AWS SDK's client; L1, log and settings are set up",
    ),
    (
        "entries of 1 KB in L1",
        "mini-moka alone takes 1.33 times the bytes of such entries; a copy has what makes it certain beside them (version, \
         as-of position, deadline, checksum), and the recent changes keep the PUT",
    ),
    (
        "size of the binary",
        "the AWS SDK is two fifths of it; the library is compiled for speed, and every operation a function group has is in \
         its one binary",
    ),
    (
        "Mean of the ratios, of copies",
        "beside the text a copy has 71 bytes of envelope (versions, checksum, times, tags) and a head of 43 that scripts read",
    ),
    ("L1 insert", "an insert looks for the copy that it replaces, whose end is no eviction; here there always is one"),
    ("code", "a text is not trusted before its XXH3-128 has been computed and, read back, its UTF-8 checked"),
    (
        "100 GETs from L2",
        "the bare pipeline only moves bytes; each copy is held against what is known of the journal, unpacked, its checksum \
         and text checked, and kept in L1",
    ),
    (
        "100 GETs from L3",
        "each value is unpacked, its checksum and text checked, and its copy written by a script with its index; the journal \
         is looked into after them",
    ),
    (
        "which L2 takes a copy of",
        "the copy is written by a script with its index, and the journal is looked into after it",
    ),
    (
        "PUT",
        "Redis tells the version before and takes record, copy and indexes after, and the journal is looked into once more; \
         the index row of a new tag must be there before its entry is, in a request of its own",
    ),
    (
        "entries warmed",
        "what is loaded is decoded, written by a script that keeps two indexes, and checked against the journal, on the two \
         cores that both engines share with it",
    ),
    ("99th percentile", "clients, gateway and containers share the cores; the slowest answers wait for one of them"),
    ("client", "clients, gateway and containers share the cores"),
    (
        "among",
        "each of a thousand matches is read and judged, and one that is removed taken out of its indexes, however many \
         entries there are",
    ),
];

/// What an aim bounds.
enum Bound {
    /// Strata by its baseline.
    Ratio(f64),
    /// Strata less its baseline, in the row's unit.
    Difference(f64),
    /// Strata alone, in the row's unit.
    Value(f64),
}

/// The part of the report that names what misses its aim; empty when nothing does.
pub(crate) fn missed(report: &Report) -> String {
    let rows = || report.sections.iter().flat_map(|section| section.rows.iter().map(move |row| (&section.title, row)));
    let lines = rows().filter(|(_, row)| misses(row) == Some(true)).map(|(title, row)| {
        let reason = REASONS.iter().find(|(name, _)| row.what.contains(name));
        let reason = reason.map_or("nobody knows why", |(_, reason)| reason);
        let ratio = row.ratio.map_or_else(String::new, |ratio| format!(" {ratio:.2}×,"));
        format!("- {title}, {}:{ratio} {}: {reason}\n", row.what, row.aim.as_deref().unwrap_or_default())
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\n## What misses its aim\n\n{lines}") }
}

/// Whether a row misses its aim, as it is shown; `None` when it has none, or one in words.
fn misses(row: &Row) -> Option<bool> {
    let aim = row.aim.as_deref()?;
    let (is_most, bound) = match aim.strip_prefix("≤ ") {
        Some(most) => (true, most),
        None => (false, aim.strip_prefix("≥ ")?),
    };
    let (measured, bound) = match parse(bound.split(' ').next()?)? {
        Bound::Ratio(bound) => (row.ratio?, bound),
        Bound::Difference(bound) => (row.strata.median - row.baseline?.median, bound),
        Bound::Value(bound) => (row.strata.median, bound),
    };
    // Two digits, or four of what is shown as a fraction: what is shown as the aim itself meets it.
    let digits = if measured < 0.1 { 1e4 } else { 1e2 };
    let measured = (measured * digits).round() / digits;
    Some(if is_most { measured > bound } else { measured < bound })
}

fn parse(bound: &str) -> Option<Bound> {
    let number = |text: &str| text.parse::<f64>().ok();
    if let Some(ratio) = bound.strip_suffix('×') {
        number(ratio).map(Bound::Ratio)
    } else if let Some(part) = bound.strip_prefix("1/") {
        number(part).map(|part| Bound::Ratio(1.0 / part))
    } else if let Some(more) = bound.strip_prefix('+') {
        number(more).map(Bound::Difference)
    } else {
        number(bound).map(Bound::Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::{Section, Unit},
        stats::Summary,
    };

    fn row(what: &str, strata: f64, aim: &str) -> Row {
        Row::new(what, Unit::Microseconds, Summary::single(strata)).beside(Summary::single(2.0)).aim(aim)
    }

    #[test]
    fn a_row_is_held_against_what_its_aim_bounds() {
        for (strata, aim, expected) in [
            (2.6, "≤ 1.3×", Some(false)),
            (2.609, "≤ 1.3×", Some(false)),
            (2.62, "≤ 1.3×", Some(true)),
            (0.021, "≤ 1/100", Some(true)),
            (0.02, "≤ 1/100", Some(false)),
            (1.6, "≥ 1/1.2", Some(true)),
            (1.4, "≥ 0.7× of the slower one", Some(false)),
            (2.16, "≤ +0.15 µs", Some(true)),
            (2.15, "≤ +0.15 µs", Some(false)),
            (9.1, "≤ 9 MB", Some(true)),
            (9.0, "one each: ≤ 1", None),
        ] {
            assert_eq!(misses(&row("GET", strata, aim)), expected, "{strata} {aim}");
        }
        assert_eq!(misses(&Row::new("GET", Unit::Count, Summary::single(1.0))), None);
    }

    #[test]
    fn what_misses_its_aim_is_named_with_the_reason() {
        let rows = vec![row("PUT, no tag", 4.0, "≤ 1.3×"), row("GET", 2.0, "≤ 1.3×"), row("?", 4.0, "≤ 1.3×")];
        let section = Section { title: "L3".into(), baseline: "nothing".into(), rows };
        let text = missed(&Report { sections: vec![section], ..Report::default() });
        assert!(
            text.starts_with("\n## What misses its aim\n\n- L3, PUT, no tag: 2.00×, ≤ 1.3×: Redis tells"),
            "{text}"
        );
        assert!(text.ends_with("- L3, ?: 2.00×, ≤ 1.3×: nobody knows why\n"), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
        assert_eq!(missed(&Report::default()), "");
    }
}
