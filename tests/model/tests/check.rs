//! Runs of the checker.

use stateright::{Checker, HasDiscoveries, Model, Path};
use strata_model::{faults::Budget, properties::Action, rule::Rule, scenario::Scenario};

/// Nothing goes wrong.
pub const NO_FAULTS: Budget =
    Budget { crash: 0, cut: 0, flush: 0, failover: 0, evict: 0, trim: 0, busy: 0, age: 0, many: 0, forget: 0 };

/// Visits every state and asserts that all properties hold.
#[track_caller]
pub fn holds(scenario: Scenario) {
    let name = format!("{:?} {:?} {:?}", scenario.source_of_truth, scenario.scripts, scenario.budget);
    let checker = scenario.checker().threads(1).spawn_bfs().join();
    if let Some((property, path)) = checker.discoveries().into_iter().next() {
        panic!("{name}\n{property} is broken by\n{}", schedule(path));
    }
    assert!(checker.is_done(), "{name} was not visited as a whole");
}

/// Asserts that a property is broken in some state, by whatever way leads there first.
#[track_caller]
pub fn breaks(scenario: Scenario, property: &'static str) {
    let name =
        format!("{:?} {:?} {:?} {:?}", scenario.source_of_truth, scenario.scripts, scenario.budget, scenario.rules);
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = scenario.checker().threads(1).finish_when(found).spawn_bfs().join();
    assert!(checker.discovery(property).is_some(), "{name}\nnothing breaks {property}");
}

/// Asserts that a scenario holds with a rule and breaks without it.
#[track_caller]
pub fn needs(rule: Rule, scenario: Scenario, property: &'static str) {
    holds(scenario.clone());
    breaks(scenario.without(rule), property);
}

fn schedule<State>(path: Path<State, Action>) -> String
where
    State: Clone + PartialEq + std::fmt::Debug,
{
    path.into_actions().iter().map(|action| format!("  {action:?}\n")).collect()
}
