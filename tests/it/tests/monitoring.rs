//! Dashboard and alarms of template.yaml are made of the metrics that the functions write; and alarms besides, of those
//! of AWS that see what no function can write.

use crate::template::{TEMPLATE, functions, resources};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use strata_api::metrics::{NAMESPACE, names};

/// A metric of one function, as (name, the function's resource).
type Metric = (String, String);

/// Every metric that an alarm watches, by the alarm's name.
fn watched_by_alarms() -> impl Iterator<Item = (&'static str, &'static Value)> {
    resources("AWS::CloudWatch::Alarm").flat_map(|(name, alarm)| {
        let properties = &alarm["Properties"];
        assert_eq!(properties["TreatMissingData"], "notBreaching", "{name}: what is zero is not written");
        for actions in ["AlarmActions", "OKActions"] {
            assert_eq!(properties[actions]["If"][0], "TellsOfAlarms", "{name}: tells nobody");
        }
        let several = properties["Metrics"].as_array().into_iter().flatten();
        let several: Vec<&Value> = several.map(|part| &part["MetricStat"]["Metric"]).filter(|m| !m.is_null()).collect();
        let metrics = if several.is_empty() { vec![properties] } else { several };
        metrics.into_iter().map(move |metric| (name, metric))
    })
}

/// The functions' own metrics that alarms watch.
fn watched() -> BTreeSet<Metric> {
    let own = watched_by_alarms().filter(|(_, metric)| metric["Namespace"] == NAMESPACE);
    own.map(|(name, metric)| {
        let [dimension] = metric["Dimensions"].as_array().unwrap().as_slice() else { panic!("{name}") };
        assert_eq!(dimension["Name"], "FunctionName", "{name}");
        let function = dimension["Value"]["Ref"].as_str().unwrap();
        (metric["MetricName"].as_str().unwrap().to_owned(), function.to_owned())
    })
    .collect()
}

/// Whether this is one of the functions that the API calls with requests.
fn is_behind_the_api(function: &Value) -> bool {
    let events = function["Properties"]["Events"].as_object();
    events.is_some_and(|events| events.values().any(|event| event["Type"] == "Api"))
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

/// One sum of all that it watches, by name: a metric of the list that is left out of the expression alarms nobody.
#[test]
fn alarms_of_several_metrics_add_them_all_up() {
    let mut sums = 0;
    for (name, alarm) in resources("AWS::CloudWatch::Alarm") {
        let Some([total, parts @ ..]) = alarm["Properties"]["Metrics"].as_array().map(Vec::as_slice) else { continue };
        let ids: Vec<&str> = parts.iter().map(|part| part["Id"].as_str().unwrap()).collect();
        assert_eq!(total["Expression"], ids.join(" + "), "{name}");
        assert!(total["ReturnData"].is_null(), "{name}: nothing is compared with the threshold");
        for part in parts {
            assert_eq!(part["ReturnData"], false, "{name}: one metric is compared with the threshold");
            assert_eq!(part["MetricStat"]["Period"], parts[0]["MetricStat"]["Period"], "{name}");
            assert_eq!(part["MetricStat"]["Stat"], "Sum", "{name}");
        }
        sums += 1;
    }
    assert_eq!(sums, 5);
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

/// A function behind the API that is added later must be watched as well. The console tells no metrics; what becomes of it
/// is among the gateway's own.
#[test]
fn every_function_behind_the_api_is_watched() {
    let (shown, watched) = (shown(), watched());
    let behind_the_api = resources("AWS::Serverless::Function").filter(|(_, function)| is_behind_the_api(function));
    let behind_the_api: Vec<&str> =
        behind_the_api.map(|(name, _)| name).filter(|name| *name != "ConsoleFunction").collect();
    assert!(!behind_the_api.is_empty() && behind_the_api.len() < functions().count());
    for function in behind_the_api {
        for name in ["Errors", "Throttled"] {
            let metric = (name.to_owned(), function.to_owned());
            assert!(shown.contains(&metric) && watched.contains(&metric), "{name} of {function}");
        }
    }
    for function in ["EntriesFunction", "InvalidateFunction", "ConfigFunction"] {
        let metric = ("Degraded".to_owned(), function.to_owned());
        assert!(shown.contains(&metric) && watched.contains(&metric), "degraded mutations of {function}");
    }
}

/// What no function can write: that it did not start, crashed or took too long, and that the authorizer failed. The
/// gateway sees it of the functions behind the API, Lambda of all others.
#[test]
fn what_no_function_can_write_is_watched() {
    let api = &TEMPLATE["Resources"]["Api"]["Properties"];
    let dimension = |name: &str, value: &Value| json!({"Name": name, "Value": value});
    let gateway = json!([dimension("ApiName", &api["Name"]), dimension("Stage", &api["StageName"])]);
    let queue = json!([dimension("QueueName", &json!({"GetAtt": "JobFailures.QueueName"}))]);
    let others = resources("AWS::Serverless::Function").filter(|(_, function)| !is_behind_the_api(function));
    let others = others.map(|(function, _)| json!([dimension("FunctionName", &json!({"Ref": function}))]));
    let expected = others.map(|function| json!(["AWS/Lambda", "Errors", "Sum", function])).chain([
        json!(["AWS/ApiGateway", "5XXError", "Sum", gateway]),
        json!(["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", queue]),
    ]);
    let names = ["Namespace", "MetricName", "Statistic", "Dimensions"];
    let found = watched_by_alarms().map(|(_, metric)| json!(names.map(|name| &metric[name])));
    let found: BTreeSet<String> =
        found.filter(|metric| metric[0] != NAMESPACE).map(|metric| metric.to_string()).collect();
    assert_eq!(found, expected.map(|metric| metric.to_string()).collect());
    assert_eq!(TEMPLATE["Resources"]["JobFailuresAlarm"]["Properties"]["Threshold"], 1);
}
