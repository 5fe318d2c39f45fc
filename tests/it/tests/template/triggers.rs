//! What calls the functions: the gateway with its authorizer, the control table's stream, schedules. What is not called
//! for is never done, and no local check would say so.

use super::{TEMPLATE, api, function, functions, keys, resources};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Each function with what calls it: the types of its own events, a rule, or the kind of authorizer that it is.
pub fn callers() -> BTreeSet<(&'static str, &'static str)> {
    let own = functions().flat_map(|(binary, properties)| {
        let events = properties["Events"].as_object().into_iter().flatten();
        events.map(move |(_, event)| (binary, event["Type"].as_str().unwrap()))
    });
    let rules = resources("AWS::Events::Rule").flat_map(|(_, rule)| rule["Properties"]["Targets"].as_array().unwrap());
    let rules = rules.map(|target| (binary(&target["Arn"]), "AWS::Events::Rule"));
    let authorizers = api()["Auth"]["Authorizers"].as_object().unwrap().values();
    let authorizers =
        authorizers.map(|one| (binary(&one["FunctionArn"]), one["FunctionPayloadType"].as_str().unwrap()));
    own.chain(rules).chain(authorizers).collect()
}

/// The binary of the function whose ARN this is.
fn binary(arn: &Value) -> &'static str {
    let function = arn["GetAtt"].as_str().unwrap().trim_end_matches(".Arn");
    TEMPLATE["Resources"][function]["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap()
}

#[test]
fn every_route_has_the_authorizer() {
    let auth = &api()["Auth"];
    let known = ["AddDefaultAuthorizerToCorsPreflight", "Authorizers", "DefaultAuthorizer", "ResourcePolicy"];
    assert_eq!(keys(auth), BTreeSet::from(known));
    let name = auth["DefaultAuthorizer"].as_str().unwrap();
    assert_eq!(keys(&auth["Authorizers"]), BTreeSet::from([name]));
    let expected = json!({
        "FunctionArn": {"GetAtt": "AuthorizerFunction.Arn"},
        "FunctionPayloadType": "TOKEN",
        "Identity": {"Header": "Authorization", "ReauthorizeEvery": 300, "ValidationExpression":
            r"^[Bb][Ee][Aa][Rr][Ee][Rr] +[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+ *$"}
    });
    assert_eq!(auth["Authorizers"][name], expected);
    for (binary, name, event) in events() {
        let mut properties = keys(&event["Properties"]);
        let has_its_own = properties.remove("Auth");
        assert_eq!(properties, BTreeSet::from(["Method", "Path", "RestApiId"]), "{name}");
        assert_eq!(event["Properties"]["RestApiId"], json!({"Ref": "Api"}), "{name}");
        // The page's files are in the source: there is nothing to ask a token for.
        assert_eq!(has_its_own, binary == "console", "{name}");
    }
}

/// The events of the gateway, each with its function and its name.
fn events() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let all = functions().flat_map(|(binary, properties)| {
        let events = properties["Events"].as_object().into_iter().flatten();
        events.map(move |(name, event)| (binary, name.as_str(), event))
    });
    all.filter(|(.., event)| event["Type"] == "Api")
}

/// The routes of the contract, and what was added to it.
const ROUTES: [(&str, &str, &[&str]); 15] = [
    ("entries", "/cache/batch", &["POST"]),
    ("entries", "/cache/entries", &["DELETE", "GET", "HEAD", "PATCH", "PUT"]),
    ("entries", "/cache/entries/{key+}", &["DELETE", "GET", "HEAD", "PATCH", "PUT"]),
    ("invalidate", "/cache/invalidate", &["POST"]),
    ("invalidate", "/cache/invalidate/{invalidation_id}/undo", &["POST"]),
    ("invalidate", "/cache/invalidations", &["GET"]),
    ("invalidate", "/cache/journal", &["GET"]),
    ("warm", "/cache/warm", &["GET", "POST"]),
    ("warm", "/cache/warm/{job_id}", &["DELETE", "GET"]),
    ("entries", "/cache/explain", &["GET"]),
    ("status", "/cache/status", &["GET"]),
    ("status", "/cache/keys", &["GET"]),
    ("status", "/cache/tags", &["GET"]),
    ("status", "/cache/stats", &["GET"]),
    ("config", "/cache/config", &["GET", "PUT"]),
];

/// Method and path of every route of the API, with the function that serves it. The page for people is none.
pub fn routes() -> BTreeSet<(&'static str, &'static str, &'static str)> {
    let text = |value: &'static Value| value.as_str().unwrap();
    let requests = events().filter(|(binary, ..)| *binary != "console");
    requests
        .map(|(binary, _, event)| (binary, text(&event["Properties"]["Path"]), text(&event["Properties"]["Method"])))
        .collect()
}

#[test]
fn the_routes_are_the_contracts_and_no_others() {
    let expected = ROUTES
        .iter()
        .flat_map(|(function, path, methods)| methods.iter().map(move |method| (*function, *path, *method)));
    assert_eq!(routes(), expected.collect());
    assert_eq!(api()["StageName"], "v1");
}

#[test]
fn jobs_are_called_for_and_what_fails_is_bounded_and_kept() {
    let events = function("warmer")["Events"].as_object().unwrap();
    let of_type = |kind: &str| events.values().find(|event| event["Type"] == kind).unwrap()["Properties"].clone();
    let stream = of_type("DynamoDB");
    assert_eq!(stream["Stream"], json!({"GetAtt": "ControlTable.StreamArn"}));
    let pattern = stream["FilterCriteria"]["Filters"][0]["Pattern"].as_str().unwrap();
    let pattern: Value = serde_json::from_str(pattern).unwrap();
    let waiting = json!({
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {"Keys": {"pk": {"S": [{"prefix": "job#"}]}}, "NewImage": {"state": {"S": ["ready"]}}},
    });
    assert_eq!(pattern, waiting);
    assert_eq!(stream["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(stream["BisectBatchOnFunctionError"], true);
    assert!(stream["MaximumRetryAttempts"].as_u64().is_some_and(|tries| tries < 10), "Lambda would try for ever");
    let destination = stream["DestinationConfig"]["OnFailure"]["Destination"]["GetAtt"].as_str().unwrap();
    let queue = &TEMPLATE["Resources"][destination.trim_end_matches(".Arn")];
    assert_eq!(queue["Type"], "AWS::SQS::Queue");
    assert_eq!(of_type("Schedule")["Schedule"], "rate(1 minute)");
}

#[test]
fn a_schedule_warms_only_where_a_parameter_says_when() {
    let condition = json!({"Not": [{"Equals": [{"Ref": "WarmScheduleExpression"}, ""]}]});
    assert_eq!(TEMPLATE["Conditions"]["WarmsBySchedule"], condition);
    assert_eq!(TEMPLATE["Rules"]["ScheduleSaysWhat"]["RuleCondition"], condition);
    for parameter in ["WarmScheduleExpression", "WarmScheduleInput"] {
        assert_eq!(TEMPLATE["Parameters"][parameter]["Default"], "", "{parameter}");
    }
    let [(name, rule)] = resources("AWS::Events::Rule").collect::<Vec<_>>()[..] else { panic!("one rule") };
    let [(_, permission)] = resources("AWS::Lambda::Permission").collect::<Vec<_>>()[..] else { panic!("one right") };
    assert_eq!((&rule["Condition"], &permission["Condition"]), (&json!("WarmsBySchedule"), &json!("WarmsBySchedule")));
    let properties = &rule["Properties"];
    assert_eq!(properties["ScheduleExpression"], json!({"Ref": "WarmScheduleExpression"}));
    let target = json!({
        "Id": "Warmer", "Arn": {"GetAtt": "WarmerFunction.Arn"}, "Input": {"Ref": "WarmScheduleInput"},
    });
    assert_eq!(properties["Targets"], json!([target]));
    let expected = json!({
        "Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "WarmerFunction"},
        "Principal": "events.amazonaws.com", "SourceArn": {"GetAtt": format!("{name}.Arn")},
    });
    assert_eq!(permission["Properties"], expected);
}
