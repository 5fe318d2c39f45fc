//! Dashboard and alarms of template.yaml are made of the metrics that the functions write, and of no others.

use crate::template::{TEMPLATE, functions, resources};
use serde_json::Value;
use std::collections::BTreeSet;
use strata_api::metrics::{NAMESPACE, names};

/// A metric of one function, as (name, the function's resource).
type Metric = (String, String);

/// The metrics that alarms watch.
fn watched() -> BTreeSet<Metric> {
    let mut found = BTreeSet::new();
    for (name, alarm) in resources("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        assert_eq!(properties["TreatMissingData"], "notBreaching", "{name}: what is zero is not written");
        let several = properties["Metrics"].as_array().into_iter().flatten();
        let several: Vec<&Value> = several.map(|part| &part["MetricStat"]["Metric"]).filter(|m| !m.is_null()).collect();
        let metrics = if several.is_empty() { vec![properties] } else { several };
        for metric in metrics {
            assert_eq!(metric["Namespace"], NAMESPACE, "{name}");
            let [dimension] = metric["Dimensions"].as_array().unwrap().as_slice() else { panic!("{name}") };
            assert_eq!(dimension["Name"], "FunctionName", "{name}");
            let function = dimension["Value"]["Ref"].as_str().unwrap();
            found.insert((metric["MetricName"].as_str().unwrap().to_owned(), function.to_owned()));
        }
    }
    found
}

/// The metrics that the dashboard shows.
fn shown() -> BTreeSet<Metric> {
    let body = TEMPLATE["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let widgets = body["widgets"].as_array().unwrap().iter();
    let rows = widgets.flat_map(|widget| widget["properties"]["metrics"].as_array().unwrap());
    rows.map(|row| {
        assert_eq!((&row[0], &row[2]), (&NAMESPACE.into(), &"FunctionName".into()), "{row}");
        let function = row[3].as_str().unwrap().trim_start_matches("${").trim_end_matches('}');
        (row[1].as_str().unwrap().to_owned(), function.to_owned())
    })
    .collect()
}

fn names_of(metrics: &BTreeSet<Metric>) -> BTreeSet<&str> {
    metrics.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn the_dashboard_shows_every_metric_and_alarms_watch_what_there_is() {
    let (shown, watched, known) = (shown(), watched(), names().collect::<BTreeSet<_>>());
    assert_eq!(names_of(&shown), known);
    assert!(names_of(&watched).is_subset(&known), "{watched:?}");
    for name in ["Degraded", "Errors", "L2Errors", "L3Errors", "Latency", "Throttled"] {
        assert!(names_of(&watched).contains(name), "no alarm watches {name}");
    }
    for (name, function) in shown.union(&watched) {
        assert_eq!(TEMPLATE["Resources"][function]["Type"], "AWS::Serverless::Function", "{name} of {function}");
    }
}

/// A function behind the API that is added later must be watched as well.
#[test]
fn every_function_behind_the_api_is_watched() {
    let (shown, watched) = (shown(), watched());
    let behind_the_api = resources("AWS::Serverless::Function").filter(|(_, function)| {
        let events = function["Properties"]["Events"].as_object();
        events.is_some_and(|events| events.values().any(|event| event["Type"] == "Api"))
    });
    let behind_the_api: Vec<&str> = behind_the_api.map(|(name, _)| name).collect();
    assert!(!behind_the_api.is_empty() && behind_the_api.len() < functions().len());
    for function in behind_the_api {
        for name in ["Errors", "Throttled"] {
            let metric = (name.to_owned(), function.to_owned());
            assert!(shown.contains(&metric) && watched.contains(&metric), "{name} of {function}");
        }
    }
}
