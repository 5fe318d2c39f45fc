//! samconfig.toml gives parameters that the template has, and values that it takes.

use super::{TEMPLATE, repository};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// Names and values of all `parameter_overrides`.
fn overrides(config: &str) -> impl Iterator<Item = (&str, &str)> {
    let entries = config.lines().filter_map(|line| line.strip_prefix("  \"")?.strip_suffix("\","));
    entries.map(|entry| entry.split_once('=').unwrap_or_else(|| panic!("{entry}")))
}

fn takes(parameter: &Value, value: &str) -> bool {
    let number = value.parse::<f64>().ok();
    let bound = |name: &str| parameter[name].as_f64();
    let in_range = number.is_some_and(|n| {
        bound("MinValue").is_none_or(|least| least <= n) && bound("MaxValue").is_none_or(|most| n <= most)
    });
    let allowed = parameter["AllowedValues"].as_array();
    let listed =
        allowed.is_none_or(|all| all.iter().any(|one| one == value || one.as_f64() == number && number.is_some()));
    listed && (parameter["Type"] != "Number" || in_range)
}

#[test]
fn environments_give_parameters_that_there_are() {
    let config = fs::read_to_string(repository().join("samconfig.toml")).unwrap();
    let sections = config.lines().filter_map(|line| line.strip_prefix('[')?.split_once('.'));
    let environments: BTreeSet<&str> = sections.map(|(environment, _)| environment).collect();
    assert_eq!(environments, BTreeSet::from(["default", "dev", "local", "prod", "staging"]));
    assert!(overrides(&config).count() >= 5);
    for (name, value) in overrides(&config) {
        let parameter = &TEMPLATE["Parameters"][name];
        assert!(parameter.is_object() && takes(parameter, value), "{name}={value}");
    }
}
