//! What the tables list is all there is.

use super::page;
use crate::openapi::{DOCUMENT, operations};
use crate::template::{TEMPLATE, resources};
use std::{collections::BTreeSet, fs};
use strata_cache::Config;
use strata_it::stack::repository;

/// Statuses that any request may be answered with, which the page says once.
const OF_ALL: [&str; 3] = ["429", "502", "504"];
/// What Lambda itself sets.
const OF_LAMBDA: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// What stands between backticks in a cell.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Fails unless each of `wanted` stands between backticks in a table of that page, in the column of that number.
#[track_caller]
fn assert_lists<'w>(path: &str, column: usize, wanted: impl IntoIterator<Item = &'w str>) {
    let page = page(path);
    let listed: BTreeSet<&str> = page.rows().filter_map(|row| row.get(column).copied()).flat_map(names).collect();
    let missing: Vec<_> = wanted.into_iter().filter(|name| !listed.contains(name)).collect();
    assert!(missing.is_empty(), "{path} does not list {missing:?}");
}

/// The literals of a source file, tests left out, that consist of what `is_part` allows.
fn literals(path: &str, is_part: impl Fn(char) -> bool) -> BTreeSet<String> {
    let source = fs::read_to_string(repository().join(path)).unwrap();
    let quoted = without_tests(&source)
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.len() > 3 && text.chars().all(&is_part));
    quoted.map(str::to_owned).collect()
}

/// A source file without the tests at its end.
fn without_tests(source: &str) -> &str {
    source.split("#[cfg(test)]").next().unwrap()
}

#[test]
fn every_operation_is_listed_with_what_it_answers() {
    let page = page("docs/api.md");
    for operation in operations() {
        let request =
            format!("{} {}", operation.method.to_uppercase(), operation.path.replace("/entries/{key}", "/entries"));
        let is_its = |row: &Vec<&str>| {
            names(row[0])
                .iter()
                .any(|name| name.split('?').next().unwrap().replace("/entries/{key}", "/entries") == request)
        };
        let row = page.rows().find(is_its).unwrap_or_else(|| panic!("docs/api.md does not list {request}"));
        let said: BTreeSet<&str> = row[2].split(", ").collect();
        let given: BTreeSet<&str> =
            operation.responses().map(|(status, _)| status).filter(|status| !OF_ALL.contains(status)).collect();
        assert_eq!(said, given, "{request}");
    }
}

#[test]
fn every_error_code_is_listed() {
    let codes = DOCUMENT.pointer("/components/schemas/ErrorBody/properties/code/enum").unwrap();
    assert_lists("docs/api.md", 0, codes.as_array().unwrap().iter().map(|code| code.as_str().unwrap()));
}

#[test]
fn every_variable_is_listed() {
    let files = [
        "shared/api/src/settings.rs",
        "shared/cache/src/settings.rs",
        "shared/cache/src/settings/redis_access.rs",
        "functions/authorizer/src/settings.rs",
        "functions/console/src/settings.rs",
    ];
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    let all: BTreeSet<String> = files.iter().flat_map(|path| literals(path, is_part)).collect();
    assert!(all.len() > 20, "{all:?}");
    let ours = all.iter().map(String::as_str).filter(|name| !OF_LAMBDA.contains(name) && *name != "AWS_REGION");
    assert_lists("docs/configuration.md", 0, ours);
}

#[test]
fn every_parameter_of_the_template_is_listed() {
    assert_lists("docs/parameters.md", 0, TEMPLATE["Parameters"].as_object().unwrap().keys().map(String::as_str));
}

#[test]
fn every_output_of_the_template_is_listed() {
    assert_lists("docs/parameters.md", 0, TEMPLATE["Outputs"].as_object().unwrap().keys().map(String::as_str));
}

#[test]
fn every_alarm_is_listed() {
    assert_lists("docs/operations.md", 0, resources("AWS::CloudWatch::Alarm").map(|(name, _)| name));
}

#[test]
fn every_metric_is_listed() {
    let all = literals("shared/api/src/metrics.rs", |c| c.is_ascii_alphanumeric());
    let units =
        ["Count", "Microseconds", "Strata", "Name", "Unit", "Namespace", "Dimensions", "FunctionName", "Metrics"];
    let units = [&units[..], &["Timestamp", "CloudWatchMetrics"]].concat();
    let metrics: Vec<_> = all.iter().map(String::as_str).filter(|name| !units.contains(name)).collect();
    assert!(metrics.len() > 20, "{metrics:?}");
    assert_lists("docs/status.md", 0, metrics);
}

#[test]
fn every_suite_of_the_benchmarks_is_listed() {
    let source = fs::read_to_string(repository().join("tests/bench/src/suites.rs")).unwrap();
    let names = without_tests(&source)
        .split("Suite { name: ")
        .skip(1)
        .map(|rest| rest.split([',', ':']).next().unwrap().trim_matches('"'));
    let names: Vec<&str> = names.collect();
    assert!(names.len() > 10, "{names:?}");
    assert_lists("docs/performance.md", 0, names);
}

#[test]
fn every_field_of_the_configuration_is_listed_with_its_default() {
    let page = page("docs/configuration.md");
    let mut listed = BTreeSet::new();
    let defaults = serde_json::to_value(Config::default()).unwrap();
    for row in page.rows().filter(|row| row.len() == 4) {
        let names = names(row[0]);
        let Some(section) = names.first().map(|first| first.rsplit_once('.').map_or("", |(section, _)| section)) else {
            continue;
        };
        let said: Vec<&str> = row[1].split(", ").map(|value| value.trim_matches('`')).collect();
        for (at, name) in names.iter().enumerate() {
            let path = format!("{section}/{}", name.rsplit('.').next().unwrap());
            let pointer = format!("/{}", path.trim_start_matches('/'));
            let default = defaults.pointer(&pointer).unwrap_or_else(|| panic!("there is no {pointer}"));
            let text = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
            assert!(row[1] == "as above" || said[at] == text, "{pointer} is {text} by default");
            listed.insert(pointer);
        }
    }
    for (section, fields) in defaults.as_object().unwrap() {
        let fields = fields.as_object().map_or_else(
            || vec![format!("/{section}")],
            |fields| fields.keys().map(|field| format!("/{section}/{field}")).collect(),
        );
        for field in fields {
            assert!(listed.contains(&field), "docs/configuration.md does not list {field}");
        }
    }
}

#[test]
fn a_cell_is_split_into_its_names() {
    assert_eq!(names("`a.b`, `c` and d"), ["a.b", "c"]);
}
